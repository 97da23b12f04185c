import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { assert, describe } from "vitest"
import {
  Corrupt,
  FileExists,
  IoFailed,
  NoSpace,
  NotAFile,
  NoSuchFile,
  Poisoned
} from "../../src/bytes/errors.ts"
import {
  controlFileBytes,
  type ControlRecord,
  controlSlotBytes,
  encodeControlRecord
} from "../../src/format/controlRecord.ts"
import { decodeControlSlots } from "../../src/format/controlSlots.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { type ControlFile, createControl, openControl, readControl } from "../../src/store/controlFile.ts"
import { storePaths } from "../../src/store/storePaths.ts"
import { onDisk, onEachIo } from "../file/eachIo.ts"
import { watchedIo } from "../file/watchedIo.ts"
import { failNextSync } from "../io/faults.ts"
import { crashingIo, UnsyncedFile } from "./crashes.ts"

const record = (sequence: number, changes: Partial<ControlRecord> = {}): ControlRecord => ({
  sequence,
  generation: 2,
  suffixStart: 1000,
  prefixDataBytes: 300,
  prefixMapBytes: 352,
  firstChunk: 4,
  firstChunkOffset: 900,
  chunkLengths: [4096, sequence],
  ...changes
})

const fileOf = (first: Uint8Array, second: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(controlFileBytes)
  bytes.set(first)
  bytes.set(second, controlSlotBytes)
  return bytes
}

const slotsOf = (first: ControlRecord, second: ControlRecord): Uint8Array =>
  fileOf(encodeControlRecord(first), encodeControlRecord(second))

/** The first part of a record, as a crash leaves it. */
const tornRecord = (sequence: number): Uint8Array => encodeControlRecord(record(sequence)).slice(0, 50)

const put = (io: IoService, path: string, bytes: Uint8Array) =>
  Effect.scoped(Effect.flatMap(io.create(path, { overwrite: true }), (file) => file.writeAt(0, bytes)))

const contentOf = (io: IoService, path: string) =>
  Effect.gen(function* () {
    const bytes = new Uint8Array(yield* io.sizeOf(path))
    yield* (yield* io.open(path, { readonly: true })).readAt(0, bytes)
    return bytes
  }).pipe(Effect.scoped)

/** The message of the defect that an Effect dies with. */
const defectOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(Effect.sandbox(effect)), (cause) => {
    assert.isTrue(Cause.hasDies(cause))
    return String(Cause.squash(cause))
  })

const withStore = Effect.fnUntraced(function* (directory: string, content?: Uint8Array) {
  const io = yield* Io
  const paths = storePaths(directory)
  if (content !== undefined) yield* put(io, paths.control, content)
  return { io, paths }
})

/** An Io that notes every call, and fails those that `fault` gives an error for. */
const noting = (
  io: IoService,
  fault: (call: string, count: number) => Error | undefined = () => undefined
) => {
  const calls: Array<string> = []
  const watched = watchedIo(io, {
    before: (operation, path) => {
      const call = `${operation} ${path.split("/").at(-1) ?? ""}`
      calls.push(call)
      const error = fault(call, calls.filter((one) => one === call).length)
      if (error !== undefined) throw error
    }
  })
  return { io: watched, calls }
}

const diskError = (path: string) => new IoFailed({ syscall: "fsync", path, code: "EIO", cause: "made up" })

