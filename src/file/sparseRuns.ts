/**
 * Runs: what can be read without a break in virtual space, over however many extents. Offsets are checked by
 * whoever asks.
 */
import { Corrupt, InvalidSparseRead, ReadOutOfBounds } from "../bytes/errors.ts"
import type { Binding } from "../bytes/extent.ts"
import type { OffmapSearch } from "./offmapSearch.ts"
import type { FixedData } from "./fixedData.ts"

export interface SparseRunsOptions {
  readonly data: FixedData
  readonly map: OffmapSearch
  readonly mapPath: string
}

export class SparseRuns {
  private readonly map: OffmapSearch
  private readonly mapPath: string
  private readonly path: string
  private readonly dataLength: number

  constructor({ data, map, mapPath }: SparseRunsOptions) {
    this.map = map
    this.mapPath = mapPath
    this.path = data.file.path
    this.dataLength = data.length
  }

  /** The physical pieces of a range that is covered. */
  *parts(offset: number, length: number) {
    for (let at = 0; at < length;) {
      const binding = this.covering(offset + at)!
      const into = offset + at - binding.virtual
      const count = Math.min(length - at, binding.length - into)
      yield { physical: binding.physical + into, at, length: count }
      at += count
    }
  }

  /** Throws unless the whole range can be read. */
  checkCovered(offset: number, length: number): void {
    const end = this.runEnd(offset, length)
    if (end < offset + length) {
      throw new ReadOutOfBounds({ path: this.path, offset, length, end })
    }
  }

  /** Where the run that `offset` lies in ends, or `offset + atMost` when it goes further. */
  runEnd(offset: number, atMost: number): number {
    let end = offset
    while (end - offset < atMost) {
      const binding = this.covering(end)
      if (binding === undefined) break
      end = binding.virtual + binding.length
    }
    if (end === offset) throw this.notKept(offset)
    return Math.min(end, offset + atMost)
  }

  /** The extent that covers `offset`. A point covers no byte. */
  private covering(offset: number): Binding | undefined {
    const binding = this.map.locate(offset)
    if (binding === undefined || binding.length === 0) return undefined
    if (binding.physical + binding.length > this.dataLength) throw this.beyondData(binding)
    return binding
  }

  private notKept(offset: number): InvalidSparseRead {
    const next = this.map.next(offset)
    const reason = next === undefined ? "after" : next === this.map.next(0) ? "before" : "hole"
    return new InvalidSparseRead({ path: this.path, offset, reason })
  }

  /** Only a map that no writer made can say so: its checksums hold. */
  beyondData(binding: Binding): Corrupt {
    const reason = `the binding of ${binding.length} bytes at ${binding.virtual} reaches beyond the data`
    return new Corrupt({ path: this.mapPath, offset: 0, reason })
  }
}
