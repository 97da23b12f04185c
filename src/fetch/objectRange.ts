/**
 * The ranges that a source's `stream` can be asked for.
 */
import { InvalidArgument } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import { checkRange } from "../bytes/offset.ts"

/** Throws `InvalidArgument` unless the range lies within an object of `objectLength` bytes. */
export const checkObjectRange = ({ length, offset }: Extent, objectLength: number): void => {
  checkRange("stream", offset, length)
  if (offset + length > objectLength) {
    const reason = `the range of ${length} bytes at ${offset} ends beyond the object, at ${objectLength}`
    throw new InvalidArgument({ operation: "stream", reason })
  }
}
