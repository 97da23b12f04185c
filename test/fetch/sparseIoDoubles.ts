/**
 * What SparseIo is tested between: a source whose bytes tell where they lie, and a store in memory. Both
 * keep their calls, wait where they are told to, and fail in the ways that such things do.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { SourceChanged, SourceFailed } from "../../src/bytes/errors.ts"
import type { Extent } from "../../src/bytes/extent.ts"
import type { ByteSource } from "../../src/fetch/ByteSource.ts"
import { makeInstance, type SparseIoInstance } from "../../src/fetch/sparseIoInstance.ts"
import type { SparseIoError, SparseIoOptions } from "../../src/fetch/sparseIoService.ts"
import type { ExtentStore, SourcePin, UnsafeExtentStore } from "../../src/file/extentStore.ts"
import { bytesAt } from "../file/pageDevices.ts"

export type Range = readonly [offset: number, length: number]

export interface TestSourceOptions {
  readonly length: number
  /** Whether it can give a range by one request. Default: false. */
  readonly streams?: boolean
  /** The bytes of a piece, or of a call of `readAt`, at most. */
  readonly most?: number
  readonly identity?: string | undefined
}

/** What a source does in place of giving all that it was asked for. */
export type SourceFault = "fails" | "short" | "excess" | "negative" | "fraction" | "dies" | "interrupts"

export class TestSource implements ByteSource<SourceFailed> {
  readonly name = "the object"
  /** The requests, in order: those that failed too. */
  readonly calls: Array<Range> = []
  /** Requests that were begun and have not ended, one way or another. */
  readonly underWay = new Set<Range>()
  mostUnderWay = 0
  /** Requests that were interrupted: while they gave nothing, or while who took a piece was still at it. */
  readonly givenUp = new Set<Range>()
  /** What an interrupted request does before it ends. */
  abort: Effect.Effect<unknown> = Effect.void
  /** What every request waits for before it gives anything. */
  wait: Effect.Effect<unknown, SourceFailed> = Effect.void
  /** What streams wait for before every piece. */
  waitPiece: Effect.Effect<unknown, SourceFailed> = Effect.void
  /** What the next requests do wrong, one each. */
  readonly faults: Array<SourceFault | undefined> = []
  /** What is found wrong at any request. */
  onCall: (range: Range) => void = () => {}
  currentLength: number
  currentIdentity: string | undefined
  bytesAt: (offset: number, length: number) => Uint8Array = bytesAt
  readonly stream: ByteSource<SourceFailed>["stream"]
  readonly identity: ByteSource<SourceFailed>["identity"]
  private readonly most: number

  constructor({ identity, length, most = Infinity, streams = false }: TestSourceOptions) {
    this.currentLength = length
    this.currentIdentity = identity
    this.most = most
    this.stream = streams ? (offset, bytes) => this.streamOf(offset, bytes) : undefined
    this.identity =
      identity === undefined ? undefined : Effect.suspend(() => Effect.succeed(this.currentIdentity!))
  }

  readonly length = Effect.suspend(() => Effect.succeed(this.currentLength))

  readonly readAt = (offset: number, buffer: Uint8Array): Effect.Effect<number, SourceFailed> => {
    const range: Range = [offset, buffer.length]
    const answer = this.call(range, (fault) => {
      const given = Math.max(0, Math.min(buffer.length, this.currentLength - offset, this.most))
      if (fault === "short") return Effect.succeed(0)
      buffer.set(this.bytesAt(offset, given))
      if (fault === "negative") return Effect.succeed(-1)
      if (fault === "fraction") return Effect.succeed(0.5)
      return Effect.succeed(fault === "excess" ? buffer.length + 1 : given)
    })
    return Effect.onExit(answer, (exit) => this.end(range, exit))
  }

  /** The requests since this was asked last. */
  takeCalls(): ReadonlyArray<Range> {
    return this.calls.splice(0)
  }

