/**
 * Stories of an extent file: what is done to it, what goes wrong meanwhile, and what must be true of it then.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as fc from "fast-check"
import { assert } from "vitest"
import type { Extent } from "../src/bytes/extent.ts"
import { ExtentFile, type ExtentFileService } from "../src/file/ExtentFile.ts"
import { Io } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"
import { ExtentFileModel } from "../src/testing/models/extentFile.ts"
import { choices, CrashingDevice, Stopped, type Trouble } from "./extentFileDevice.ts"

const objectBytes = 16_384
export const path = "/object"

export type Step =
  | { readonly kind: "create"; readonly offset: number; readonly length: number }
  | { readonly kind: "delete"; readonly which: number }
  | { readonly kind: "deleteSome"; readonly which: number; readonly count: number }
  | { readonly kind: "recreate"; readonly which: number; readonly length: number }
  | { readonly kind: "flush" }
  | { readonly kind: "clear" }
  | { readonly kind: "pin"; readonly version: number }
  | { readonly kind: "end"; readonly how: "close" | "kill" | "cut"; readonly rot?: number | undefined }

export interface Turn {
  readonly step: Step
  readonly trouble: Trouble | undefined
}

const lengths = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 1, max: 5_000 }),
  fc.constant(2048)
)
const offsets = fc.oneof(
  fc.nat(objectBytes - 5_001),
  fc.nat(5).map((chunk) => chunk * 2048),
  fc.nat(60)
)

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("create"), offset: offsets, length: lengths }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("delete"), which: fc.nat(20) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("deleteSome"),
      which: fc.nat(20),
      count: fc.integer({ min: 2, max: 4 })
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("recreate"), which: fc.nat(20), length: lengths })
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("flush") }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "clear" }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("pin"), version: fc.nat(1) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("end"),
      how: fc.constantFrom("close", "kill", "cut"),
      rot: fc.option(fc.nat(100_000), { nil: undefined })
    })
  }
) as fc.Arbitrary<Step>

export const turnsOf = (kinds: ReadonlyArray<Trouble["kind"]>): fc.Arbitrary<ReadonlyArray<Turn>> => {
  const trouble = fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    ...(kinds.length === 0
      ? []
      : [
          {
            weight: 1,
            arbitrary: fc.record({
              after: fc.oneof(fc.nat(2), fc.nat(10)),
              kind: fc.constantFrom(...kinds),
              lasting: fc.boolean()
            })
          }
        ])
  ) as fc.Arbitrary<Trouble | undefined>
  return fc.array(fc.record({ step: steps, trouble }), { minLength: 1, maxLength: 40 })
}

interface Kept extends Extent {
  readonly bytes: Uint8Array
}

const overlap = (a: Extent, b: Extent): boolean =>
  a.offset < b.offset + b.length && b.offset < a.offset + a.length

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

/** The file, the model beside it, and all that a power cut may go back to. */
class Story {
  model = new ExtentFileModel(objectBytes)
  /** What was flushed, and not touched since. */
  flushed: Array<Kept> = []
  /** What was there at moments since the last flush. */
  history: Array<ExtentFileModel> = [this.model.copy()]
  device: CrashingDevice
  private scope: Scope.Closeable | undefined
  private file: ExtentFileService | undefined
  private written = 0
  /** A fault may have left less than the model has, and the record may not know. */
  private faulty = false

  /** Where the storage has flipped a byte. */
  private readonly rotten: Array<Extent> = []
  private readonly rots: boolean

  constructor(device: CrashingDevice, rots: boolean) {
    this.device = device
    this.rots = rots
  }

  get open(): ExtentFileService {
    assert.isDefined(this.file)
    return this.file
  }

