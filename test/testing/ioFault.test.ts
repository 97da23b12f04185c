/**
 * IoFault: each fault as a real Io shows it, what counts as a call, and what is known to be open.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { assert, describe, it } from "vitest"
import { Io, type IoFile } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { type FaultyIo, type FaultKind, IoFault } from "../../src/testing/IoFault.ts"
import { faultKinds } from "../../src/testing/faults.ts"
import { ioSuite } from "../../src/testing/ioSuite.ts"
import { scratchDirectory } from "../io/scratch.ts"

const directory = scratchDirectory()

describe("IoFault while nothing is armed", () => {
  const unarmed = IoFault.layer()
  const memory = Layer.provide(unarmed, IoMemory.layer)
  const node = Layer.provide(unarmed, IoNode.layerWith({ mapping: "off" }))
  for (const law of ioSuite(memory, { directory: "/", mapping: "zeroed" }))
    it(`IoMemory: ${law.name}`, law.run)
  for (const law of ioSuite(node, { directory, mapping: "unsupported" })) it(`IoNode: ${law.name}`, law.run)
})

/** A program over a faulty Io in memory, with a file of ten bytes in it. */
const withFaults = (body: (faulty: FaultyIo) => Effect.Effect<void, unknown, Scope.Scope>) =>
  Effect.gen(function* () {
    const inner = yield* Io
    yield* Effect.scoped(
      Effect.flatMap(inner.create("/ten", { overwrite: false }), (file) =>
        file.writeAt(0, new Uint8Array(10).fill(7))
      )
    )
    yield* body(IoFault.make(inner))
  }).pipe(Effect.provide(IoMemory.layer), Effect.scoped, Effect.runPromise)

const openTen = ({ io }: FaultyIo) => io.open("/ten", { readonly: false })

const codeOf = (error: unknown): string => {
  const { _tag, code } = error as { _tag: string; code?: string }
  return code === undefined ? _tag : `${_tag} ${code}`
}

const next = (faulty: FaultyIo, kind: FaultKind): void => faulty.arm({ kind, at: 0, lasts: "once" })

/** What a call gives, as an Effect and by its synchronous twin, with a fault before each. */
const bothWays = <A>(
  faulty: FaultyIo,
  kind: FaultKind,
  { later, now }: { later: Effect.Effect<A, unknown>; now: () => A }
) =>
  Effect.gen(function* () {
    next(faulty, kind)
    const first = yield* Effect.flip(later)
    next(faulty, kind)
    let second: unknown
    try {
      now()
    } catch (error) {
      second = error
    }
    assert.strictEqual(codeOf(first), codeOf(second))
    return codeOf(first)
  })