  private streamOf(offset: number, length: number): Stream.Stream<Uint8Array, SourceFailed> {
    return Stream.suspend(() => {
      const range: Range = [offset, length]
      const pieces = this.call(range, (fault) => {
        const isWrong = fault === "short" || fault === "negative" || fault === "fraction"
        const given = fault === "excess" ? length + 1 : isWrong ? length - 1 : length
        const all = this.bytesAt(
          offset,
          fault === "excess" ? given : Math.min(given, Math.max(0, this.currentLength - offset))
        )
        const size = Math.min(this.most, Math.max(1, all.length))
        const cuts = Array.from({ length: Math.ceil(all.length / size) }, (_, i) => i * size)
        return Effect.succeed(cuts.map((at) => all.slice(at, at + size)))
      })
      return Stream.fromIterableEffect(pieces).pipe(
        Stream.rechunk(1),
        Stream.mapEffect((piece) => Effect.as(this.waitPiece, piece)),
        // It is under way until its last piece is taken, or nobody takes any more.
        Stream.onExit((exit) => this.end(range, exit))
      )
    })
  }

  private end(range: Range, exit: Exit.Exit<unknown, unknown>): Effect.Effect<unknown> {
    return Effect.suspend(() => {
      const isGivenUp = Exit.hasInterrupts(exit)
      if (isGivenUp) this.givenUp.add(range)
      return Effect.andThen(
        isGivenUp ? this.abort : Effect.void,
        Effect.sync(() => this.underWay.delete(range))
      )
    })
  }

  private call<A>(
    range: Range,
    answer: (fault: SourceFault | undefined) => Effect.Effect<A, SourceFailed>
  ): Effect.Effect<A, SourceFailed> {
    return Effect.suspend(() => {
      this.onCall(range)
      this.calls.push(range)
      this.underWay.add(range)
      this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay.size)
      const fault = this.faults.shift()
      return Effect.andThen(
        this.wait,
        Effect.suspend(() => {
          if (fault === "dies") return Effect.die(new Error("a bug in the source"))
          if (fault === "interrupts") return Effect.interrupt
          if (fault === "fails") return Effect.fail(broken(range[0]))
          return answer(fault)
        })
      )
    })
  }
}

export const broken = (offset: number): SourceFailed =>
  new SourceFailed({ source: "the object", offset, reason: "it is broken" })

export class StoreFailed extends Data.TaggedError("StoreFailed")<{ readonly operation: string }> {
  override get message(): string {
    return `the store can't ${this.operation}`
  }
}

export interface TestStoreOptions {
  /** Whether it tells its extents. Default: true. */
  readonly tells?: boolean
  /** Whether it answers at once. Default: true. */
  readonly answers?: boolean
  /** Whether it keeps a pin. Default: true. */
  readonly pins?: boolean
}

type StoreOperation = "create" | "read" | "delete" | "pin" | "clear"

export class TestStore implements ExtentStore<StoreFailed> {
  readonly kept = new Map<number, Uint8Array>()
  pin_: SourcePin | undefined
  readonly calls: Array<readonly [operation: StoreOperation, offset: number]> = []
  /** The operations that fail, until they are taken out. */
  readonly failing = new Set<StoreOperation>()
  /** What operations wait for. */
  wait: (operation: StoreOperation, offset: number) => Effect.Effect<unknown> = () => Effect.void
  readonly extents: (() => ReadonlyArray<Extent>) | undefined
  readonly pinned: (() => SourcePin | undefined) | undefined
  readonly pin: ExtentStore<StoreFailed>["pin"]
  readonly unsafe: UnsafeExtentStore | undefined

  constructor({ answers = true, pins = true, tells = true }: TestStoreOptions = {}) {
    this.extents = tells ? () => this.list() : undefined
    this.pinned = pins ? () => this.pin_ : undefined
    this.pin = pins ? (pin, source) => this.setPin(pin, source) : undefined
    this.unsafe = answers ? { read: (offset, buffer) => this.readNow(offset, buffer) } : undefined
  }

  /** The bytes that are kept. */
  get bytes(): number {
    return this.list().reduce((sum, { length }) => sum + length, 0)
  }

