/**
 * A set of digests, numbers from 0 to 2^53-1: tens of millions in 16 bytes each.
 */
export class DigestSet {
  size = 0
  /** Open addressing; a digest is stored as itself plus 1, and 0 is a free place. */
  private places = new Float64Array(1024)

  /** Whether it is new. */
  add(digest: number): boolean {
    if (this.size * 2 >= this.places.length) this.grow()
    const place = this.placeOf(digest)
    if (this.places[place] !== 0) return false
    this.places[place] = digest + 1
    this.size++
    return true
  }

  has(digest: number): boolean {
    return this.places[this.placeOf(digest)] !== 0
  }

  private placeOf(digest: number): number {
    const mask = this.places.length - 1
    let place = (digest >>> 0) & mask
    while (this.places[place] !== 0 && this.places[place] !== digest + 1) place = (place + 1) & mask
    return place
  }

  private grow(): void {
    const former = this.places
    this.places = new Float64Array(former.length * 2)
    for (const stored of former) if (stored !== 0) this.places[this.placeOf(stored - 1)] = stored
  }
}
