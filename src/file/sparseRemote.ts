/**
 * A sparse file that lies elsewhere: data and map behind reads of ranges, read at virtual offsets without
 * either being downloaded.
 *
 * Opening it fetches the map's header and index, a lookup a page of the map (two where it falls between), and
 * a read the bytes it asks for. What the two sources keep is their business: a `SparseIo` keeps all that it
 * fetched. Its answers are those of `SparseFileReader`, but its lookups are Effects. The map is verified always,
 * the data with `verifyReads`, in whole blocks of 64 KiB each time.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Corrupt, InvalidSparseRead, ReadOutOfBounds } from "../bytes/errors.ts"
import type { InvalidArgument, SourceFailed } from "../bytes/errors.ts"
import type { Binding, Extent } from "../bytes/extent.ts"
import type { PhysicalOffset, VirtualOffset } from "../bytes/offset.ts"
import { checkOffset, checkRange } from "../bytes/offset.ts"
import { readBuffers, runBuffer, type RunRange } from "../bytes/readBuffer.ts"
import { cellsPerPage } from "../format/offmapCell.ts"
import { attempt } from "../io/attempt.ts"
import { bindingsIn, nextCoveredIn } from "./offmapWalks.ts"
import type { OffmapRemote } from "./offmapRemote.ts"
import type { RemoteData } from "./remoteData.ts"

export type RemoteLookupError<E> = E | Corrupt | InvalidArgument | SourceFailed
export type RemoteReadError<E> = RemoteLookupError<E> | InvalidSparseRead | ReadOutOfBounds

export interface SparseRemoteReader<out E> {
  /** What errors call the data. */
  readonly path: string
  /** The length of the data in bytes. */
  readonly dataLength: number
  /** The size of the map's file in bytes, checksums included. */
  readonly mapBytes: number
  /** The number of bindings. */
  readonly size: number
  /** The physical offset that is bound to exactly this offset (the start of an extent, or a point), or undefined. */
  readonly mapFind: (offset: VirtualOffset) => Effect.Effect<PhysicalOffset | undefined, RemoteLookupError<E>>
  /** The binding that covers this offset, be it its start or its middle, or undefined. */
  readonly locate: (offset: VirtualOffset) => Effect.Effect<Binding | undefined, RemoteLookupError<E>>
  /**
   * Fills `buffer` from `offset`. `InvalidSparseRead` when the first byte was not kept;
   * `ReadOutOfBounds`, with its end, when the run that begins there is shorter.
   */
  readonly read: (offset: VirtualOffset, buffer: Uint8Array) => Effect.Effect<void, RemoteReadError<E>>
  /** Reads many ranges, all or none: `lengths[i]` bytes at `offsets[i]`. Some are under way at once. */
  readonly readMany: (
    offsets: ArrayLike<VirtualOffset>,
    lengths: ArrayLike<number>
  ) => Effect.Effect<Array<Uint8Array>, RemoteReadError<E>>
  /** Reads from `offset` up to the end of the run there, at most `maxLength` bytes. */
  readonly readRange: (
    offset: VirtualOffset,
    range: RunRange
  ) => Effect.Effect<Uint8Array, RemoteReadError<E>>
  /** Fills `buffer` from a physical offset. */
  readonly readPhysical: (
    physical: PhysicalOffset,
    buffer: Uint8Array
  ) => Effect.Effect<void, RemoteLookupError<E> | ReadOutOfBounds>
  /** The smallest readable offset at or after this one, or undefined. */
  readonly nextValidOffset: (
    offset: VirtualOffset
  ) => Effect.Effect<VirtualOffset | undefined, RemoteLookupError<E>>
  /** The extents as they are bound, ascending. Points are passed over. */
  readonly extents: () => Stream.Stream<Extent, RemoteLookupError<E>>
}

/** A piece of a run, back to back in the data. */
interface Part {
  readonly physical: number
  /** How far behind the beginning of what is read. */
  readonly at: number
  readonly length: number
}

/** What of a range can be read without a break. */
interface Run {
  readonly parts: Array<Part>
  readonly end: number
}

/** Bindings that one lookup follows before it is a new one, and has nothing to repeat. */
const bindingsPerLookup = 64
/** Reads of the data under way at once. */
const readsAtOnce = 16