  readonly createExtent = (offset: number, bytes: Uint8Array): Effect.Effect<void, StoreFailed> =>
    this.operate("create", offset, () => {
      // Last write wins, on every byte that is kept.
      for (const [start, other] of this.kept) {
        const from = Math.max(start, offset)
        const to = Math.min(start + other.length, offset + bytes.length)
        if (from < to) other.set(bytes.subarray(from - offset, to - offset), from - start)
      }
      this.kept.set(offset, bytes.slice())
    })

  readonly readExtent = (offset: number): Effect.Effect<Uint8Array, StoreFailed> =>
    this.operate("read", offset, () => this.kept.get(offset)?.slice() ?? new Uint8Array(0))

  readonly deleteExtent = (offset: number): Effect.Effect<void, StoreFailed> =>
    this.operate("delete", offset, () => void this.kept.delete(offset))

  readonly clear: Effect.Effect<void, StoreFailed> = Effect.suspend(() =>
    this.operate("clear", 0, () => {
      this.kept.clear()
      this.pin_ = undefined
    })
  )

  takeCalls(): ReadonlyArray<readonly [operation: StoreOperation, offset: number]> {
    return this.calls.splice(0)
  }

  private list(): ReadonlyArray<Extent> {
    return [...this.kept]
      .map(([offset, { length }]) => ({ offset, length }))
      .sort((a, b) => a.offset - b.offset)
  }

  private setPin(pin: SourcePin, source: string): Effect.Effect<void, StoreFailed | SourceChanged> {
    const { pin_: before } = this
    const isSame = before === undefined || (before.identity === pin.identity && before.length === pin.length)
    if (this.kept.size > 0 && !isSame) {
      return Effect.fail(new SourceChanged({ source, expected: before.identity, found: pin.identity }))
    }
    return this.operate("pin", 0, () => void (this.pin_ = pin))
  }

  private readNow(offset: number, buffer: Uint8Array): boolean {
    this.calls.push(["read", offset])
    if (this.failing.has("read")) throw new StoreFailed({ operation: "read" })
    for (let at = offset; at < offset + buffer.length;) {
      const [start, bytes] = [...this.kept].find(
        ([start, { length }]) => start <= at && at < start + length
      ) ?? [0, undefined]
      if (bytes === undefined) return false
      const part = bytes.subarray(at - start, offset + buffer.length - start)
      buffer.set(part, at - offset)
      at += part.length
    }
    return true
  }

  private operate<A>(operation: StoreOperation, offset: number, act: () => A): Effect.Effect<A, StoreFailed> {
    return Effect.suspend(() => {
      this.calls.push([operation, offset])
      return Effect.andThen(
        this.wait(operation, offset),
        Effect.suspend(() =>
          this.failing.has(operation) ? Effect.fail(new StoreFailed({ operation })) : Effect.sync(act)
        )
      )
    })
  }
}

export type TestInstance = SparseIoInstance<SourceFailed | StoreFailed>
export type TestOptions = Partial<SparseIoOptions<SourceFailed, StoreFailed>>

/** A SparseIo between the two, with small chunks. */
export const instanceOf = (
  source: ByteSource<SourceFailed>,
  store: ExtentStore<StoreFailed>,
  options: TestOptions = {}
): Effect.Effect<TestInstance, SourceFailed | StoreFailed | SparseIoError, Scope.Scope> =>
  makeInstance({ chunkSize: 16, ...options, source, store })

/** All bytes of a stream. */
/** Waits until something holds, at most for some seconds: on a busy machine other fibers take their time. */
export const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let left = 5000; left > 0 && !holds(); left--) yield* Effect.sleep(1)
  })

export const collect = <E>(stream: Stream.Stream<Uint8Array, E>): Effect.Effect<Uint8Array, E> =>
  Effect.map(Stream.runCollect(stream), (pieces) => Uint8Array.from(pieces.flatMap((piece) => [...piece])))

/** For what warns, where that is not the point. */
export const quietly: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = Effect.provide(
  Logger.layer([])
)
