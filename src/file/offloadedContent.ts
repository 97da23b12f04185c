/**
 * What an extent of an offloaded file consists of, in one number, so that a table of extents is a table
 * of numbers:
 *
 *     0 .. 2^53-1      bytes of the backing, from this offset on
 *     -1 .. -256       one byte, repeated: 0 .. 255
 *     -257 and below   bytes in memory, from address 0, 1, 2 .. of the block of the extent's leaf on
 */

/** What an extent consists of, seen from its first byte. */
export type Content = number

const lowestRepeat = -256

export const backingContent = (offset: number): Content => offset
export const repeatContent = (value: number): Content => -1 - value
export const memoryContent = (address: number): Content => lowestRepeat - 1 - address

export const isBacking = (content: Content): boolean => content >= 0
export const isMemory = (content: Content): boolean => content < lowestRepeat
/** The byte that is repeated. */
export const repeatedValue = (content: Content): number => -1 - content
/** Where the bytes begin in their block. */
export const memoryAddress = (content: Content): number => lowestRepeat - 1 - content

export const zeros: Content = repeatContent(0)

/**
 * The same content, seen from so many bytes further on. Two extents that touch could be one where the
 * first, advanced by its length, is the second.
 */
export const advance = (content: Content, bytes: number): Content =>
  content >= 0 ? content + bytes : content < lowestRepeat ? content - bytes : content
