/**
 * Places, numbered from 0, that hold a page each or none, and a hash table that finds a page's place.
 *
 * Open addressing with linear probing, at most a quarter full, for lookups that mostly end at their
 * first probe. The table holds places only, 16 bytes a place; the pages are compared where they are. A
 * removal moves up what lies behind it, so there are no tombstones and nothing is ever rebuilt. Pages
 * are integers from 0 to 2^53-1. Only the constructor allocates.
 */

/** Stands where no page is: it equals none. */
const none = -1
const spread = 4

export class PageTable {
  /** By place; the one behind the last is always empty. */
  private readonly pages: Float64Array
  /** By hash; where there is nothing, the place behind the last. */
  private readonly table: Int32Array
  private readonly mask: number
  private readonly shift: number

  constructor(places: number) {
    const tableBits = Math.ceil(Math.log2(spread * places))
    this.pages = new Float64Array(places + 1).fill(none)
    this.table = new Int32Array(2 ** tableBits).fill(places)
    this.mask = 2 ** tableBits - 1
    this.shift = 32 - tableBits
  }

  /** The place that holds `page`, or -1. */
  find(page: number): number {
    const { mask, pages, table } = this
    for (let at = hash(page) >>> this.shift; ; at = (at + 1) & mask) {
      const place = table[at]
      const found = pages[place]
      if (found === page) return place
      if (found === none) return -1
    }
  }

  /** The page that `place` holds, or -1. */
  at(place: number): number {
    return this.pages[place]
  }

  /** Lets `place`, which must be empty, hold `page`, which must be absent. */
  put(place: number, page: number): void {
    const { mask, table } = this
    const nowhere = this.pages.length - 1
    let at = hash(page) >>> this.shift
    while (table[at] !== nowhere) at = (at + 1) & mask
    table[at] = place
    this.pages[place] = page
  }

  /** Empties `place`, if it is not empty. Gives the page that it held, or -1. */
  empty(place: number): number {
    const { mask, pages, shift, table } = this
    const nowhere = pages.length - 1
    const page = pages[place]
    if (page === none) return none
    let hole = hash(page) >>> shift
    while (table[hole] !== place) hole = (hole + 1) & mask
    for (let at = (hole + 1) & mask; table[at] !== nowhere; at = (at + 1) & mask) {
      const home = hash(pages[table[at]]) >>> shift
      // Before its home no lookup would see it.
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      table[hole] = table[at]
      hole = at
    }
    table[hole] = nowhere
    pages[place] = none
    return page
  }
}

/** Its upper bits depend on all 53 of the page. Pages in a row are spread evenly: 2^32 over the golden ratio. */
const hash = (page: number): number =>
  Math.imul((page | 0) ^ Math.imul((page * 2 ** -32) | 0, 0x85ebca6b), 0x9e3779b1)
