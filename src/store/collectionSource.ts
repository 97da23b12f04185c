/**
 * What a collection copies from: the committed bytes below its `upTo`, at their virtual offsets.
 *
 * Every block of 64 KiB that holds live bytes is verified, and what is copied are the bytes that were
 * verified: damage is found, and never passed on. What is read can't change meanwhile: the prefix is
 * finished, and the chunks are sealed.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Corrupt } from "../bytes/errors.ts"
import type { VirtualOffset } from "../bytes/offset.ts"
import type { OffmapSearch } from "../file/offmapSearch.ts"
import { loadSums, openFinishedSparseFile } from "../file/sparseOpening.ts"
import { sparsePaths } from "../file/sparsePaths.ts"
import type { SparseSource } from "../file/sparseSource.ts"
import { VerifiedBlocks } from "../file/verifiedBlocks.ts"
import type { IoService } from "../io/Io.ts"
import type { PrefixOpenError } from "./prefix.ts"
import type { StoreState } from "./storeState.ts"

/** Bytes that are copied in the time that an extent of its own takes. */
const gapBytes = 512

interface SourcePrefix {
  readonly map: OffmapSearch
  readonly mapPath: string
  readonly data: VerifiedBlocks
}

interface SourceChunk {
  readonly offset: VirtualOffset
  readonly end: VirtualOffset
  /** Makes what reads it, with a buffer of its own: when it is its turn, and not before. */
  readonly open: () => VerifiedBlocks
}

/** The chunks before `upTo` must be sealed. */
export const openCollectionSource = (
  io: IoService,
  state: StoreState,
  upTo: VirtualOffset
): Effect.Effect<SparseSource<Corrupt>, PrefixOpenError, Scope.Scope> =>
  Effect.gen(function* () {
    const prefix = yield* openSourcePrefix(io, state)
    const chunks: Array<SourceChunk> = []
    for (const chunk of state.chunks) {
      if (chunk.offset >= upTo) break
      const { end, length, offset } = chunk
      const [file, sums] = [chunk.file!, chunk.sums!]
      chunks.push({ offset, end, open: () => new VerifiedBlocks({ file, length, sums }) })
    }
    const source = new CollectionSource(prefix, chunks, state.suffixStart)
    const readAt = (offset: number, buffer: Uint8Array): void => source.readAt(offset, buffer)
    return { path: state.directory, size: Effect.succeed(upTo), unsafe: { readAt }, gapBytes }
  })

const openSourcePrefix = (
  io: IoService,
  state: StoreState
): Effect.Effect<SourcePrefix | undefined, PrefixOpenError, Scope.Scope> =>
  Effect.gen(function* () {
    if (state.prefix === undefined) return undefined
    const opened = yield* openFinishedSparseFile(io, sparsePaths(state.prefix.reader.path))
    const { data: file, dataLength: length, map, mapFile } = opened
    const sums = yield* loadSums(opened)
    return { map, mapPath: mapFile.path, data: new VerifiedBlocks({ file, length, sums }) }
  })

class CollectionSource {
  private readonly prefix: SourcePrefix | undefined
  private readonly chunks: ReadonlyArray<SourceChunk>
  private readonly suffixStart: VirtualOffset
  /** The chunk that was read from last: reads ascend. */
  private chunk = 0
  private opened: VerifiedBlocks | undefined

  constructor(
    prefix: SourcePrefix | undefined,
    chunks: ReadonlyArray<SourceChunk>,
    suffixStart: VirtualOffset
  ) {
    this.prefix = prefix
    this.chunks = chunks
    this.suffixStart = suffixStart
  }

  /** Fills `buffer`, except for what is in no extent of the prefix, which stays as it is. */
  readAt(start: VirtualOffset, buffer: Uint8Array): void {
    for (let at = 0; at < buffer.length;) {
      at += this.readPart(start + at, buffer, at)
    }
  }

  /** Reads what lies together from `offset` on, or passes over a hole, and gives its length. */
  private readPart(offset: VirtualOffset, buffer: Uint8Array, at: number): number {
    return offset >= this.suffixStart
      ? this.readChunk(offset, buffer, at)
      : this.readPrefix(offset, buffer, at)
  }

  private readChunk(offset: VirtualOffset, buffer: Uint8Array, at: number): number {
    while (this.chunks[this.chunk].end <= offset) {
      this.chunk++
      this.opened = undefined
    }
    const { end, offset: start, open } = this.chunks[this.chunk]
    const count = Math.min(buffer.length - at, end - offset)
    this.opened ??= open()
    this.opened.copy(offset - start, buffer, at, count)
    return count
  }

  private readPrefix(offset: VirtualOffset, buffer: Uint8Array, at: number): number {
    const atMost = Math.min(buffer.length - at, this.suffixStart - offset)
    // There is one wherever the suffix doesn't begin at 0: the format demands it.
    const { data, map, mapPath } = this.prefix!
    const binding = map.locate(offset)
    if (binding === undefined) return Math.min(atMost, (map.next(offset) ?? this.suffixStart) - offset)
    const into = offset - binding.virtual
    const count = Math.min(atMost, binding.length - into)
    const physical = binding.physical + into
    if (count === 0 || physical + count > data.length) {
      // Only a map that no collection made can say so: its checksums hold.
      const reason = `the binding of ${binding.length} bytes at ${binding.virtual} reaches beyond the data`
      throw new Corrupt({ path: mapPath, offset: 0, reason })
    }
    data.copy(physical, buffer, at, count)
    return count
  }
}
