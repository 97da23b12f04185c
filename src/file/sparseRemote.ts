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
import { ReadOutOfBounds } from "../bytes/errors.ts"
import type { InvalidArgument, SourceFailed } from "../bytes/errors.ts"
import type { Binding, Extent } from "../bytes/extent.ts"
import type { PhysicalOffset, VirtualOffset } from "../bytes/offset.ts"
import { checkRange } from "../bytes/offset.ts"
import { checkBatch, readBuffers, runBuffer, type RunRange } from "../bytes/readBuffer.ts"
import { attempt } from "../io/attempt.ts"
import { bindingsIn, pageOfCells } from "./offmapWalks.ts"
import type { OffmapRemote } from "./offmapRemote.ts"
import type { RemoteData } from "./remoteData.ts"
import {
  type RemoteLookupError,
  type RemoteReadError,
  RemoteRuns,
  type RemoteRunsOptions,
  type RunPart
} from "./remoteRuns.ts"

export type { RemoteLookupError, RemoteReadError } from "./remoteRuns.ts"

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

/** Reads of the data under way at once. */
const readsAtOnce = 16

export class SparseRemote<E> implements SparseRemoteReader<E> {
  readonly mapBytes: number
  private readonly data: RemoteData<E>
  private readonly map: OffmapRemote<E | SourceFailed>
  private readonly runs: RemoteRuns<E>

  constructor(options: RemoteRunsOptions<E> & { readonly mapBytes: number }) {
    this.data = options.data
    this.map = options.map
    this.mapBytes = options.mapBytes
    this.runs = new RemoteRuns(options)
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
    return Effect.flatMap(this.runs.whole(offset, buffer.length), ({ parts }) =>
      this.readParts(parts, buffer)
    )
  }

  readMany(
    offsets: ArrayLike<number>,
    lengths: ArrayLike<number>
  ): Effect.Effect<Array<Uint8Array>, RemoteReadError<E>> {
    return Effect.gen({ self: this }, function* () {
      const batch = { operation: "readMany", offsets, lengths }
      yield* attempt<void, InvalidArgument>(() => checkBatch(batch))
      const atOnce = { concurrency: readsAtOnce }
      const find = (offset: number, i: number) => this.runs.whole(offset, lengths[i])
      const runs = yield* Effect.forEach(Array.from(offsets), find, atOnce)
      // All of them are there: memory may be asked for.
      const buffers = yield* attempt<Array<Uint8Array>, InvalidArgument>(() =>
        readBuffers({ ...batch, checkReadable: () => undefined })
      )
      yield* Effect.forEach(runs, ({ parts }, i) => this.readParts(parts, buffers[i]), {
        ...atOnce,
        discard: true
      })
      return buffers
    })
  }

  readRange(offset: number, range: RunRange): Effect.Effect<Uint8Array, RemoteReadError<E>> {
    return Effect.gen({ self: this }, function* () {
      const run = yield* this.runs.from(offset, range.maxLength)
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
    return this.runs.next(offset)
  }

  extents(): Stream.Stream<Extent, RemoteLookupError<E>> {
    const { cells } = this.map.map
    return Stream.paginate(0, (begin) => {
      const range = pageOfCells(begin, cells)
      const next = range.end < cells ? Option.some(range.end) : Option.none<number>()
      return Effect.map(
        this.map.ask((map) => bindingsIn(map, range)),
        (bindings) => [extentsOf(bindings), next] as const
      )
    })
  }

  private readParts(parts: ReadonlyArray<RunPart>, buffer: Uint8Array) {
    return Effect.forEach(
      parts,
      ({ at, length, physical }) => this.data.read(physical, buffer.subarray(at, at + length)),
      { concurrency: readsAtOnce, discard: true }
    )
  }
}

const extentsOf = (bindings: ReadonlyArray<Binding>): Array<Extent> =>
  bindings.flatMap(({ length, virtual }) => (length > 0 ? [{ offset: virtual, length }] : []))