describe("createControl", () => {
  onEachIo((test) => {
    test("makes a file of its final size, with the record in both slots", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory)
        yield* createControl(io, paths, record(1))
        assert.deepStrictEqual(yield* contentOf(io, paths.control), slotsOf(record(1), record(1)))
        assert.deepStrictEqual(yield* io.list(directory), ["store.control"])
        assert.deepStrictEqual((yield* readControl(io, paths)).record, record(1))
      }))

    test("syncs each thing before what depends on it", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory)
        yield* put(io, paths.controlTmp, new Uint8Array(7))
        const noted = noting(io)
        yield* createControl(noted.io, paths, record(1))
        const [parent, name] = directory.split("/").slice(-2)
        assert.deepStrictEqual(noted.calls, [
          `syncDirectory ${parent}`,
          "create store.control.tmp",
          "writeAt store.control.tmp",
          "sync store.control.tmp",
          "classify store.control",
          "rename store.control.tmp",
          `syncDirectory ${name}`
        ])
      }))

    test("replaces no control that is there", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory, slotsOf(record(6), record(5)))
        assert.instanceOf(yield* Effect.flip(createControl(io, paths, record(1))), FileExists)
        assert.deepStrictEqual((yield* readControl(io, paths)).record, record(6))
        assert.deepStrictEqual(yield* io.list(directory), ["store.control"])
      }))

    test("leaves nothing when it fails, at whatever step", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory)
        for (let failing = 1; failing <= 7; failing++) {
          let count = 0
          const noted = noting(io, () => (++count === failing ? diskError(paths.control) : undefined))
          assert.instanceOf(yield* Effect.flip(createControl(noted.io, paths, record(1))), IoFailed)
          assert.deepStrictEqual(yield* io.list(directory), [])
        }
      }))
  })
})

describe("readControl", () => {
  onEachIo((test) => {
    test("gives the newest record, whichever slot it is in", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory, slotsOf(record(6), record(5)))
        assert.deepStrictEqual((yield* readControl(io, paths)).record, record(6))
        yield* put(io, paths.control, slotsOf(record(6), record(7)))
        const found = yield* readControl(io, paths)
        assert.deepStrictEqual(found.record, record(7))
        assert.isTrue(found.slotsWhole)
      }))

    test("gives the older record when the newest is torn, and says so", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(
          directory,
          fileOf(encodeControlRecord(record(6)), tornRecord(7))
        )
        const found = yield* readControl(io, paths)
        assert.deepStrictEqual(found.record, record(6))
        assert.isFalse(found.slotsWhole)
        assert.strictEqual(found.damage?.path, paths.control)
        assert.isAtLeast(found.damage?.offset ?? 0, controlSlotBytes)
      }))

    test("is Corrupt with both slots torn", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory, fileOf(tornRecord(6), tornRecord(7)))
        const error = yield* Effect.flip(readControl(io, paths))
        assert.instanceOf(error, Corrupt)
        assert.strictEqual(error.path, paths.control)
      }))

    test("looks again while a writer is at work in both slots", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory, fileOf(tornRecord(6), tornRecord(7)))
        const writer = yield* io.open(paths.control, { readonly: false })
        const noted = noting(io, (call, count) => {
          const done = call === "open store.control" && count === 3
          if (done) writer.unsafe.writeAt(0, encodeControlRecord(record(6)))
          return undefined
        })
        assert.deepStrictEqual((yield* readControl(noted.io, paths)).record, record(6))
        assert.strictEqual(noted.calls.filter((call) => call === "open store.control").length, 3)
      }))

    test("is Corrupt where a file ends too early, or too late", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory)
        const bytes = slotsOf(record(6), record(5))
        for (const size of [0, 100, controlSlotBytes, controlFileBytes - 1]) {
          yield* put(io, paths.control, bytes.subarray(0, size))
          const error = yield* Effect.flip(readControl(io, paths))
          assert.instanceOf(error, Corrupt)
          assert.strictEqual(error.offset, size)
        }
        const longer = new Uint8Array(controlFileBytes + 8)
        longer.set(bytes)
        yield* put(io, paths.control, longer)
        assert.instanceOf(yield* Effect.flip(readControl(io, paths)), Corrupt)
      }))

    test("is NoSuchFile without a file, and NotAFile with a directory", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory)
        assert.instanceOf(yield* Effect.flip(readControl(io, paths)), NoSuchFile)
        assert.instanceOf(yield* Effect.flip(openControl(io, paths)), NoSuchFile)
        yield* io.makeDirectory(paths.control)
        assert.instanceOf(yield* Effect.flip(readControl(io, paths)), NotAFile)
      }))
  })
})

