/**
 * The bytes of a file on a disk that may lose power: pages, shared by all states in which they are
 * the same, and copied when one of them is written to.
 *
 * A copy costs a list of pages, and a digest only the pages that changed: states by the million are
 * made of a few pages each.
 */
import { mixed } from "./random.ts"

const pageBytes = 4096

interface Page {
  readonly bytes: Uint8Array
  /** Known until the page is written to. */
  digest: Digest | undefined
}

/** Two numbers of 32 bits that are different, but for a chance in 2^64, where the bytes are. */
export interface Digest {
  readonly a: number
  readonly b: number
}

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))

/** Of a page of zeros it is 0: a page that isn't there and one that is all zeros are the same bytes. */
const pageDigest = ({ buffer, byteOffset, length }: Uint8Array): Digest => {
  const words = new Int32Array(buffer, byteOffset, length >> 2)
  let any = 0
  let a = 0x1b873593
  let b = 0x2545f491
  for (let i = 0; i < words.length; i++) {
    const word = words[i]
    any |= word
    a = Math.imul(rotate(a ^ Math.imul(word, 0x5bd1e995), 13), 5) + 0x6b64e654
    b = Math.imul(b ^ word, 0x01000193) + rotate(b, 7)
  }
  return any === 0 ? { a: 0, b: 0 } : { a: a | 0, b: b | 0 }
}

export class CrashContent {
  private readonly pages: Map<number, Page>
  /** Pages that nobody else has. */
  private own = new Set<Page>()
  private known: Digest | undefined
  private length: number

  constructor(pages: Map<number, Page> = new Map(), size = 0) {
    this.pages = pages
    this.length = size
  }

  get size(): number {
    return this.length
  }

  /** The same bytes, to be changed on their own. */
  copy(): CrashContent {
    this.own = new Set()
    return new CrashContent(new Map(this.pages), this.length)
  }

  read(buffer: Uint8Array, start: number, length: number, offset: number): number {
    const total = Math.max(0, Math.min(length, this.length - offset))
    for (let at = 0; at < total;) {
      const index = Math.floor((offset + at) / pageBytes)
      const from = offset + at - index * pageBytes
      const count = Math.min(pageBytes - from, total - at)
      const page = this.pages.get(index)
      if (page === undefined) buffer.fill(0, start + at, start + at + count)
      else buffer.set(page.bytes.subarray(from, from + count), start + at)
      at += count
    }
    return total
  }

  /** Puts bytes in their place, and leaves the size as it is: it may not reach that far. */
  put(bytes: Uint8Array, offset: number): void {
    this.known = undefined
    for (let at = 0; at < bytes.length;) {
      const index = Math.floor((offset + at) / pageBytes)
      const from = offset + at - index * pageBytes
      const count = Math.min(pageBytes - from, bytes.length - at)
      this.ownPage(index).bytes.set(bytes.subarray(at, at + count), from)
      at += count
    }
  }

  /** Whether these bytes are there, or zeros where nothing is. */
  has(bytes: Uint8Array, offset: number): boolean {
    for (let at = 0; at < bytes.length; at++) {
      const index = Math.floor((offset + at) / pageBytes)
      if ((this.pages.get(index)?.bytes[offset + at - index * pageBytes] ?? 0) !== bytes[at]) return false
    }
    return true
  }

  /** Changes the size. Nothing but zeros is beyond it afterwards. */
  resize(size: number): void {
    this.known = undefined
    this.length = size
    this.clear(size, Infinity)
  }

  /** Zeroes `[from, to)`. */
  clear(from: number, to: number): void {
    this.known = undefined
    for (const index of [...this.pages.keys()]) {
      const start = index * pageBytes
      if (start >= to || start + pageBytes <= from) continue
      if (start >= from && start + pageBytes <= to) this.pages.delete(index)
      else this.ownPage(index).bytes.fill(0, Math.max(0, from - start), Math.min(pageBytes, to - start))
    }
  }

  /** Of the size and all bytes. */
  digest(): Digest {
    if (this.known !== undefined) return this.known
    let a = mixed(this.length | 0)
    let b = mixed(Math.floor(this.length / 2 ** 32) ^ a)
    for (const [index, page] of this.pages) {
      page.digest ??= pageDigest(page.bytes)
      if (page.digest.a === 0 && page.digest.b === 0) continue
      // The order of the pages in their list says nothing.
      const place = mixed(index + 0x9e3779b9)
      a = (a + Math.imul(mixed(page.digest.a ^ place), 0x2c1b3c6d)) | 0
      b = (b + mixed(page.digest.b + place)) | 0
    }
    this.known = { a, b }
    return this.known
  }

  private ownPage(index: number): Page {
    const found = this.pages.get(index)
    if (found !== undefined && this.own.has(found)) {
      found.digest = undefined
      return found
    }
    const page: Page = {
      bytes: found === undefined ? new Uint8Array(pageBytes) : found.bytes.slice(),
      digest: undefined
    }
    this.pages.set(index, page)
    this.own.add(page)
    return page
  }
}
