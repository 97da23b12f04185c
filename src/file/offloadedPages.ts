/**
 * Pages: the memory that leaves keep their entries in.
 *
 * They are cut from larger pieces, which the system aligns: so a leaf lies in one page of its, and to come
 * to it costs one wait for where that page is, not two. A page that is given back is used again. Whoever
 * gives one back must be the only one who has it.
 */

/** The numbers in a page: 4 KiB. */
export const pageNumbers = 512
/** The most pages that are made at once: as many as there are already, so that small files stay small. */
const mostPages = 64

export class EntryPages {
  private free: Array<Float64Array> = []
  private made = 0

  take(): Float64Array {
    if (this.free.length === 0) this.make()
    return this.free.pop() as Float64Array
  }

  private make(): void {
    const count = Math.min(mostPages, Math.max(1, this.made))
    const { buffer } = new Float64Array(count * pageNumbers)
    for (let page = count - 1; page >= 0; page--) {
      this.free.push(new Float64Array(buffer, page * pageNumbers * 8, pageNumbers))
    }
    this.made += count
  }

  /** Takes a page back, where so many are in use. Far more than that are not kept. */
  give(page: Float64Array, inUse: number): void {
    this.free.push(page)
    if (this.free.length > inUse + mostPages) {
      this.free = []
      this.made = inUse
    }
  }
}