describe("a ControlFile", () => {
  onEachIo((test) => {
    test("is repaired into both slots, from whatever there was", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory)
        const six = encodeControlRecord(record(6))
        for (const content of [
          slotsOf(record(6), record(5)),
          slotsOf(record(6), record(6)),
          fileOf(six, tornRecord(7)),
          fileOf(tornRecord(8), six),
          fileOf(six, new Uint8Array(0))
        ]) {
          yield* put(io, paths.control, content)
          const control = yield* openControl(io, paths)
          yield* control.repair
          assert.deepStrictEqual(control.record, record(6))
          assert.deepStrictEqual(
            decodeControlSlots(yield* contentOf(io, paths.control), "").record,
            record(6)
          )
          assert.isTrue((yield* readControl(io, paths)).slotsWhole)
          const bytes = yield* contentOf(io, paths.control)
          for (const slot of [bytes, bytes.subarray(controlSlotBytes)]) {
            assert.deepStrictEqual(slot.slice(0, six.length), six)
          }
        }
      }))

    test("is repaired so that the last whole copy of a record is never touched first", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory)
        const six = encodeControlRecord(record(6))
        for (const [content, otherAtFirstSync] of [
          [slotsOf(record(6), record(5)), encodeControlRecord(record(5))],
          [fileOf(six, tornRecord(7)), six]
        ]) {
          yield* put(io, paths.control, content)
          const seen = new Uint8Array(six.length)
          const reader = yield* io.open(paths.control, { readonly: true })
          const noted = noting(io, (call, count) => {
            if (call === "sync store.control" && count === 1) reader.unsafe.readAt(controlSlotBytes, seen)
            return undefined
          })
          yield* (yield* openControl(noted.io, paths)).repair
          assert.deepStrictEqual(seen, otherAtFirstSync)
        }
      }))

    test("tells whether both slots were whole when it was opened", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory, slotsOf(record(6), record(5)))
        assert.isTrue((yield* openControl(io, paths)).slotsWhole)
        yield* put(io, paths.control, fileOf(encodeControlRecord(record(6)), tornRecord(7)))
        const control = yield* openControl(io, paths)
        yield* control.repair
        assert.isFalse(control.slotsWhole)
        assert.isAtLeast(control.damage?.offset ?? 0, controlSlotBytes)
      }))

    test("writes commits in turn, each into one slot and no further than it reaches", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory)
        const stale = slotsOf(
          record(6),
          record(5, { chunkLengths: [4096, ...new Array<number>(100).fill(7)] })
        )
        yield* put(io, paths.control, stale)
        const control = yield* openControl(io, paths)
        yield* control.repair
        yield* control.write(record(7))
        const expected = stale.slice()
        expected.set(encodeControlRecord(record(7)), controlSlotBytes)
        assert.deepStrictEqual(yield* contentOf(io, paths.control), expected)
        yield* control.write(record(8))
        expected.set(encodeControlRecord(record(8)))
        assert.deepStrictEqual(yield* contentOf(io, paths.control), expected)
        assert.deepStrictEqual(control.record, record(8))
        assert.deepStrictEqual((yield* readControl(io, paths)).record, record(8))
      }))

    test("syncs every slot it has written before it touches the other", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory, slotsOf(record(6), record(5)))
        const noted = noting(io)
        const control = yield* openControl(noted.io, paths)
        const callsOf = (effect: Effect.Effect<void, unknown>) =>
          Effect.map(effect, () => noted.calls.splice(0).map((call) => call.split(" ")[0]))
        noted.calls.splice(0)
        assert.deepStrictEqual(yield* callsOf(control.repair), ["writeAt", "sync", "writeAt", "sync"])
        assert.deepStrictEqual(yield* callsOf(control.repair), [])
        assert.deepStrictEqual(yield* callsOf(control.write(record(7))), ["writeAt", "sync"])
        const next = record(8, { generation: 3 })
        assert.deepStrictEqual(yield* callsOf(control.writeBoth(next)), [
          "writeAt",
          "sync",
          "writeAt",
          "sync"
        ])
        assert.deepStrictEqual(yield* contentOf(io, paths.control), slotsOf(next, next))
      }))

    for (const [operation, error] of [
      ["writeAt", new NoSpace({ path: "here", syscall: "write" })],
      ["sync", diskError("here")]
    ] as const) {
      for (const failing of [1, 2]) {
        test(`is poisoned once its ${operation} has failed, at slot ${failing} of a collection`, (directory) =>
          Effect.gen(function* () {
            const { io, paths } = yield* withStore(directory, slotsOf(record(6), record(5)))
            let armed = false
            let count = 0
            const noted = noting(io, (call) =>
              armed && call.startsWith(operation) && ++count === failing ? error : undefined
            )
            const control = yield* openControl(noted.io, paths)
            yield* control.repair
            armed = true
            const next = record(7, { generation: 3 })
            assert.strictEqual(yield* Effect.flip(control.writeBoth(next)), error)
            assert.deepStrictEqual(control.record, record(6))
            noted.calls.splice(0)
            for (const again of [control.writeBoth(next), control.write(record(7))]) {
              const poisoned = yield* Effect.flip(again)
              assert.instanceOf(poisoned, Poisoned)
              assert.strictEqual(poisoned.path, paths.control)
              assert.strictEqual(poisoned.cause, error)
            }
            assert.deepStrictEqual(noted.calls, [])
          }))
      }
    }

    test("is not repaired by a repair that failed", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory, slotsOf(record(6), record(5)))
        const noted = noting(io, (call, count) =>
          call === "sync store.control" && count === 2 ? diskError(paths.control) : undefined
        )
        const control = yield* openControl(noted.io, paths)
        assert.instanceOf(yield* Effect.flip(control.repair), IoFailed)
        assert.include(yield* defectOf(control.write(record(7))), "before it was repaired")
        const again = yield* openControl(io, paths)
        yield* again.repair
        yield* again.write(record(7))
        assert.deepStrictEqual((yield* readControl(io, paths)).record, record(7))
      }))

    test("completes a write whose fiber is interrupted", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory, slotsOf(record(6), record(5)))
        let begun = 0
        const slow = watchedIo(io, {
          before: (operation) => {
            if (operation === "writeAt") begun++
          },
          pause: Effect.sleep(5)
        })
        const control = yield* openControl(slow, paths)
        yield* control.repair
        begun = 0
        const next = record(7, { generation: 3 })
        const fiber = yield* Effect.forkScoped(control.writeBoth(next))
        while (begun === 0) yield* Effect.sleep(1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(begun, 2)
        assert.deepStrictEqual(control.record, next)
        assert.deepStrictEqual(yield* contentOf(io, paths.control), slotsOf(next, next))
        yield* control.write({ ...next, sequence: 8 })
      }))

    test("refuses what only a bug can ask of it", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory, slotsOf(record(6), record(5)))
        const bytes = yield* contentOf(io, paths.control)
        const slow = watchedIo(io, { before: () => {}, pause: Effect.sleep(5) })
        const control: ControlFile = yield* openControl(slow, paths)
        assert.include(yield* defectOf(control.write(record(7))), "before it was repaired")
        assert.deepStrictEqual(yield* contentOf(io, paths.control), bytes)
        yield* control.repair
        for (const sequence of [5, 6, 8]) {
          assert.include(yield* defectOf(control.write(record(sequence))), "can't follow")
          assert.include(yield* defectOf(control.writeBoth(record(sequence))), "can't follow")
        }
        for (const changes of [{ generation: 3 }, { firstChunk: 5 }]) {
          assert.include(yield* defectOf(control.write(record(7, changes))), "both slots")
        }
        assert.include(yield* defectOf(control.write(record(7, { prefixMapBytes: 0 }))), "nobody could read")
        const both = yield* Effect.all(
          [control.write(record(7)), Effect.andThen(Effect.sleep(1), defectOf(control.write(record(7))))],
          { concurrency: 2 }
        )
        assert.include(both[1], "twice at once")
        const busy = yield* Effect.forkChild(control.write(record(8)), { startImmediately: true })
        assert.throws(() => control.writeNow(record(8)), /twice at once/)
        assert.throws(() => control.writeNow(record(9)), /twice at once/)
        yield* Fiber.join(busy)
        for (const next of [record(8), record(10), record(9, { generation: 3 })]) {
          assert.throws(() => control.writeNow(next), /can't follow|both slots/)
        }
        control.writeNow(record(9)) // none of all that has poisoned it
        assert.deepStrictEqual((yield* readControl(io, paths)).record, record(9))
      }))
  })

  onDisk((test) => {
    test("is poisoned by an fsync that the system failed, and whole when it is opened anew", (directory) =>
      Effect.gen(function* () {
        const { io, paths } = yield* withStore(directory, slotsOf(record(6), record(5)))
        const control = yield* openControl(io, paths)
        yield* control.repair
        failNextSync(paths.control)
        assert.instanceOf(yield* Effect.flip(control.write(record(7))), IoFailed)
        assert.instanceOf(yield* Effect.flip(control.write(record(7))), Poisoned)
        assert.throws(() => control.writeNow(record(7)), Poisoned)
        const again = yield* openControl(io, paths)
        yield* again.repair
        yield* again.write({ ...again.record, sequence: again.record.sequence + 1 })
      }))
  })
})