describe("IoFault", () => {
  it("EIO fails any call, once, and what follows goes on", () =>
    withFaults((faulty) =>
      Effect.gen(function* () {
        const { io } = faulty
        const calls: ReadonlyArray<[string, Effect.Effect<unknown, unknown, Scope.Scope>]> = [
          ["open", io.create("/new", { overwrite: false })],
          ["open", io.open("/ten", { readonly: true })],
          ["stat", io.sizeOf("/ten")],
          ["lstat", io.classify("/ten")],
          ["readdir", io.list("/")],
          ["mkdir", io.makeDirectory("/directory")],
          ["fsync", io.syncDirectory("/")],
          ["lock", io.lock("/lock")],
          ["rename", io.rename("/ten", "/zehn")],
          ["unlink", io.remove("/zehn")]
        ]
        for (const [syscall, call] of calls) {
          next(faulty, "EIO")
          const error = yield* Effect.flip(call)
          assert.include(error, { _tag: "IoFailed", code: "EIO", syscall })
          yield* call
        }
      })
    ))

  it("EIO fails any call of a file, and a write that fails has written nothing", () =>
    withFaults((faulty) =>
      Effect.gen(function* () {
        const file = yield* openTen(faulty)
        const { unsafe } = file
        const bytes = new Uint8Array(4)
        const calls: ReadonlyArray<{ later: Effect.Effect<unknown, unknown>; now: () => unknown }> = [
          { later: file.readAt(0, bytes), now: () => unsafe.readAt(0, bytes) },
          { later: file.readSomeAt(0, bytes), now: () => unsafe.readSomeAt(0, bytes) },
          { later: file.writeAt(0, bytes), now: () => unsafe.writeAt(0, bytes) },
          { later: file.size, now: () => unsafe.size() },
          { later: file.truncate(3), now: () => unsafe.truncate(3) },
          { later: file.punchHole(0, 4), now: () => unsafe.punchHole(0, 4) }
        ]
        for (const call of calls) assert.strictEqual(yield* bothWays(faulty, "EIO", call), "IoFailed EIO")
        next(faulty, "EIO")
        assert.strictEqual(codeOf(yield* Effect.flip(file.map(0, 10))), "IoFailed EIO")
        const all = new Uint8Array(10)
        yield* file.readAt(0, all)
        assert.deepStrictEqual([...all], new Array(10).fill(7))
      })
    ))

  it("ENOSPC is NoSpace where space can be needed, and passes over every other call", () =>
    withFaults((faulty) =>
      Effect.gen(function* () {
        const { io } = faulty
        const file = yield* openTen(faulty)
        faulty.arm({ kind: "ENOSPC", at: 0, lasts: "on" })
        yield* io.list("/")
        yield* io.syncDirectory("/")
        yield* file.readAt(0, new Uint8Array(10))
        assert.isUndefined(faulty.hit())
        const failing: ReadonlyArray<Effect.Effect<unknown, unknown, Scope.Scope>> = [
          io.create("/new", { overwrite: false }),
          io.makeDirectory("/directory"),
          io.rename("/ten", "/zehn"),
          io.lock("/lock"),
          file.writeAt(0, new Uint8Array(1)),
          file.truncate(100),
          file.punchHole(0, 1),
          file.sync
        ]
        for (const call of failing) assert.strictEqual(codeOf(yield* Effect.flip(call)), "NoSpace")
        assert.include(faulty.hit()?.call, { operation: "create", path: "/new" })
      })
    ))

  it("EMFILE fails what opens a descriptor, and nothing else", () =>
    withFaults((faulty) =>
      Effect.gen(function* () {
        const { io } = faulty
        const file = yield* openTen(faulty)
        faulty.arm({ kind: "EMFILE", at: 0, lasts: "on" })
        yield* io.sizeOf("/ten")
        yield* io.classify("/ten")
        yield* file.writeAt(0, new Uint8Array(10))
        yield* file.sync
        const failing: ReadonlyArray<Effect.Effect<unknown, unknown, Scope.Scope>> = [
          io.create("/new", { overwrite: false }),
          io.open("/ten", { readonly: true }),
          io.lock("/lock"),
          io.list("/"),
          io.syncDirectory("/")
        ]
        for (const call of failing) assert.strictEqual(codeOf(yield* Effect.flip(call)), "IoFailed EMFILE")
      })
    ))

  it("a short read ends as if the file did", () =>
    withFaults((faulty) =>
      Effect.gen(function* () {
        const file = yield* openTen(faulty)
        for (const share of [0, 0.5, 0.9]) {
          const buffer = new Uint8Array(10)
          faulty.arm({ kind: "short-read", at: 0, lasts: "once", share })
          assert.strictEqual(yield* file.readSomeAt(0, buffer), 10 * share)
          assert.deepStrictEqual([...buffer], [...buffer].fill(7, 0, 10 * share).fill(0, 10 * share))
          faulty.arm({ kind: "short-read", at: 0, lasts: "once", share })
          const error = yield* Effect.flip(file.readAt(0, buffer))
          assert.include(error, { _tag: "ReadOutOfBounds", offset: 0, length: 10, end: 10 * share })
        }
        const twins = {
          later: file.readAt(2, new Uint8Array(4)),
          now: () => file.unsafe.readAt(2, new Uint8Array(4))
        }
        assert.strictEqual(yield* bothWays(faulty, "short-read", twins), "ReadOutOfBounds")
        next(faulty, "short-read")
        // Half of what is there, not of what was asked for.
        assert.strictEqual(file.unsafe.readSomeAt(6, new Uint8Array(100)), 2)
        assert.isDefined(faulty.hit())
      })
    ))

  it("a short write writes the first part and then finds no space; a zero write writes nothing", () =>
    withFaults((faulty) =>
      Effect.gen(function* () {
        const file = yield* openTen(faulty)
        const content = Effect.gen(function* () {
          const bytes = new Uint8Array(20)
          return [...bytes.subarray(0, yield* file.readSomeAt(0, bytes))]
        })
        const write = (value: number) => ({
          later: file.writeAt(8, new Uint8Array(6).fill(value)),
          now: () => file.unsafe.writeAt(8, new Uint8Array(6).fill(value))
        })
        assert.strictEqual(yield* bothWays(faulty, "zero-write", write(1)), "IoFailed ZERO_WRITE")
        assert.deepStrictEqual(yield* content, new Array(10).fill(7))
        assert.strictEqual(yield* bothWays(faulty, "short-write", write(2)), "NoSpace")
        assert.deepStrictEqual(yield* content, [...new Array(8).fill(7), 2, 2, 2])
        faulty.arm({ kind: "short-write", at: 0, lasts: "once", share: 1 })
        yield* Effect.flip(write(3).later)
        assert.deepStrictEqual(yield* content, [...new Array(8).fill(7), 3, 3, 3, 3, 3, 3])
      })
    ))

  it("a failing sync poisons the file, and not another one that is open", () =>
    withFaults((faulty) =>
      Effect.gen(function* () {
        const other = yield* openTen(faulty)
        for (const [kind, tag] of [
          ["EIO", "IoFailed EIO"],
          ["ENOSPC", "NoSpace"]
        ] as const) {
          for (const how of ["later", "now"] as const) {
            const file = yield* openTen(faulty)
            next(faulty, kind)
            const sync = Effect.try({ try: () => file.unsafe.sync(), catch: (error) => error })
            assert.strictEqual(codeOf(yield* Effect.flip(how === "now" ? sync : file.sync)), tag)
            faulty.disarm()
            const refused = [
              file.sync,
              file.writeAt(0, new Uint8Array(1)),
              file.writeAt(0, new Uint8Array(0))
            ]
            for (const call of [...refused, file.truncate(1), file.punchHole(0, 1), sync]) {
              assert.strictEqual(codeOf(yield* Effect.flip(call)), "Poisoned")
            }
            // What is wrong with the call itself comes first, and reads go on.
            assert.strictEqual(codeOf(yield* Effect.flip(file.truncate(-1))), "InvalidArgument")
            yield* file.readAt(0, new Uint8Array(10))
            yield* file.close
            assert.strictEqual(codeOf(yield* Effect.flip(file.sync)), "Closed")
          }
        }
        yield* other.writeAt(0, new Uint8Array(1))
        yield* other.sync
      })
    ))

  it("a failing close closes", () =>
    withFaults((faulty) =>
      Effect.gen(function* () {
        const file = yield* openTen(faulty)
        next(faulty, "EIO")
        assert.strictEqual(codeOf(yield* Effect.flip(file.close)), "IoFailed EIO")
        assert.deepStrictEqual(faulty.open(), [])
        assert.strictEqual(codeOf(yield* Effect.flip(file.close)), "DoubleClose")
        assert.strictEqual(codeOf(yield* Effect.flip(file.size)), "Closed")
      })
    ))

  it("what does not reach the system is no call", () =>
    withFaults((faulty) =>
      Effect.gen(function* () {
        const { io } = faulty
        const reader = yield* io.open("/ten", { readonly: true })
        const closed = yield* io.open("/ten", { readonly: false })
        yield* closed.close
        assert.strictEqual(faulty.calls(), 3)
        faulty.arm({ kind: "EIO", at: 0, lasts: "on" })
        const refused: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
          reader.writeAt(0, new Uint8Array(1)),
          reader.sync,
          reader.readAt(-1, new Uint8Array(1)),
          reader.readAt(0.5, new Uint8Array(1)),
          closed.size,
          closed.close
        ]
        const tags = yield* Effect.forEach(refused, (call) => Effect.map(Effect.flip(call), codeOf))
        const expected = ["RoNotAllowed", "RoNotAllowed", "InvalidArgument", "InvalidArgument", "Closed"]
        assert.deepStrictEqual(tags, [...expected, "DoubleClose"])
        yield* reader.readAt(3, new Uint8Array(0))
        assert.strictEqual(faulty.calls(), 3)
        assert.isUndefined(faulty.hit())
      })
    ))

  it("counts from the moment that it was armed, and tells the first call that was hit", () =>
    withFaults((faulty) =>
      Effect.gen(function* () {
        const { io } = faulty
        const told: Array<string> = []
        const watched = IoFault.make(io, { onCall: ({ operation }) => told.push(operation) })
        yield* watched.io.list("/")
        const fault = { kind: "EIO", at: 1, lasts: "on" } as const
        watched.arm(fault)
        yield* watched.io.list("/")
        yield* watched.apart(watched.io.list("/"))
        yield* Effect.flip(watched.io.sizeOf("/ten"))
        yield* watched.apart(watched.io.sizeOf("/ten"))
        yield* Effect.flip(watched.io.classify("/ten"))
        assert.deepStrictEqual(watched.hit(), {
          fault,
          call: { operation: "sizeOf", path: "/ten", length: 0 }
        })
        watched.disarm()
        yield* watched.io.sizeOf("/ten")
        assert.deepStrictEqual(told, ["list", "list", "sizeOf", "classify", "sizeOf"])
        assert.strictEqual(watched.calls(), 5)
      })
    ))

  it("a fault once waits for a call that it can happen to; two faults each hit theirs", () =>
    withFaults((faulty) =>
      Effect.gen(function* () {
        const file = yield* openTen(faulty)
        faulty.arm({ kind: "zero-write", at: 1, lasts: "once" }, { kind: "EIO", at: 2, lasts: "once" })
        yield* file.size
        yield* file.size
        yield* Effect.flip(file.size)
        yield* Effect.flip(file.writeAt(0, new Uint8Array(1)))
        yield* file.writeAt(0, new Uint8Array(1))
        assert.strictEqual(faulty.hit()?.fault.kind, "EIO")
      })
    ))

  it("knows what is open: files, locks and mappings, until their scope has ended or they were closed", () =>
    withFaults((faulty) =>
      Effect.gen(function* () {
        const { io } = faulty
        const scope = yield* Scope.make()
        const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Scope.provide(effect, scope)
        const file: IoFile = yield* inScope(openTen(faulty))
        yield* inScope(io.lock("/lock"))
        yield* inScope(file.map(0, 10))
        const second = yield* inScope(openTen(faulty))
        yield* Effect.flip(inScope(io.open("/none", { readonly: true })))
        const all = ["file /ten", "lock /lock", "mapping of /ten", "file /ten"]
        assert.deepStrictEqual(faulty.open(), all)
        yield* second.close
        assert.deepStrictEqual(faulty.open(), all.slice(0, 3))
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(faulty.open(), [])
        assert.strictEqual(codeOf(yield* Effect.flip(file.size)), "Closed")
      })
    ))

  it("as a layer it fails a program's calls from the first on", async () => {
    for (const kind of faultKinds) {
      const layer = Layer.provide(IoFault.layer({ kind, at: 0, lasts: "on" }), IoMemory.layer)
      const program = Effect.gen(function* () {
        const io = yield* Io
        const file = yield* io.create("/file", { overwrite: false })
        yield* file.writeAt(0, new Uint8Array(8))
        yield* file.readAt(0, new Uint8Array(8))
      }).pipe(Effect.scoped, Effect.provide(layer), Effect.exit)
      assert.isTrue(Exit.isFailure(await Effect.runPromise(program)), kind)
    }
  })
})
