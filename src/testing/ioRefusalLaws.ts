/**
 * The laws of what an open file refuses: arguments that make no sense, changes through a read-only
 * handle, everything after closing.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { IoFile, MapError, PunchError } from "../io/Io.ts"
import { bytesAt, contentOf, fileOf, type IoLaw, ioLaw, pattern } from "./ioLaw.ts"
import { checkBytes, checkEqual, checkFails, checkThrows } from "./law.ts"

const largeBytes = 3 * (1 << 20) + 17

const badNumbers = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]

type Operation = readonly [name: string, effect: Effect.Effect<unknown, unknown>, twin: () => unknown]

/** Every operation with its twin, for laws that hold for all of them. */
const operations = (
  file: IoFile
): { readonly readers: ReadonlyArray<Operation>; readonly writers: ReadonlyArray<Operation> } => ({
  readers: [
    ["readAt", file.readAt(0, new Uint8Array(1)), () => file.unsafe.readAt(0, new Uint8Array(1))],
    ["readSomeAt", file.readSomeAt(0, new Uint8Array(1)), () => file.unsafe.readSomeAt(0, new Uint8Array(1))],
    [
      "a large readAt",
      file.readAt(0, new Uint8Array(largeBytes)),
      () => file.unsafe.readAt(0, new Uint8Array(largeBytes))
    ],
    ["size", file.size, () => file.unsafe.size()]
  ],
  writers: [
    ["writeAt", file.writeAt(0, pattern(1)), () => file.unsafe.writeAt(0, pattern(1))],
    [
      "a large writeAt",
      file.writeAt(0, new Uint8Array(largeBytes)),
      () => file.unsafe.writeAt(0, new Uint8Array(largeBytes))
    ],
    ["an empty writeAt", file.writeAt(0, pattern(0)), () => file.unsafe.writeAt(0, pattern(0))],
    ["truncate", file.truncate(1), () => file.unsafe.truncate(1)],
    ["sync", file.sync, () => file.unsafe.sync()],
    ["punchHole", file.punchHole(0, 1), () => file.unsafe.punchHole(0, 1)]
  ]
})

