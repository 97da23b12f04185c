/**
 * Forgeries: bytes that break one rule of a format while every checksum holds. No damage makes them; whoever makes
 * them has meant to, or is another program. So each check that stands behind a checksum has one that it alone refuses.
 */
export const forgedPath = "/forged"

/** An error that a reader must end with; of these, those that are given. */
export interface Refusal {
  readonly tag: string
  readonly path?: string | undefined
  readonly offset?: number | undefined
}

export interface Forgery {
  /** The rule that is broken. */
  readonly name: string
  /** Reads what was forged, at once or by a promise. Fails with what the reader fails with. */
  readonly read: () => unknown
  /** What it must fail with; or whether what it gives is right, where something is passed over. */
  readonly expected: Refusal | ((given: unknown) => boolean)
}

/** It must be `Corrupt`, at this place. */
export const corrupt = (name: string, offset: number | undefined, read: () => unknown): Forgery => ({
  name,
  read,
  expected: { tag: "Corrupt", path: forgedPath, offset }
})

/** It must be passed over, and what is given be right. */
export const passedOver = <A>(name: string, read: () => A, isRight: (given: A) => boolean): Forgery => ({
  name,
  read,
  expected: (given) => isRight(given as A)
})

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : ""

const shown = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message).split("\n").slice(0, 3).join(" ") : String(error)

/** How a forgery was met. */
export type Met = { readonly given: unknown } | { readonly error: unknown }

/** What is wrong with how a forgery was met; undefined where nothing is. */
export const storyOf = ({ expected }: Forgery, met: Met): string | undefined => {
  if ("given" in met) {
    if (typeof expected !== "function") return "it was believed"
    return expected(met.given) ? undefined : `it led to ${JSON.stringify(met.given)}`
  }
  const { error } = met
  if (typeof expected === "function") return `it was refused: ${shown(error)}`
  const { offset, path, tag } = expected
  if (tagOf(error) !== tag) return `it failed with ${shown(error)}, and not with ${tag}`
  const found = error as { readonly path?: unknown; readonly offset?: unknown }
  if (path !== undefined && found.path !== path) return `${tag} names ${String(found.path)}, not ${path}`
  return offset === undefined || found.offset === offset
    ? undefined
    : `${tag} names offset ${String(found.offset)}, not ${offset}`
}

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** An integer of 64 bits; beyond 2^53-1 too. */
export const setWide = (bytes: Uint8Array, at: number, value: number): void =>
  viewOf(bytes).setBigUint64(at, BigInt(value), true)

/** A copy that is changed. */
export const changed = (
  bytes: Uint8Array,
  change: (copy: Uint8Array, view: DataView) => void
): Uint8Array => {
  const copy = bytes.slice()
  change(copy, viewOf(copy))
  return copy
}