export class SparseRemote<E> implements SparseRemoteReader<E> {
  readonly mapBytes: number
  private readonly data: RemoteData<E>
  private readonly map: OffmapRemote<E | SourceFailed>

  constructor(parts: {
    readonly data: RemoteData<E>
    readonly map: OffmapRemote<E | SourceFailed>
    readonly mapBytes: number
  }) {
    this.data = parts.data
    this.map = parts.map
    this.mapBytes = parts.mapBytes
  }

  get path(): string {
    return this.data.name
  }

  get dataLength(): number {
    return this.data.length
  }

  get size(): number {
    return this.map.map.size
  }

  mapFind(offset: number): Effect.Effect<number | undefined, RemoteLookupError<E>> {
    return this.map.ask((map) => map.find(offset))
  }

  locate(offset: number): Effect.Effect<Binding | undefined, RemoteLookupError<E>> {
    return this.map.ask((map) => map.locate(offset))
  }

  read(offset: number, buffer: Uint8Array): Effect.Effect<void, RemoteReadError<E>> {
    return Effect.gen({ self: this }, function* () {
      const { parts } = yield* this.wholeRun(offset, buffer.length)
      yield* this.readParts(parts, buffer)
    })
  }

  readMany(
    offsets: ArrayLike<number>,
    lengths: ArrayLike<number>
  ): Effect.Effect<Array<Uint8Array>, RemoteReadError<E>> {
    return Effect.gen({ self: this }, function* () {
      const runs: Array<Run> = []
      for (let i = 0; i < Math.min(offsets.length, lengths.length); i++) {
        runs.push(yield* this.wholeRun(offsets[i], lengths[i]))
      }
      const buffers = yield* attempt<Array<Uint8Array>, InvalidArgument>(() =>
        readBuffers({ operation: "readMany", offsets, lengths, checkReadable: () => undefined })
      )
      yield* Effect.forEach(runs, ({ parts }, i) => this.readParts(parts, buffers[i]), {
        concurrency: readsAtOnce,
        discard: true
      })
      return buffers
    })
  }

  readRange(offset: number, range: RunRange): Effect.Effect<Uint8Array, RemoteReadError<E>> {
    return Effect.gen({ self: this }, function* () {
      yield* attempt<void, InvalidArgument>(() => checkRange("readRange", offset, range.maxLength))
      const run: Run =
        range.maxLength === 0 ? { parts: [], end: offset } : yield* this.run(offset, range.maxLength)
      const buffer = yield* attempt<Uint8Array, InvalidArgument | ReadOutOfBounds>(() =>
        runBuffer({ ...range, path: this.path, offset, runEnd: () => run.end })
      )
      yield* this.readParts(run.parts, buffer)
      return buffer
    })
  }

  readPhysical(
    physical: number,
    buffer: Uint8Array
  ): Effect.Effect<void, RemoteLookupError<E> | ReadOutOfBounds> {
    return Effect.gen({ self: this }, function* () {
      const { length } = buffer
      yield* attempt<void, InvalidArgument>(() => checkRange("readPhysical", physical, length))
      if (physical + length > this.dataLength) {
        return yield* new ReadOutOfBounds({ path: this.path, offset: physical, length, end: this.dataLength })
      }
      yield* this.data.read(physical, buffer)
    })
  }

  nextValidOffset(offset: number): Effect.Effect<number | undefined, RemoteLookupError<E>> {
    return Effect.gen({ self: this }, function* () {
      yield* attempt<void, InvalidArgument>(() => checkOffset("nextValidOffset", "offset", offset))
      const { cells, first, last } = this.map.map
      if (cells === 0 || offset > last) return undefined
      // A page at a time: a walk over points may go through more pages than are ever here at once.
      let begin = yield* this.map.ask((map) => map.cellOf(Math.max(offset, first)))
      while (begin < cells) {
        const range = { begin, end: pageEnd(begin, cells) }
        const found = yield* this.map.ask((map) => nextCoveredIn(map, offset, range))
        if (found !== undefined) return found
        begin = range.end
      }
      return undefined
    })
  }