  /** Opens the file; a machine that stops, or fails, meanwhile is tried again. */
  reopen(trouble: Trouble | undefined): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.device.arm(trouble)
      for (let attempts = 0; ; attempts++) {
        const scope = yield* Scope.make()
        const exit = yield* Effect.exit(
          ExtentFile.open(path).pipe(Effect.provideService(Io, this.device.io), Scope.provide(scope))
        )
        if (Exit.isSuccess(exit)) {
          this.device.arm(undefined)
          this.scope = scope
          this.file = exit.value
          break
        }
        assert.isTrue(
          this.device.hit && attempts === 0,
          `it does not open: ${String(Cause.squash(exit.cause))}`
        )
        this.checkFailure(exit.cause)
        yield* Scope.close(scope, Exit.void)
        if (trouble?.kind === "stop") yield* this.restart(this.device.choose(2) === 0)
        this.device.goOn()
      }
      yield* this.settle()
    })
  }

  /** A failure is a typed error, unless the machine has stopped. */
  private checkFailure(cause: Cause.Cause<unknown>): void {
    const failure = Cause.squash(cause)
    if (failure instanceof Stopped) return
    const tag = (failure as { readonly _tag?: string } | undefined)?._tag
    assert.include(["IoFailed", "NoSpace", "Poisoned", "SourceChanged"], tag, String(failure))
  }

  /** The machine, or the process, is no more. */
  die(powerCut: boolean): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.device.stop()
      if (this.scope !== undefined) yield* Effect.exit(Scope.close(this.scope, Exit.void))
      this.scope = undefined
      this.file = undefined
      yield* this.restart(powerCut)
      this.device.goOn()
    })
  }

  private restart(powerCut: boolean): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (!powerCut) return
      const files = this.device.afterCut()
      const inner = yield* Effect.provide(Io, IoMemory.layer)
      this.device = new CrashingDevice(inner, this.device.choose)
      yield* Effect.orDie(this.device.begin(files))
    })
  }

  /** The storage flips a byte of something that was flushed. */
  private damage(rot: number | undefined): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (rot === undefined || !this.rots || this.flushed.length === 0) return Effect.void
      const extent = this.flushed[rot % this.flushed.length]
      const at = extent.offset + (rot % extent.length)
      const region = this.regionAround(at)
      this.rotten.push(region)
      this.flushed = this.flushed.filter((kept) => !overlap(region, kept))
      return Effect.orDie(this.device.rot(path, at))
    })
  }

  /** All that may have one checksum with a byte: what was held, without a gap, around it. */
  private regionAround(at: number): Extent {
    const moments = [this.model, ...this.history]
    const isHeld = (offset: number) => moments.some((moment) => moment.read(offset, 1) !== undefined)
    let offset = at
    while (offset > 0 && isHeld(offset - 1)) offset--
    let end = at + 1
    while (isHeld(end)) end++
    return { offset, length: end - offset }
  }

  /** Compares what was found with what may have been, and goes on from it. */
  settle(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const found = yield* this.found()
      const matches = (moment: ExtentFileModel, { bytes, offset }: Kept) =>
        sameBytes(moment.readExtent(offset), bytes)
      const right = this.faulty
        ? found.every((extent) => this.history.some((moment) => matches(moment, extent)))
        : this.history.some((moment) => found.every((extent) => matches(moment, extent)))
      assert.isTrue(right, "what is there is what was there at one moment")
      for (const { bytes, offset } of this.flushed) {
        const kept = found.find((extent) => extent.offset === offset)
        assert.isDefined(kept, `the extent at ${offset} was flushed`)
        assert.isTrue(sameBytes(kept.bytes, bytes), `the bytes of the extent at ${offset}, which was flushed`)
      }
      this.model = new ExtentFileModel(objectBytes)
      for (const { bytes, offset } of found) this.model.createExtent(offset, bytes)
      this.history.push(this.model.copy())
    })
  }

  /** All that the file has, read. */
  private found(): Effect.Effect<Array<Kept>> {
    return Effect.gen({ self: this }, function* () {
      const found: Array<Kept> = []
      for (const extent of this.open.extents()) {
        const bytes = yield* Effect.orDie(this.open.readExtent(extent.offset))
        if (bytes.length === 0 && this.rotten.some((region) => overlap(region, extent))) continue
        assert.strictEqual(bytes.length, extent.length, `an extent at ${extent.offset} is reported`)
        found.push({ ...extent, bytes })
      }
      return found
    })
  }

  /** Everything, by every way to read it. */
  compare(zeros: boolean): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { model, open } = this
      assert.deepStrictEqual(open.extents(), model.extents())
      for (const { bytes, offset } of yield* this.found()) {
        assert.isTrue(sameBytes(bytes, model.readExtent(offset)), `the extent at ${offset}`)
      }
      assert.strictEqual(open.stats().bytes, model.heldBytes())
      for (let i = 0; i < 8; i++) {
        const offset = this.device.choose(objectBytes)
        const buffer = new Uint8Array(1 + this.device.choose(i % 2 === 0 ? 20 : 3000))
        const expected = model.read(offset, buffer.length)
        assert.strictEqual(open.unsafe.read(offset, buffer), expected !== undefined, `read at ${offset}`)
        if (expected !== undefined) assert.isTrue(sameBytes(buffer, expected), `the bytes at ${offset}`)
      }
      if (!zeros) return
      const data = new Uint8Array(objectBytes)
      yield* Effect.scoped(
        Effect.flatMap(this.device.io.open(path, { readonly: true }), (file) => file.readSomeAt(0, data))
      ).pipe(Effect.orDie)
      assert.isTrue(sameBytes(data, model.bytes), "the data has what extents hold, and zeros")
    })
  }

  take({ step, trouble }: Turn): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (step.kind === "end" && step.how !== "close") {
        yield* this.die(step.how === "cut")
        yield* this.damage(step.rot)
        return yield* this.reopen(trouble)
      }
      this.device.arm(trouble)
      const exit = yield* Effect.exit(this.apply(step))
      if (Exit.isFailure(exit)) this.checkFailure(exit.cause)
      if (this.device.hit && trouble?.kind === "stop") {
        yield* this.die(this.device.choose(2) === 0)
        return yield* this.reopen(undefined)
      }
      if (trouble !== undefined && this.device.hit) this.faulty = true
      this.device.arm(undefined)
      if (step.kind === "end") {
        this.file = undefined
        this.scope = undefined
        if (Exit.isSuccess(exit)) this.afterFlush()
        yield* this.damage(step.rot)
        return yield* this.reopen(undefined)
      }
      if (this.faulty) yield* this.settle()
      if (step.kind === "flush" && Exit.isSuccess(exit)) this.afterFlush()
    })
  }

  private afterFlush(): void {
    this.flushed = this.model.extents().map(({ length, offset }) => ({
      offset,
      length,
      bytes: this.model.readExtent(offset)
    }))
    if (!this.faulty) this.history = [this.model.copy()]
  }

  /** Does a step, to the model first: if the machine stops, it may have come so far. */
  private apply(step: Step): Effect.Effect<void, unknown> {
    const { model, open } = this
    const extents = model.extents()
    const pick = (which: number) => extents[which % Math.max(1, extents.length)]?.offset ?? 77
    switch (step.kind) {
      case "create":
        return this.create(step.offset, step.length)
      case "recreate":
        return this.create(pick(step.which), step.length)
      case "delete":
        return this.delete([pick(step.which)])
      case "deleteSome":
        return this.delete([...new Set(Array.from({ length: step.count }, (_, i) => pick(step.which + i)))])
      case "clear":
        model.clear()
        this.flushed = []
        this.history.push(model.copy())
        return open.clear
      case "pin": {
        const pin = { identity: `version ${step.version}`, length: objectBytes }
        return Effect.ignore(open.pin(pin, "the object"))
      }
      case "flush":
        return open.flush
      case "end":
        return open.close
    }
  }

  private create(offset: number, wanted: number): Effect.Effect<void, unknown> {
    const length = Math.min(wanted, objectBytes - offset)
    this.written++
    const bytes = Uint8Array.from({ length }, (_, i) => 1 + ((this.written * 31 + i * 7) % 255))
    this.untouched(offset, Math.max(length, this.model.readExtent(offset).length))
    this.model.createExtent(offset, bytes)
    this.history.push(this.model.copy())
    return this.open.createExtent(offset, bytes)
  }

  /** Forgets what was flushed and overlaps a range. */
  private untouched(from: number, length: number): void {
    this.flushed = this.flushed.filter(
      (kept) => kept.offset !== from && (kept.offset >= from + length || kept.offset + kept.length <= from)
    )
  }

  private delete(starts: ReadonlyArray<number>): Effect.Effect<void, unknown> {
    this.flushed = this.flushed.filter(({ offset }) => !starts.includes(offset))
    for (const offset of starts) {
      this.model.deleteExtent(offset)
      this.history.push(this.model.copy())
    }
    return Effect.forEach(starts, (offset) => this.open.deleteExtent(offset), {
      concurrency: "unbounded",
      discard: true
    })
  }
}

