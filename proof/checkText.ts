/** How a check is told of: see checks.ts. */
export interface CheckText {
  readonly file: string
  /** What stands there, exactly once in the file. */
  readonly stands: string
  /** What stands there when it is broken. */
  readonly broken: string
  /** What it keeps out. */
  readonly why: string
  /** Why nothing can notice that it is broken. */
  readonly neutral?: string | undefined
  readonly parts: ReadonlyArray<string>
}

/** A check in short: what stands there, what stands there when it is broken, what it keeps out, why it is neutral. */
type Short = readonly [stands: string, broken: string, why: string, neutral?: string]

/**
 * The checks of one file. The forgeries take a second and come first; then the parts that are named, of which only
 * cases that begin so: `damageSums/section`.
 */
export const inFile = (
  file: string,
  parts: ReadonlyArray<string>,
  checks: ReadonlyArray<Short>
): ReadonlyArray<CheckText> =>
  checks.map(([stands, broken, why, neutral]) => ({
    ...{ file, stands, broken, why, neutral },
    parts: ["forgedFormats", ...parts]
  }))