/** What a file shows when it is opened, and what its device holds for certain then. */
interface Found {
  readonly shown: Uint8Array
  readonly durable: Uint8Array
  /** Whether the system still means to write what it shows; after a failed fsync it does not. */
  readonly pending: boolean
}

const founds: ReadonlyArray<[string, Found]> = (
  [
    ["both slots whole", slotsOf(record(6), record(5)), undefined],
    ["both slots the same", slotsOf(record(6), record(6)), undefined],
    ["the newest slot torn", fileOf(encodeControlRecord(record(6)), tornRecord(7)), undefined],
    ["the other slot blank", fileOf(encodeControlRecord(record(6)), new Uint8Array(0)), undefined],
    ["the newest slot never synced", slotsOf(record(6), record(5)), slotsOf(record(4), record(5))],
    ["a second slot never synced", slotsOf(record(6), record(6)), slotsOf(record(6), record(5))]
  ] as const
).flatMap(([name, shown, durable]): Array<[string, Found]> =>
  durable === undefined
    ? [[name, { shown, durable: shown, pending: false }]]
    : [
        [`${name}, its writer killed`, { shown, durable, pending: true }],
        [`${name}, its fsync failed`, { shown, durable, pending: false }]
      ]
)

describe("a power cut", () => {
  onEachIo((test) => {
    for (const [name, found] of founds) {
      test(`at any moment leaves the record before or after, with ${name}`, (directory) =>
        Effect.gen(function* () {
          const { io, paths } = yield* withStore(directory, found.shown)
          const file = new UnsyncedFile(found.durable)
          if (found.pending) {
            file.written(0, found.shown.subarray(0, 96))
            file.written(controlSlotBytes, found.shown.subarray(controlSlotBytes, controlSlotBytes + 96))
          }
          let allowed: ReadonlyArray<number> = []
          let states = 0
          const look = (): void => {
            for (const left of file.afterCut()) {
              assert.include(allowed, decodeControlSlots(left, paths.control).record.sequence)
              states++
            }
          }
          const control = yield* openControl(crashingIo(io, file, look), paths)
          const step = (effect: Effect.Effect<void, unknown>, before: number, after: number) =>
            Effect.gen(function* () {
              allowed = [before, after]
              yield* effect
              allowed = [after]
              look()
            })
          // Until it is repaired, what is shown is not sure; the state before it may come back.
          yield* step(control.repair, 5, 6)
          yield* step(control.write(record(7)), 6, 7)
          yield* step(control.write(record(8)), 7, 8)
          yield* step(control.writeBoth(record(9, { generation: 3 })), 8, 9)
          for (const slot of [0, controlSlotBytes]) {
            const bytes = file.durable.slice(slot, slot + 96)
            assert.deepStrictEqual(bytes, encodeControlRecord(record(9, { generation: 3 })))
          }
          yield* step(control.write(record(10, { generation: 3 })), 9, 10)
          assert.isAbove(states, 40)
        }))
    }
  })
})