  extents(): Stream.Stream<Extent, RemoteLookupError<E>> {
    const { cells } = this.map.map
    return Stream.paginate(0, (begin) => {
      const range = { begin, end: pageEnd(begin, cells) }
      const next = range.end < cells ? Option.some(range.end) : Option.none<number>()
      return Effect.map(
        this.map.ask((map) => bindingsIn(map, range)),
        (bindings) => [extentsOf(bindings), next] as const
      )
    })
  }

  private readParts(parts: ReadonlyArray<Part>, buffer: Uint8Array) {
    return Effect.forEach(
      parts,
      ({ at, length, physical }) => this.data.read(physical, buffer.subarray(at, at + length)),
      { concurrency: readsAtOnce, discard: true }
    )
  }

  /** A run that must hold all of a range. */
  private wholeRun(offset: number, length: number): Effect.Effect<Run, RemoteReadError<E>> {
    return Effect.gen({ self: this }, function* () {
      yield* attempt<void, InvalidArgument>(() => checkRange("read", offset, length))
      if (length === 0) return { parts: [], end: offset }
      const run = yield* this.run(offset, length)
      if (run.end === offset + length) return run
      return yield* new ReadOutOfBounds({ path: this.path, offset, length, end: run.end })
    })
  }

  /** The run that begins at `offset`, as far as `atMost` bytes of it, which are some. */
  private run(offset: number, atMost: number): Effect.Effect<Run, RemoteReadError<E>> {
    return Effect.gen({ self: this }, function* () {
      const run = { parts: new Array<Part>(), end: offset }
      const limit = offset + atMost
      while (run.end < limit) {
        const bindings = yield* this.map.ask((map) => bindingsFrom(map, run.end, limit))
        for (const binding of bindings) {
          const fault = this.beyondData(binding)
          if (fault !== undefined) return yield* fault
          append(run, { binding, offset, limit })
        }
        if (bindings.length < bindingsPerLookup) break
      }
      return run.end === offset ? yield* this.notKept(offset) : run
    })
  }

  private notKept(offset: number): Effect.Effect<never, RemoteReadError<E>> {
    return Effect.gen({ self: this }, function* () {
      const next = yield* this.nextValidOffset(offset)
      const first = next === undefined ? undefined : yield* this.nextValidOffset(0)
      const reason = next === undefined ? "after" : next === first ? "before" : "hole"
      return yield* new InvalidSparseRead({ path: this.path, offset, reason })
    })
  }

  private beyondData({ length, physical, virtual }: Binding): Corrupt | undefined {
    if (physical + length <= this.dataLength) return undefined
    const reason = `the binding of ${length} bytes at ${virtual} reaches beyond the data`
    return new Corrupt({ path: this.map.name, offset: 0, reason })
  }
}

/** Adds what lies within the limit of a binding that goes on where the run ends. */
const append = (
  run: { parts: Array<Part>; end: number },
  { binding, limit, offset }: { readonly binding: Binding; readonly limit: number; readonly offset: number }
): void => {
  const into = run.end - binding.virtual
  const physical = binding.physical + into
  const length = Math.min(limit - run.end, binding.length - into)
  const before = run.parts.at(-1)
  if (before !== undefined && before.physical + before.length === physical) {
    run.parts[run.parts.length - 1] = { ...before, length: before.length + length }
  } else {
    run.parts.push({ physical, at: run.end - offset, length })
  }
  run.end += length
}

/** The bindings that cover a range without a break, from its beginning on: some of them. */
const bindingsFrom = (
  map: { locate(virtual: number): Binding | undefined },
  from: number,
  limit: number
): Array<Binding> => {
  const bindings: Array<Binding> = []
  for (let at = from; at < limit && bindings.length < bindingsPerLookup;) {
    const binding = map.locate(at)
    if (binding === undefined || binding.length === 0) break
    bindings.push(binding)
    at = binding.virtual + binding.length
  }
  return bindings
}

/** The cell behind the last one of a cell's page. */
const pageEnd = (cell: number, cells: number): number =>
  Math.min(cells, (Math.floor(cell / cellsPerPage) + 1) * cellsPerPage)

const extentsOf = (bindings: ReadonlyArray<Binding>): Array<Extent> =>
  bindings.flatMap(({ length, virtual }) => (length > 0 ? [{ offset: virtual, length }] : []))
