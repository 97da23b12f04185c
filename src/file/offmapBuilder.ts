/**
 * Building an offmap: bindings go in, in any order, and an image comes out.
 *
 * While bindings ascend they are encoded at once. Those that come out of order wait in a pile of 24
 * bytes each, and are sorted and merged in when the map is built.
 */
import { InvalidArgument } from "../bytes/errors.ts"
import type { PhysicalOffset, VirtualOffset } from "../bytes/offset.ts"
import { sortedOrder } from "../bytes/sortedOrder.ts"
import { OffmapWriter } from "../format/offmapWriter.ts"
import { OffmapTable } from "./offmapTable.ts"

/** Where a map that was built, and not read, says it comes from. */
const builtPath = "(a map in memory)"

export class OffmapBuilder {
  private ascending = new OffmapWriter()
  private pile = new BindingPile()

  /** The number of bindings added. */
  get size(): number {
    return this.ascending.size + this.pile.count
  }

  /**
   * Binds `length` bytes at `virtual` to the bytes at `physical`; without a length, the offset
   * itself alone (a point). Throws `InvalidArgument` on what is no offset, and on overlaps and
   * duplicates: of ascending bindings at once, of others when the map is built. `MemoryLimit` is
   * thrown beyond some 250 million bindings. Costs about 15 ns while bindings ascend.
   */
  add(virtual: VirtualOffset, physical: PhysicalOffset, length = 0): void {
    if (!this.ascending.addDense(virtual, physical, length)) this.addOther(virtual, physical, length)
  }

  /**
   * Adds binding after binding from three arrays of one length. The same as `add` for each, in a
   * fifth less time while they ascend; when it throws, those before the one it names have been added.
   */
  addMany(
    virtuals: ArrayLike<VirtualOffset>,
    physicals: ArrayLike<PhysicalOffset>,
    lengths: ArrayLike<number>
  ): void {
    const count = virtuals.length
    if (physicals.length !== count || lengths.length !== count) {
      throw new InvalidArgument({
        operation: "Offmap.addMany",
        reason: `${count} virtual offsets, ${physicals.length} physical ones and ${lengths.length} lengths`
      })
    }
    for (let i = 0; i < count;) {
      i = this.ascending.addCells(virtuals, physicals, lengths, i)
      if (i === count) return
      this.add(virtuals[i], physicals[i], lengths[i])
      i++
    }
  }

  private addOther(virtual: number, physical: number, length: number): void {
    if (!isBinding(virtual, physical, length)) throw invalidBinding(virtual, physical, length)
    const ascending = this.ascending
    if (virtual >= ascending.end) ascending.add(virtual, physical, length)
    else if (virtual >= ascending.lastStart) throw overlap(virtual, ascending.lastStart)
    else this.pile.add(virtual, physical, length)
  }

  /**
   * The map of everything added so far. More can be added afterwards; the map does not change. Throws
   * `InvalidArgument` where bindings that came out of order overlap, and `MemoryLimit` where the
   * bindings leave no room for their index.
   */
  build(): OffmapTable {
    if (this.pile.count > 0) {
      this.ascending = merge(this.ascending, this.pile)
      this.pile = new BindingPile()
    }
    const { header, image } = this.ascending.finish()
    return new OffmapTable(image, header, { path: builtPath, offset: 0 }, true)
  }
}

/** Bindings in the order in which they came. */
class BindingPile {
  count = 0
  #columns = [new Float64Array(64), new Float64Array(64), new Float64Array(64)]

  add(virtual: number, physical: number, length: number): void {
    if (this.count === this.#columns[0].length) {
      this.#columns = this.#columns.map((column) => {
        const grown = new Float64Array(column.length * 2)
        grown.set(column)
        return grown
      })
    }
    this.#columns[0][this.count] = virtual
    this.#columns[1][this.count] = physical
    this.#columns[2][this.count] = length
    this.count++
  }

  /** The three columns, ordered by virtual offset through `order`. */
  sorted(): { order: Uint32Array; virtual: Float64Array; physical: Float64Array; length: Float64Array } {
    const [virtual, physical, length] = this.#columns
    return { order: sortedOrder(virtual.subarray(0, this.count)), virtual, physical, length }
  }
}

const merge = (ascending: OffmapWriter, pile: BindingPile): OffmapWriter => {
  const merged = new OffmapWriter()
  const add = (virtual: number, physical: number, length: number) => {
    if (virtual < merged.end) throw overlap(virtual, merged.lastStart)
    if (!merged.addDense(virtual, physical, length)) merged.add(virtual, physical, length)
  }
  const { length, order, physical, virtual } = pile.sorted()
  let next = 0
  const addPileBelow = (limit: number) => {
    for (; next < order.length && virtual[order[next]] < limit; next++) {
      add(virtual[order[next]], physical[order[next]], length[order[next]])
    }
  }
  ascending.forEach((v, p, l) => {
    addPileBelow(v)
    add(v, p, l)
  })
  addPileBelow(Infinity)
  return merged
}

/** Whether both ranges are integers and end at most at 2^53-1.  */
const isBinding = (virtual: number, physical: number, length: number): boolean =>
  virtual >= 0 &&
  physical >= 0 &&
  length >= 0 &&
  virtual + length <= Number.MAX_SAFE_INTEGER &&
  physical + length <= Number.MAX_SAFE_INTEGER &&
  Math.floor(virtual) === virtual &&
  Math.floor(physical) === physical &&
  Math.floor(length) === length

const invalidBinding = (virtual: number, physical: number, length: number): InvalidArgument =>
  new InvalidArgument({
    operation: "Offmap.add",
    reason: `can't bind ${length} bytes at ${virtual} to ${physical}: offsets and lengths are integers, and ends at most 2^53-1`
  })

const overlap = (virtual: number, other: number): InvalidArgument =>
  new InvalidArgument({
    operation: "Offmap.add",
    reason: `the binding at ${virtual} overlaps the one at ${other}`
  })
