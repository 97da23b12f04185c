/**
 * Blocks: the memory that a leaf keeps its bytes in, and how large to make one.
 */

/** A block that is to grow is never smaller, and no fuss is made about so many bytes. */
const smallBlockBytes = 512
/** Smaller ones are made twice as large as need be: to make one anew costs more than some memory. */
const largeBlockBytes = 32 * 1024
/** Below this a loop is faster than a call that copies. */
const shortCopyBytes = 40

/** How large to make a block of so many bytes to which some will be added. */
export const roomy = (bytes: number): number =>
  Math.max(smallBlockBytes, bytes < largeBlockBytes ? 2 * bytes : bytes + (bytes >>> 1))

/** Whether more of a block is dead, or was never used, than is live. */
export const isWaste = (blockBytes: number, live: number): boolean =>
  blockBytes > 2 * (live + smallBlockBytes)

interface BlockRange {
  readonly from: Uint8Array
  readonly at: number
  readonly length: number
}

/** Copies a range of one block to another. Blocks begin where their buffers do. */
export const copyBytes = ({ at, from, length }: BlockRange, to: Uint8Array, toAt: number): void => {
  if (length < shortCopyBytes) for (let i = 0; i < length; i++) to[toAt + i] = from[at + i]
  else to.set(new Uint8Array(from.buffer, at, length), toAt)
}
