/**
 * The reference model of a store: for every virtual offset the byte that is there, or a hole, once as
 * it stands and once as it was committed. It is slow, and too simple to be wrong.
 *
 * States never change, each operation makes another one: a reader is whichever it saw last. There are
 * no chunks, files, checksums or fibers here.
 */
import type { Extent } from "../../bytes/extent.ts"

/** What an operation gave: a value, or the error's tag and, of a read that is too long, where it ends. */
export type StoreModelOutcome<A> = { readonly value: A } | StoreModelFailure

export interface StoreModelFailure {
  readonly failure: string
  readonly end?: number
}

/** What a collection gives that doesn't depend on files. */
export interface StoreModelCollected {
  readonly generation: number
  readonly upTo: number
  readonly extentsGiven: number
  readonly extents: number
  readonly bytesKept: number
  readonly bytesFreed: number
}

const hole = -1

const isOffset = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 2 ** 53 - 1

const invalid: StoreModelFailure = { failure: "InvalidArgument" }

/** The maximal runs of offsets at which `holds`, ascending. */
const runsWhere = (end: number, holds: (offset: number) => boolean): Array<Extent> => {
  const runs: Array<Extent> = []
  let start = -1
  for (let offset = 0; offset <= end; offset++) {
    const inside = offset < end && holds(offset)
    if (inside && start < 0) start = offset
    if (!inside && start >= 0) {
      runs.push({ offset: start, length: offset - start })
      start = -1
    }
  }
  return runs
}

/** What a store contains at some moment. */
export class StoreModelState {
  /** The byte at every offset up to the end, -1 where there is none any more. */
  readonly bytes: ReadonlyArray<number>
  readonly suffixStart: number
  readonly generation: number

  constructor(bytes: ReadonlyArray<number>, suffixStart: number, generation: number) {
    this.bytes = bytes
    this.suffixStart = suffixStart
    this.generation = generation
  }

  get end(): number {
    return this.bytes.length
  }

  appended(bytes: Uint8Array): StoreModelState {
    return new StoreModelState(this.bytes.concat(Array.from(bytes)), this.suffixStart, this.generation)
  }

  /** Everything from `upTo` on, and of what lies before it, what is live. */
  collected(live: ReadonlyArray<Extent>, upTo: number): StoreModelState {
    const isLive = this.named(live, upTo)
    const kept = this.bytes.map((byte, offset) => (offset >= upTo || isLive[offset] ? byte : hole))
    return new StoreModelState(kept, upTo, this.generation + 1)
  }

  /** The maximal runs of readable bytes, ascending. */
  extents(): Array<Extent> {
    return runsWhere(this.end, (offset) => this.bytes[offset] !== hole)
  }

  /** The maximal runs of `live` before `upTo`. */
  united(live: ReadonlyArray<Extent>, upTo: number): Array<Extent> {
    const isLive = this.named(live, upTo)
    return runsWhere(upTo, (offset) => isLive[offset])
  }

  read(offset: number, length: number): StoreModelOutcome<Uint8Array> {
    if (!isOffset(offset) || !isOffset(length) || !isOffset(offset + length)) return invalid
    if (length === 0 && offset <= this.end) return { value: new Uint8Array(0) }
    if (offset >= this.end) return { failure: "ReadOutOfBounds", end: this.end }
    if (this.bytes[offset] === hole) return { failure: "InvalidSparseRead" }
    let end = offset
    while (end < this.end && end < offset + length && this.bytes[end] !== hole) end++
    if (end < offset + length) return { failure: "ReadOutOfBounds", end }
    return { value: Uint8Array.from(this.bytes.slice(offset, end)) }
  }

  /** The number of readable bytes before `offset`. */
  readableBefore(offset: number): number {
    return this.bytes.slice(0, offset).filter((byte) => byte !== hole).length
  }

  private named(live: ReadonlyArray<Extent>, upTo: number): Array<boolean> {
    const isLive = new Array<boolean>(upTo).fill(false)
    for (const { length, offset } of live) isLive.fill(true, offset, offset + length)
    return isLive
  }
}

const emptyState = new StoreModelState([], 0, 0)

/** A store's one writer, and what is on its disk. */
export class StoreModel {
  /** With what was appended since the last commit. */
  now: StoreModelState = emptyState
  /** What readers see, and what is found after a crash. */
  committed: StoreModelState = emptyState

  get end(): number {
    return this.now.end
  }

  get committedEnd(): number {
    return this.committed.end
  }

  get suffixStart(): number {
    return this.committed.suffixStart
  }

  get generation(): number {
    return this.committed.generation
  }

  append(bytes: Uint8Array): number {
    return this.appendAll([bytes])
  }

  appendAll(records: ReadonlyArray<Uint8Array>): number {
    const offset = this.end
    for (const record of records) this.now = this.now.appended(record)
    return offset
  }

  commit(): void {
    this.committed = this.now
  }

  rollback(): void {
    this.now = this.committed
  }

  split(): void {
    this.commit()
  }

  /** The writer goes without a commit, and another one comes. */
  reopen(): void {
    this.rollback()
  }

  reader(): StoreModelReader {
    return new StoreModelReader(this)
  }

  read(offset: number, length: number): StoreModelOutcome<Uint8Array> {
    return this.now.read(offset, length)
  }

  extents(): Array<Extent> {
    return this.now.extents()
  }

  /** What a dry run tells. */
  collectDry(live: ReadonlyArray<Extent>, upTo: number): StoreModelOutcome<StoreModelCollected> {
    const { committed } = this
    if (!isOffset(upTo) || upTo < committed.suffixStart || upTo > committed.end) return invalid
    const areExtents = live.every(({ length, offset }) => [offset, length, offset + length].every(isOffset))
    if (!areExtents) return invalid
    const united = committed.united(live, upTo)
    for (const { length, offset } of united) {
      const found = committed.read(offset, length)
      if ("failure" in found) return found
    }
    const bytesKept = united.reduce((sum, { length }) => sum + length, 0)
    return {
      value: {
        generation: committed.generation + 1,
        upTo,
        extentsGiven: live.length,
        extents: united.length,
        bytesKept,
        bytesFreed: committed.readableBefore(upTo) - bytesKept
      }
    }
  }

  /** Commits nothing: what was appended since stays as uncommitted as it was. */
  collect(live: ReadonlyArray<Extent>, upTo: number): StoreModelOutcome<StoreModelCollected> {
    const outcome = this.collectDry(live, upTo)
    if ("value" in outcome) {
      this.now = this.now.collected(live, upTo)
      this.committed = this.committed.collected(live, upTo)
    }
    return outcome
  }
}

/** A read-only instance: what was committed when it was opened, or refreshed last. */
export class StoreModelReader {
  seen: StoreModelState
  private readonly model: StoreModel

  constructor(model: StoreModel) {
    this.model = model
    this.seen = model.committed
  }

  refresh(): void {
    this.seen = this.model.committed
  }

  read(offset: number, length: number): StoreModelOutcome<Uint8Array> {
    return this.seen.read(offset, length)
  }

  extents(): Array<Extent> {
    return this.seen.extents()
  }
}
