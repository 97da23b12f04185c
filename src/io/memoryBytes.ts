/**
 * The bytes of a file in memory: blocks, allocated when first written.
 *
 * Growing copies nothing, and holes, however large, cost nothing. Bytes beyond the size are zeros,
 * always, so that growing needs no clearing.
 */
import type { MemoryContent } from "./memoryTree.ts"

const blockBytes = 1 << 16

export class MemoryBytes implements MemoryContent {
  private readonly blocks = new Map<number, Uint8Array>()
  size = 0

  read(buffer: Uint8Array, start: number, length: number, offset: number): number {
    const total = Math.max(0, Math.min(length, this.size - offset))
    this.eachBlock(offset, total, (index, from, to, at) => {
      const block = this.blocks.get(index)
      if (block === undefined) buffer.fill(0, start + at, start + at + (to - from))
      else buffer.set(block.subarray(from, to), start + at)
    })
    return total
  }

  write(bytes: Uint8Array, start: number, length: number, offset: number): void {
    this.eachBlock(offset, length, (index, from, to, at) => {
      let block = this.blocks.get(index)
      if (block === undefined) {
        block = new Uint8Array(blockBytes)
        this.blocks.set(index, block)
      }
      block.set(bytes.subarray(start + at, start + at + (to - from)), from)
    })
    this.size = Math.max(this.size, offset + length)
  }

  truncate(size: number): void {
    if (size < this.size) this.zero(size, this.size - size)
    this.size = size
  }

  /** Zeroes a range, and frees the whole blocks in it. The size stays. */
  zero(offset: number, length: number): void {
    const end = Math.min(offset + length, this.size)
    if (end <= offset) return
    const firstIndex = Math.floor(offset / blockBytes)
    const lastIndex = Math.floor((end - 1) / blockBytes)
    // Over the fewer of the two: a hole may span billions of blocks that never were.
    const indices =
      lastIndex - firstIndex < this.blocks.size
        ? Array.from({ length: lastIndex - firstIndex + 1 }, (_, i) => firstIndex + i)
        : [...this.blocks.keys()].filter((index) => index >= firstIndex && index <= lastIndex)
    for (const index of indices) {
      const base = index * blockBytes
      const from = Math.max(0, offset - base)
      const to = Math.min(blockBytes, end - base)
      // Beyond the end there is nothing but zeros, so a block emptied up to the end is empty.
      if (from === 0 && (to === blockBytes || end === this.size)) this.blocks.delete(index)
      else this.blocks.get(index)?.fill(0, from, to)
    }
  }

  /** Nothing here can be lost. */
  sync(): void {}

  private eachBlock(
    offset: number,
    length: number,
    visit: (index: number, from: number, to: number, at: number) => void
  ): void {
    let at = 0
    while (at < length) {
      const index = Math.floor((offset + at) / blockBytes)
      const from = offset + at - index * blockBytes
      const to = Math.min(blockBytes, from + (length - at))
      visit(index, from, to, at)
      at += to - from
    }
  }
}
