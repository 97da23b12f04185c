/**
 * A look at a sparse file or at a store, for whoever shows it.
 */
export interface Inspection {
  readonly path: string
  /** The figures, as rows of a name and a value. */
  readonly figures: ReadonlyArray<readonly [string, string]>
  /** Where in virtual space what can be read lies, as the lines of a picture. */
  readonly picture: ReadonlyArray<string>
  /** What programs get. */
  readonly json: object
}
