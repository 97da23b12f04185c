/**
 * Chunks in the order in which they were asked for. Any of them may leave at any time.
 *
 * All of it takes constant time, amortized: a `Set` alone forgets those that left only now and then, and passes all of them
 * on the way to the eldest.
 */
export class ChunkQueue {
  private readonly members = new Set<number>()
  /** In order; those that left are in it too, until they are passed. */
  private order: Array<number> = []
  private head = 0

  get size(): number {
    return this.members.size
  }

  has(index: number): boolean {
    return this.members.has(index)
  }

  /** One that left and comes again may get the place that it had. */
  add(index: number): void {
    if (this.members.has(index)) return
    this.members.add(index)
    this.order.push(index)
  }

  /** Whether it was there. */
  delete(index: number): boolean {
    const { members } = this
    if (!members.delete(index)) return false
    if (this.order.length > 2 * members.size + slack) {
      this.order = [...members]
      this.head = 0
    }
    return true
  }

  /** The one that has queued longest, if there is one. */
  eldest(): number | undefined {
    const { members, order } = this
    if (members.size === 0) return undefined
    while (!members.has(order[this.head]!)) this.head++
    return order[this.head]
  }

  all(): ReadonlyArray<number> {
    return [...this.members]
  }
}

/** Places of those that left, as many as may be kept however few are there. */
const slack = 64
