/**
 * One request of a source: chunks in a row, each handed on as soon as all of its bytes have come.
 *
 * It believes nothing of what a source says of its bytes: too few or too many of them are
 * `SourceFailed`, and a chunk that is not whole goes nowhere. Of a source's memory nothing is kept beyond the step in
 * which it was given. What it takes itself is a chunk, or some small ones.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { SourceFailed } from "../bytes/errors.ts"
import type { ByteSource } from "./ByteSource.ts"
import { ArrivedChunk } from "./chunkArrival.ts"
import type { SparseIoCounters } from "./sparseIoCounters.ts"
import type { ChunkGrid, ChunkRange } from "./chunkGrid.ts"

/** What is read at a time where there is no stream: it stays in the processor's cache until it is stored. */
const pieceBytes = 1 << 18

export interface ChunkRequestOptions<ES, E> {
  readonly source: ByteSource<ES>
  readonly name: string
  readonly grid: ChunkGrid
  readonly counters: SparseIoCounters
  readonly range: ChunkRange
  /** Fails where the source is not what it was any more. */
  readonly verify: Effect.Effect<void, E>
  /** Hands on a chunk that is whole and verified. */
  readonly deliver: (index: number, chunk: ArrivedChunk) => Effect.Effect<void, E>
  /** Whether nobody wants any more of it. */
  readonly isOver: () => boolean
}

export class ChunkRequest<ES, E> {
  private readonly options: ChunkRequestOptions<ES, E>
  private readonly end: number
  /** The chunk that comes next. */
  private next: number
  /** The offset of the byte that comes next. */
  private position: number
  /** What has come of the next chunk, from its beginning, if it came in pieces. */
  private memory: Uint8Array | undefined

  constructor(options: ChunkRequestOptions<ES, E>) {
    const { grid, range } = options
    this.options = options
    this.end = grid.endOf(range.last)
    this.next = range.first
    this.position = grid.startOf(range.first)
  }

  /** Makes the request, by the longest calls that the source offers. */
  run(): Effect.Effect<void, ES | E | SourceFailed> {
    const { stream } = this.options.source
    return stream === undefined ? this.readPieces() : this.readStream(stream)
  }

  private get isDone(): boolean {
    return this.next > this.options.range.last || this.options.isOver()
  }

  private readStream(
    stream: NonNullable<ByteSource<ES>["stream"]>
  ): Effect.Effect<void, ES | E | SourceFailed> {
    const { counters } = this.options
    return Effect.suspend(() => {
      counters.add("fetches", 1)
      const pieces = stream(this.position, this.end - this.position)
      const taken = Stream.runForEachWhile(pieces, (piece) => this.take(piece))
      return Effect.andThen(
        taken,
        Effect.suspend(() => (this.isDone ? Effect.void : this.endedEarly()))
      )
    })
  }

  /** Takes what a stream gave. False where no more is wanted. */
  private take(piece: Uint8Array): Effect.Effect<boolean, E | SourceFailed> {
    const { counters, deliver, grid, verify } = this.options
    return Effect.gen({ self: this }, function* () {
      counters.add("fetchedBytes", piece.length)
      if (piece.length > this.end - this.position) {
        return yield* this.refuse("it gave more bytes than it was asked for")
      }
      let isVerified = false
      for (let at = 0; at < piece.length;) {
        const length = grid.lengthOf(this.next)
        const filled = this.position - grid.startOf(this.next)
        const step = Math.min(length - filled, piece.length - at)
        const part = piece.subarray(at, at + step)
        at += step
        this.position += step
        const isWhole = step === length
        if (!isWhole) {
          if (this.memory?.length !== length) this.memory = new Uint8Array(length)
          this.memory.set(part, filled)
        }
        if (filled + step < length) break
        if (!isVerified) yield* verify
        isVerified = true
        const chunk = isWhole ? new ArrivedChunk(part, false) : new ArrivedChunk(this.memory!, true)
        yield* deliver(this.next, chunk)
        if (chunk.isKept) this.memory = undefined
        this.next++
        if (this.isDone) return false
      }
      return true
    })
  }

  private readPieces(): Effect.Effect<void, ES | E | SourceFailed> {
    const { grid, range } = this.options
    const most = Math.max(1, Math.floor(pieceBytes / grid.chunkSize))
    return Effect.gen({ self: this }, function* () {
      while (!this.isDone) {
        yield* this.readPiece({ first: this.next, last: Math.min(this.next + most - 1, range.last) })
      }
    })
  }

  /** Reads a few chunks into one piece of memory, by as many calls as it takes. */
  private readPiece({ first, last }: ChunkRange): Effect.Effect<void, ES | E | SourceFailed> {
    const { counters, deliver, grid, source, verify } = this.options
    return Effect.gen({ self: this }, function* () {
      const start = grid.startOf(first)
      const length = grid.endOf(last) - start
      if (this.memory?.length !== length) this.memory = new Uint8Array(length)
      const { memory } = this
      while (this.next <= last) {
        const room = memory.subarray(this.position - start)
        counters.add("fetches", 1)
        const count = yield* source.readAt(this.position, room)
        if (!(Number.isSafeInteger(count) && count >= 0 && count <= room.length)) {
          return yield* this.refuse(`it says that it gave ${count} bytes where ${room.length} were asked for`)
        }
        if (count === 0) return yield* this.endedEarly()
        counters.add("fetchedBytes", count)
        this.position += count
        if (this.position >= grid.endOf(this.next)) yield* verify
        while (this.next <= last && grid.endOf(this.next) <= this.position) {
          const bytes = memory.subarray(grid.startOf(this.next) - start, grid.endOf(this.next) - start)
          const chunk = new ArrivedChunk(bytes, first === last)
          yield* deliver(this.next, chunk)
          if (chunk.isKept && first === last) this.memory = undefined
          this.next++
          if (this.isDone) return
        }
      }
    })
  }

  private endedEarly(): Effect.Effect<never, SourceFailed> {
    return this.refuse(`it ended ${this.end - this.position} bytes before the end of what was asked for`)
  }

  private refuse(reason: string): Effect.Effect<never, SourceFailed> {
    return Effect.fail(new SourceFailed({ source: this.options.name, offset: this.position, reason }))
  }
}
