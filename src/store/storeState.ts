/**
 * What an open store knows: the committed state, and what was appended since.
 *
 * What holds at every moment:
 * - Virtual space below `suffixStart` is answered by the prefix, from there to `end` by the chunks,
 *   which follow one another without a gap; the first may begin below `suffixStart`.
 * - Everything before `flushedEnd` is in files, the rest in `pending`, in the order of the appends.
 * - Every chunk that control names, `record.chunkLengths.length` of them, is among the first chunks
 *   here; those behind it are of no commit yet.
 * - Chunks are numbered as they follow one another, from `record.firstChunk` on.
 */
import * as Effect from "effect/Effect"
import { Closed, Poisoned } from "../bytes/errors.ts"
import type { VirtualOffset } from "../bytes/offset.ts"
import { AppendBuffer } from "../file/appendBuffer.ts"
import { type ControlRecord, controlEnd } from "../format/controlRecord.ts"
import { Chunk } from "./chunk.ts"
import type { OpenPrefix } from "./prefix.ts"
import type { KnownFiles, OpenFiles } from "./storeOpening.ts"
import type { StorePaths } from "./storePaths.ts"

export interface StoreStateOptions {
  readonly paths: StorePaths
  readonly readonly: boolean
  readonly verifyReads: boolean
  readonly autoFlushThreshold: number
  readonly record: ControlRecord
  readonly prefix: OpenPrefix | undefined
  readonly chunks: Array<Chunk>
}

/** What a collection leaves to be closed and removed. */
export interface RetiredFiles {
  readonly prefix: OpenPrefix | undefined
  readonly chunks: ReadonlyArray<Chunk>
  readonly paths: ReadonlyArray<string>
}

export class StoreState {
  readonly paths: StorePaths
  readonly readonly: boolean
  readonly verifyReads: boolean
  /** The end of what control says is committed. */
  committedEnd: VirtualOffset
  prefix: OpenPrefix | undefined
  readonly chunks: Array<Chunk>
  /** Bytes that are in no file yet. */
  pending: AppendBuffer
  flushedEnd: VirtualOffset
  /** How often something appended was forgotten. */
  rewinds = 0
  closed = false
  /** Why nothing more can be written, once that is so. */
  poison: { readonly cause: unknown } | undefined
  private readonly autoFlushThreshold: number
  private controlled: ControlRecord

  constructor(options: StoreStateOptions) {
    this.paths = options.paths
    this.readonly = options.readonly
    this.verifyReads = options.verifyReads
    this.autoFlushThreshold = options.autoFlushThreshold
    this.controlled = options.record
    this.committedEnd = controlEnd(options.record)
    this.prefix = options.prefix
    this.chunks = options.chunks
    this.pending = new AppendBuffer(this.autoFlushThreshold)
    this.flushedEnd = this.committedEnd
    if (this.chunks.length === 0) this.chunks.push(new Chunk(this.flushedEnd, 0))
  }

  get directory(): string {
    return this.paths.directory
  }

  /** Where the next append goes. */
  get end(): VirtualOffset {
    return this.flushedEnd + this.pending.length
  }

  /** What control says. */
  get record(): ControlRecord {
    return this.controlled
  }

  setRecord(record: ControlRecord): void {
    this.controlled = record
    this.committedEnd = controlEnd(record)
  }

  get suffixStart(): VirtualOffset {
    return this.record.suffixStart
  }

  /** The chunk that is appended to. */
  get active(): Chunk {
    return this.chunks[this.chunks.length - 1]
  }

  /** The index of the chunk that holds `offset`; of the last one when it is the end. */
  chunkIndexAt(offset: VirtualOffset): number {
    const { chunks } = this
    let low = 0
    let high = chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (chunks[middle].offset <= offset) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The number in the name of the file of a chunk. */
  chunkNumber(index: number): number {
    return this.record.firstChunk + index
  }

  /**
   * Of a reader: goes on to a newer record, whose files are open. Gives what is of no use any more.
   * The list of chunks stays the same array, whoever looks at it.
   */
  advance(record: ControlRecord, files: OpenFiles): KnownFiles {
    const kept = new Set(files.chunks)
    const chunks = new Map<number, Chunk>()
    for (const [index, chunk] of this.chunks.entries()) {
      if (!kept.has(chunk)) chunks.set(this.chunkNumber(index), chunk)
    }
    const prefix = this.prefix === files.prefix ? undefined : this.prefix
    files.settle()
    this.setRecord(record)
    this.prefix = files.prefix
    this.chunks.splice(0, this.chunks.length, ...files.chunks)
    this.flushedEnd = this.committedEnd
    if (this.chunks.length === 0) this.chunks.push(new Chunk(this.flushedEnd, 0))
    return { prefix, chunks }
  }

  /**
   * Of a writer: goes on to the next generation, which control names. Gives what is of no use any
   * more; chunks that no commit has stay as they are.
   */
  replace(record: ControlRecord, prefix: OpenPrefix): RetiredFiles {
    const { paths } = this
    const former = this.prefix
    const chunks = this.chunks.splice(0, record.firstChunk - this.record.firstChunk)
    const names = chunks.flatMap((_, index) => {
      const number = this.chunkNumber(index)
      return [paths.chunk(number), paths.sums(number)]
    })
    if (former !== undefined) names.push(former.reader.path, `${former.reader.path}.map`)
    this.prefix = prefix
    this.setRecord(record)
    return { prefix: former, chunks, paths: names }
  }

  /** Maps what is committed, in the chunks from this one on. Where that can't be done they are read. */
  fix(from: number): Effect.Effect<void> {
    const { chunkLengths } = this.record
    const last = chunkLengths.length - 1
    return Effect.gen({ self: this }, function* () {
      for (let index = from; index <= last; index++) {
        const sealed = index < last
        yield* this.chunks[index].fix(chunkLengths[index], { sealed, verified: this.verifyReads })
      }
    })
  }

  /** Lets appends go to a new chunk from here on. */
  beginChunk(): void {
    this.chunks.push(new Chunk(this.end, 0))
  }

  /** A new, empty buffer for bytes that wait. */
  emptyBuffer(): AppendBuffer {
    return new AppendBuffer(this.autoFlushThreshold)
  }

  checkOpen(operation: string): void {
    if (this.closed) throw new Closed({ path: this.directory, operation })
  }

  checkWritable(operation: string): void {
    this.checkOpen(operation)
    if (this.poison !== undefined) throw new Poisoned({ path: this.directory, cause: this.poison.cause })
  }
}
