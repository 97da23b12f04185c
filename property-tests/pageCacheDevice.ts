/**
 * A device for a page cache: it answers in every way that a `map` may, now and then not at all, and
 * watches what it is asked.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { assert } from "vitest"
import type { PageMap } from "../src/file/pageCacheService.ts"
import type { PageCacheModel } from "../src/testing/models/pageCache.ts"

/** What a `map` fails with. */
export class DeviceFailed extends Data.TaggedError("DeviceFailed")<{ readonly position: number }> {}

/** How the device answers: as a value, as an Effect that never waits, or later. */
export type Answering = "at once" | "without waiting" | "after yields" | "by a callback" | "in every way"
type Answer = Exclude<Answering, "in every way">

const answers: ReadonlyArray<Answer> = ["at once", "without waiting", "after yields", "by a callback"]
export const answerings: ReadonlyArray<Answering> = [...answers, "in every way"]

/** What is wrong with a call: a typed failure, or a bug in the `map`. */
export type CallFault = "fails" | "breaks"

interface Call {
  readonly position: number
  readonly length: number
  readonly first: number
  readonly last: number
  /** The pages of it that were invalidated since it began. */
  readonly stale: Set<number>
}

export interface DeviceOptions {
  readonly answering: Answering
  /** For every call in turn, and again from the first: for how many steps it waits, if it does. */
  readonly waits: ReadonlyArray<number>
}

/** The longest call, unless a page is longer. */
export const longestCallBytes = 1 << 20

export class TestDevice {
  readonly model: PageCacheModel
  readonly calls: Array<{ readonly position: number; readonly length: number }> = []
  /** The calls that did not succeed. */
  readonly failed: Array<{ readonly position: number; readonly length: number }> = []
  interrupted = 0
  /** What is wrong with the next calls. */
  readonly faults: Array<CallFault | undefined> = []
  /** What calls wait for, instead of some steps. */
  gate: Effect.Effect<void> | undefined
  private readonly underWay = new Set<Call>()
  private readonly options: DeviceOptions
  private given: Uint8Array = new Uint8Array(0)

  constructor(model: PageCacheModel, options: DeviceOptions) {
    this.model = model
    this.options = options
  }

  /** The pages that are asked for now. */
  pagesUnderWay(): ReadonlyArray<number> {
    const pages = [...this.underWay].flatMap(({ length, position }) => this.model.pages(position, length))
    return pages.sort((a, b) => a - b)
  }

  /** Tells the device that its pages are looked for anew from now on. */
  invalidated(offset: number, length: number): void {
    // The pages of a call, not those of the range, of which there may be 2^53.
    for (const call of this.underWay) {
      for (const page of this.model.pages(call.position, call.length)) {
        const start = page * this.model.pageSize
        if (start < offset + length && start + this.model.pageSize > offset) call.stale.add(page)
      }
    }
  }

  readonly map: PageMap<DeviceFailed> = (position, length) => {
    const answer = this.nextAnswer()
    if (answer !== "at once") return this.later(position, length, answer)
    const call = this.begin(position, length)
    try {
      const failure = this.fault(call)
      if (failure !== undefined) throw failure
      return this.give(call)
    } finally {
      this.underWay.delete(call)
    }
  }

  private nextAnswer(): Answer {
    const { answering } = this.options
    return answering === "in every way" ? answers[(this.calls.length * 7 + 3) % 4] : answering
  }

  private later(position: number, length: number, answer: Answer): Effect.Effect<Uint8Array, DeviceFailed> {
    return Effect.suspend(() => {
      const wait = this.options.waits[this.calls.length % this.options.waits.length] ?? 0
      const call = this.begin(position, length)
      const early = wait % 2 === 0 ? this.model.give(position, length) : undefined
      const waiting =
        answer === "without waiting"
          ? Effect.void
          : this.gate !== undefined
            ? this.gate
            : answer === "after yields"
              ? Effect.repeat(Effect.yieldNow, { times: wait })
              : afterTurns(wait)
      return waiting.pipe(
        Effect.andThen(Effect.suspend(() => this.conclude(call, early))),
        Effect.onInterrupt(() => Effect.sync(() => void this.interrupted++)),
        Effect.ensuring(Effect.sync(() => void this.underWay.delete(call)))
      )
    })
  }

  private conclude(call: Call, early: Uint8Array | undefined): Effect.Effect<Uint8Array, DeviceFailed> {
    const failure = this.fault(call)
    if (failure instanceof DeviceFailed) return Effect.fail(failure)
    if (failure !== undefined) return Effect.die(failure)
    return Effect.succeed(this.give(call, early))
  }

  private begin(position: number, length: number): Call {
    const { pageSize } = this.model
    assert.strictEqual(position % pageSize, 0, "a call begins at a page")
    assert.isAbove(length, 0, "a call asks for something")
    assert.isAtMost(length, Math.max(longestCallBytes, pageSize), "a call is not too long")
    const toTheLastAddress = position + length === Number.MAX_SAFE_INTEGER
    assert.isTrue(length % pageSize === 0 || toTheLastAddress, "a call asks for whole pages")
    const first = position / pageSize
    const last = Math.floor((position + length - 1) / pageSize)
    const call = { position, length, first, last, stale: new Set<number>() }
    for (const other of this.underWay) {
      for (let page = Math.max(first, other.first); page <= Math.min(last, other.last); page++) {
        assert.isTrue(other.stale.has(page), "a page is asked for while it is on its way")
      }
    }
    this.calls.push({ position, length })
    this.underWay.add(call)
    this.given.fill(0xee) // what the call before gave may be used again
    return call
  }

  private fault({ length, position }: Call): DeviceFailed | Error | undefined {
    const fault = this.faults.shift()
    if (fault === undefined) return undefined
    this.failed.push({ position, length })
    return fault === "fails" ? new DeviceFailed({ position }) : new Error("a bug in the map")
  }

  private give({ length, position }: Call, early?: Uint8Array): Uint8Array {
    this.given = early ?? this.model.give(position, length)
    return this.given
  }
}

/** Waits for so many turns of the event loop. Interrupting it is noticed at once. */
export const afterTurns = (turns: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    let left = turns
    const turn = (): void => {
      if (left-- > 0) handle = setImmediate(turn)
      else resume(Effect.void)
    }
    let handle = setImmediate(turn)
    return Effect.sync(() => clearImmediate(handle))
  })

/** Bytes as devices have them: noise, text of all lengths of UTF-8, zeros, small numbers, and ones. */
export const deviceBytes = (length: number, seed: number): Uint8Array => {
  const text = new TextEncoder().encode("a\u00e9\u20ac\u{1f600}\ufeffz")
  const bytes = new Uint8Array(length)
  let state = seed | 1
  const random = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 8
  for (let at = 0; at < length;) {
    const kind = random() % 5
    const end = Math.min(length, at + 1 + (random() % 40))
    for (let i = 0; at < end; at++, i++) {
      bytes[at] = [random() & 255, text[i % text.length], 0, i % 8 === 3 ? 9 : 0, 255][kind]
    }
  }
  return bytes
}

export const deviceOptions: fc.Arbitrary<DeviceOptions> = fc.record({
  answering: fc.constantFrom(...answerings),
  waits: fc.array(fc.nat(4), { minLength: 1, maxLength: 6 })
})
