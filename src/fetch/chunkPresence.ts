/**
 * Which chunks are there: a set of integers from 0 to 2^53-1, a bit each.
 *
 * It is kept in pages of 32,768 bits, and only pages with a bit in them exist: the length that a peer
 * claims takes no memory. Whole pages that are filled at once share one.
 */
import type { ChunkRange } from "./chunkGrid.ts"

const pageBits = 2 ** 15
const wordBits = 32
const allOnes = 0xffffffff

interface Page {
  readonly words: Uint32Array
  /** How many bits are set. */
  count: number
}

const full: Page = { words: new Uint32Array(pageBits / wordBits).fill(allOnes), count: pageBits }

export class ChunkPresence {
  private readonly pages = new Map<number, Page>()

  has(index: number): boolean {
    const number = Math.floor(index / pageBits)
    const page = this.pages.get(number)
    if (page === undefined) return false
    const bit = index - number * pageBits
    return (page.words[bit >>> 5] & (1 << (bit & 31))) !== 0
  }

  /** Whether all of a range are there. */
  hasAll(first: number, last: number): boolean {
    for (let index = first; index <= last; index++) if (!this.has(index)) return false
    return true
  }

  add(index: number): void {
    const number = Math.floor(index / pageBits)
    const bit = index - number * pageBits
    let page = this.pages.get(number)
    if (page === undefined) this.pages.set(number, (page = emptyPage()))
    const word = page.words[bit >>> 5]
    const mask = 1 << (bit & 31)
    if ((word & mask) !== 0) return
    page.words[bit >>> 5] = word | mask
    page.count++
  }

  addAll({ first, last }: ChunkRange): void {
    for (let index = first; index <= last;) {
      if (index % pageBits === 0 && last - index >= pageBits - 1) {
        this.pages.set(index / pageBits, full)
        index += pageBits
      } else this.add(index++)
    }
  }

  delete(index: number): void {
    const number = Math.floor(index / pageBits)
    let page = this.pages.get(number)
    if (page === undefined) return
    const bit = index - number * pageBits
    const mask = 1 << (bit & 31)
    if ((page.words[bit >>> 5] & mask) === 0) return
    if (page === full) this.pages.set(number, (page = { words: full.words.slice(), count: pageBits }))
    page.words[bit >>> 5] &= ~mask
    if (--page.count === 0) this.pages.delete(number)
  }

  clear(): void {
    this.pages.clear()
  }

  /** The runs of what is there, ascending; none touches another. */
  *runs(): Generator<ChunkRange> {
    let first = -1
    let end = -1
    for (const number of [...this.pages.keys()].sort((a, b) => a - b)) {
      const { words } = this.pages.get(number)!
      for (let i = 0; i < words.length; i++) {
        if (words[i] === 0) continue
        const base = number * pageBits + i * wordBits
        if (words[i] === allOnes && base === end) {
          end += wordBits
          continue
        }
        for (let bit = 0; bit < wordBits; bit++) {
          if ((words[i] & (1 << bit)) === 0) continue
          if (base + bit !== end) {
            if (first >= 0) yield { first, last: end - 1 }
            first = base + bit
          }
          end = base + bit + 1
        }
      }
    }
    if (first >= 0) yield { first, last: end - 1 }
  }
}

const emptyPage = (): Page => ({ words: new Uint32Array(pageBits / wordBits), count: 0 })
