/**
 * What is said of archives that can't be read.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** A text with names of an archive's in it, without what a terminal would obey. */
export const printable = (/** @type {string} */ text) => text.replace(/\p{Cc}/gu, "?")

const ZipErrorBase = /** @type {typeof Data.TaggedError<"ZipError">} */ (Data.TaggedError)("ZipError")

/**
 * An archive, or a member of it, can't be read.
 * @extends {ZipErrorBase<{ readonly path: string, readonly reason: string }>}
 */
export class ZipError extends ZipErrorBase {
  /** @override */
  get message() {
    return printable(`${this.path} ${this.reason}`)
  }
}

/**
 * Fails with a `ZipError`.
 * @param {{ readonly path: string }} archive
 * @param {string} reason
 */
export const failed = ({ path }, reason) => Effect.fail(new ZipError({ path, reason }))
