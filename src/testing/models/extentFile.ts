/**
 * The reference model of an extent file: a byte for each offset, how many extents hold it, and for each start
 * the extent's length. It is slow, and too simple to be wrong.
 */
import type { Extent } from "../../bytes/extent.ts"

export class ExtentFileModel {
  /** The object's bytes as they were written last; zeros where no extent holds them. */
  readonly bytes: Uint8Array
  /** How many extents hold each byte. */
  private readonly holders: Uint16Array
  private readonly lengths = new Map<number, number>()

  /** A model of the offsets below `size`. */
  constructor(size: number) {
    this.bytes = new Uint8Array(size)
    this.holders = new Uint16Array(size)
  }

  createExtent(offset: number, bytes: Uint8Array): void {
    const before = this.lengths.get(offset)
    // The new one holds its bytes before the old one lets go of them: what both have stays.
    for (let i = 0; i < bytes.length; i++) this.holders[offset + i]++
    if (before !== undefined) this.release(offset, before)
    this.lengths.delete(offset)
    if (bytes.length === 0) return
    this.lengths.set(offset, bytes.length)
    this.bytes.set(bytes, offset)
  }

  deleteExtent(offset: number): void {
    this.createExtent(offset, new Uint8Array(0))
  }

  clear(): void {
    for (const offset of [...this.lengths.keys()]) this.deleteExtent(offset)
  }

  /** The bytes of the extent that starts at `offset`, empty when there is none. */
  readExtent(offset: number): Uint8Array {
    return this.bytes.slice(offset, offset + (this.lengths.get(offset) ?? 0))
  }

  /** The bytes of a range, or undefined where no extent holds one of them. */
  read(offset: number, length: number): Uint8Array | undefined {
    const end = offset + length
    if (end > this.bytes.length || this.holders.subarray(offset, end).includes(0)) return undefined
    return this.bytes.slice(offset, end)
  }

  /** Ascending by where they start. */
  extents(): Array<Extent> {
    return [...this.lengths].sort(([a], [b]) => a - b).map(([offset, length]) => ({ offset, length }))
  }

  /** The number of bytes that at least one extent holds. */
  heldBytes(): number {
    return this.holders.reduce((held, holders) => held + (holders > 0 ? 1 : 0), 0)
  }

  copy(): ExtentFileModel {
    const copy = new ExtentFileModel(this.bytes.length)
    copy.bytes.set(this.bytes)
    copy.holders.set(this.holders)
    for (const [offset, length] of this.lengths) copy.lengths.set(offset, length)
    return copy
  }

  private release(offset: number, length: number): void {
    for (let at = offset; at < offset + length; at++) if (--this.holders[at] === 0) this.bytes[at] = 0
  }
}