export interface Laws {
  /** Whether what nobody holds is zeros at once, and not only after the next opening. */
  readonly zeros: boolean
  /** Whether the storage damages bytes. */
  readonly rots: boolean
}

export const tell = (seed: number, turns: ReadonlyArray<Turn>, { rots, zeros }: Laws): Effect.Effect<void> =>
  Effect.gen(function* () {
    const inner = yield* Effect.provide(Io, IoMemory.layer)
    const story = new Story(new CrashingDevice(inner, choices(seed)), rots)
    yield* story.reopen(turns[0]?.trouble)
    for (const turn of turns) {
      yield* story.take(turn)
      yield* story.compare(zeros)
    }
    yield* story.die(false)
  }).pipe(Effect.provide(Logger.layer([])))

/** What goes wrong, what is demanded then, and how many stories are told. */
export const cases: ReadonlyArray<readonly [string, ReadonlyArray<Trouble["kind"]>, Laws, number]> = [
  [
    "nothing goes wrong but kills and power cuts between two operations",
    [],
    { zeros: true, rots: false },
    300
  ],
  [
    "the machine stops in the midst of operations and of openings",
    ["stop"],
    { zeros: true, rots: false },
    800
  ],
  ["calls fail as well", ["stop", "EIO", "ENOSPC"], { zeros: false, rots: false }, 600],
  ["the storage damages bytes as well", ["stop"], { zeros: false, rots: true }, 400]
]
