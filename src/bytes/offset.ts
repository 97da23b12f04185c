/**
 * Offsets: plain numbers at run time, told apart by the compiler.
 *
 * A virtual offset and a physical offset are both non-negative safe integers. The phantom tag lets
 * a literal or a computed number pass, and keeps the one from standing in for the other.
 */
import { InvalidArgument } from "./errors.ts"

/** A byte's address in the original, ever-growing address space. It never changes. */
export type VirtualOffset = number & { readonly "~space"?: "virtual" }

/** Where a byte lies in the file that holds it now. */
export type PhysicalOffset = number & { readonly "~space"?: "physical" }

/** Whether `value` can be an offset or a length: an integer from 0 to 2^53-1. */
export const isOffset = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

/** Throws `InvalidArgument` unless `value` is an integer from 0 to 2^53-1. */
export const checkOffset = (operation: string, name: string, value: number): void => {
  if (!isOffset(value)) {
    throw new InvalidArgument({
      operation,
      reason: `${name} must be an integer from 0 to 2^53-1, not ${value}`
    })
  }
}

/** Throws `InvalidArgument` unless `[offset, offset + length)` lies within 0 to 2^53-1. */
export const checkRange = (operation: string, offset: number, length: number): void => {
  checkOffset(operation, "offset", offset)
  checkOffset(operation, "length", length)
  if (!isOffset(offset + length)) {
    throw new InvalidArgument({
      operation,
      reason: `the range of ${length} bytes at ${offset} ends beyond 2^53-1`
    })
  }
}