export const ioRefusalLaws: ReadonlyArray<IoLaw> = [
  ioLaw("offsets and sizes that are none are InvalidArgument, and change nothing", function* (law) {
    const { directory, io } = law
    const file = yield* fileOf(io, `${directory}/file`, pattern(10))
    for (const bad of badNumbers) {
      for (const size of [1, largeBytes]) {
        const buffer = new Uint8Array(size)
        yield* checkFails("InvalidArgument", file.readAt(bad, buffer), `readAt ${bad}`)
        yield* checkFails("InvalidArgument", file.readSomeAt(bad, buffer), `readSomeAt ${bad}`)
        yield* checkFails("InvalidArgument", file.writeAt(bad, buffer), `writeAt ${bad}`)
        checkThrows("InvalidArgument", () => file.unsafe.readAt(bad, buffer), `unsafe.readAt ${bad}`)
        checkThrows("InvalidArgument", () => file.unsafe.readSomeAt(bad, buffer), `readSomeAt ${bad}`)
        checkThrows("InvalidArgument", () => file.unsafe.writeAt(bad, buffer), `unsafe.writeAt ${bad}`)
      }
      yield* checkFails("InvalidArgument", file.truncate(bad), `truncate ${bad}`)
      yield* checkFails("InvalidArgument", file.punchHole(bad, 1), `punchHole at ${bad}`)
      yield* checkFails("InvalidArgument", file.punchHole(0, bad), `punchHole of ${bad}`)
      yield* checkFails("InvalidArgument", file.map(bad, 1), `map at ${bad}`)
      yield* checkFails("InvalidArgument", file.map(0, bad), `map of ${bad}`)
      checkThrows("InvalidArgument", () => file.unsafe.truncate(bad), `unsafe.truncate ${bad}`)
      checkThrows("InvalidArgument", () => file.unsafe.punchHole(bad, 1), `unsafe.punchHole ${bad}`)
    }
    checkBytes(yield* contentOf(file), pattern(10), "content")
  }),
  ioLaw("a range that ends beyond 2^53-1 is InvalidArgument", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10))
    const last = Number.MAX_SAFE_INTEGER
    yield* checkFails("InvalidArgument", bytesAt(file, last - 1, 2), "readAt")
    yield* checkFails("InvalidArgument", file.writeAt(last, pattern(1)), "writeAt")
    yield* checkFails("InvalidArgument", file.punchHole(last, 1), "punchHole")
    yield* checkFails("InvalidArgument", file.map(last, 1), "map")
  }),
  ioLaw("a read-only handle reads, and refuses every change with RoNotAllowed", function* (law) {
    const { directory, io } = law
    const path = `${directory}/file`
    yield* fileOf(io, path, pattern(10))
    const file = yield* io.open(path, { readonly: true })
    for (const [name, effect, twin] of operations(file).writers) {
      yield* checkFails("RoNotAllowed", effect, name)
      checkThrows("RoNotAllowed", twin, `unsafe ${name}`)
    }
    checkBytes(yield* contentOf(file), pattern(10), "content")
  }),
  ioLaw("a closed file refuses everything with Closed", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10))
    const { readers, writers } = operations(file)
    yield* file.close
    for (const [name, effect, twin] of [...readers, ...writers]) {
      yield* checkFails("Closed", effect, name)
      checkThrows("Closed", twin, `unsafe ${name}`)
    }
    yield* checkFails("Closed", file.map(0, 1), "map")
  }),
  ioLaw("a refusal names the operation that was called", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10))
    type Asked = readonly [operation: string, effect: Effect.Effect<unknown, MapError | PunchError>]
    const asked = (offset: number): ReadonlyArray<Asked> => {
      const large = new Uint8Array(largeBytes)
      return [
        ["readAt", file.readAt(offset, pattern(1))],
        ["readAt", file.readAt(offset, large)],
        ["readSomeAt", file.readSomeAt(offset, pattern(1))],
        ["readSomeAt", file.readSomeAt(offset, large)],
        ["writeAt", file.writeAt(offset, pattern(1))],
        ["writeAt", file.writeAt(offset, large)],
        ["truncate", file.truncate(offset)],
        ["punchHole", file.punchHole(offset, 1)],
        ["map", Effect.scoped(file.map(offset, 1))]
      ]
    }
    for (const [operation, effect] of asked(-1)) {
      checkEqual((yield* checkFails("InvalidArgument", effect, operation)).operation, operation, "operation")
    }
    yield* file.close
    for (const [operation, effect] of asked(0)) {
      checkEqual((yield* checkFails("Closed", effect, operation)).operation, operation, "operation")
    }
  }),
  ioLaw("a second close is DoubleClose", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10))
    yield* file.close
    yield* checkFails("DoubleClose", file.close, "the second")
    yield* checkFails("DoubleClose", file.close, "the third")
  }),
  ioLaw("the end of the scope closes the file, closed before or not", function* ({ directory, io }) {
    const scope = yield* Scope.make()
    const created = yield* Scope.provide(io.create(`${directory}/a`, { overwrite: false }), scope)
    const opened = yield* Scope.provide(io.open(`${directory}/a`, { readonly: true }), scope)
    const closed = yield* Scope.provide(io.create(`${directory}/b`, { overwrite: false }), scope)
    yield* closed.close
    yield* Scope.close(scope, Exit.void)
    yield* checkFails("Closed", created.size, "the created")
    yield* checkFails("Closed", opened.size, "the opened")
    yield* checkFails("DoubleClose", opened.close, "close after the scope")
    yield* checkFails("DoubleClose", closed.close, "close of the one closed before")
  })
]
