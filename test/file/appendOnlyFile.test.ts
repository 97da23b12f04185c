import fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import * as Scope from "effect/Scope"
import { afterAll, assert, beforeEach, describe, expectTypeOf, it } from "vitest"
import {
  Closed,
  IoFailed,
  NoSpace,
  type PendingFlush,
  Poisoned,
  Unsupported
} from "../../src/bytes/errors.ts"
import type { Extent } from "../../src/bytes/extent.ts"
import {
  AppendOnlyFile,
  type AppendOnlyAppendError,
  type AppendOnlyExternalError,
  type AppendOnlyFileService,
  type AppendOnlyFlushError,
  type AppendOnlyOpenRoError,
  type AppendOnlyOpenRwError
} from "../../src/file/AppendOnlyFile.ts"
import { Io, type IoFile, type IoService } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { IoNode } from "../../src/io/IoNode.ts"

const root = fs.mkdtempSync(join(tmpdir(), "lacuna-append-only-file-"))
afterAll(() => fs.rmSync(root, { recursive: true, force: true }))

/** Each test has an Io and a path of its own. */
let io: IoService
let path: string
let tests = 0
const renew = async (layer: Layer.Layer<Io>, directory: string) => {
  io = await Effect.runPromise(Effect.provide(Io, layer))
  path = `${directory}/file-${tests++}`
}

interface Log {
  readonly level: LogLevel.LogLevel
  readonly message: string
}
let logs: Array<Log> = []
const capture = Logger.layer([
  Logger.make(({ logLevel, message }) => {
    logs.push({ level: logLevel, message: String(Array.isArray(message) ? message[0] : message) })
  })
])

const run = <A, E>(effect: Effect.Effect<A, E, Io | Scope.Scope>, service: IoService = io): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect).pipe(Effect.provideService(Io, service), Effect.provide(capture)))

const tagOf = <A, E extends { readonly _tag: string }, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<E["_tag"], A, R> => Effect.map(Effect.flip(effect), (error) => error._tag)

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** The file itself, header and all. */
const onDisk = (file = path): Effect.Effect<string, unknown> =>
  Effect.gen(function* () {
    const bytes = new Uint8Array(yield* io.sizeOf(file))
    yield* Effect.scoped(Effect.flatMap(io.open(file, { readonly: true }), (f) => f.readAt(0, bytes)))
    return textOf(bytes)
  })

const putOnDisk = (text: string) =>
  Effect.scoped(
    Effect.flatMap(io.create(path, { overwrite: true }), (file) => file.writeAt(0, bytesOf(text)))
  )

/** `base`, with every opened file changed. */
const withFiles = (base: IoService, change: (file: IoFile) => IoFile): IoService => ({
  ...base,
  create: (at, options) => Effect.map(base.create(at, options), change),
  open: (at, options) => Effect.map(base.open(at, options), change)
})

const failing = (tag: "write" | "sync", times: { left: number }): ((file: IoFile) => IoFile) => {
  const noSpace = (file: IoFile) => new NoSpace({ path: file.path, syscall: "write" })
  const takes = (): boolean => times.left-- > 0
  return (file) =>
    tag === "sync"
      ? {
          ...file,
          sync: Effect.suspend(() =>
            takes()
              ? Effect.fail(new IoFailed({ syscall: "fsync", path: file.path, code: "EIO", cause: "test" }))
              : file.sync
          )
        }
      : {
          ...file,
          writeAt: (offset, bytes) =>
            Effect.suspend(() => (takes() ? Effect.fail(noSpace(file)) : file.writeAt(offset, bytes))),
          unsafe: {
            ...file.unsafe,
            writeAt: (offset, bytes) => {
              if (takes()) throw noSpace(file)
              file.unsafe.writeAt(offset, bytes)
            }
          }
        }
}

const create = (options: { readonly autoFlushThreshold?: number; readonly readsBuffer?: boolean } = {}) =>
  AppendOnlyFile.createRw({ path, overwrite: false, ...options })

describe.each([
  { name: "memory", layer: IoMemory.layer, directory: "" },
  { name: "node:fs", layer: IoNode.layer, directory: root }
])("an append-only file over $name", ({ layer, directory }) => {
  beforeEach(async () => {
    logs = []
    await renew(layer, directory)
  })

  describe("appending", () => {
    it("gives each record's offset, and buffers until flushed", () =>
      run(
        Effect.gen(function* () {
          const file = yield* create()
          assert.strictEqual(yield* file.append(bytesOf("abc")), 0)
          assert.strictEqual(yield* file.append(bytesOf("")), 3)
          assert.strictEqual(file.unsafe.append(bytesOf("de")), 3)
          assert.strictEqual(yield* file.appendAll([bytesOf("f"), bytesOf("gh")]), 5)
          assert.strictEqual(yield* file.appendAll([]), 8)
          assert.strictEqual(file.endPoff(), 8)
          assert.isFalse(file.emptyBuffer())
          assert.strictEqual(yield* onDisk(), "")
          yield* file.flush
          assert.strictEqual(file.endPoff(), 8)
          assert.isTrue(file.emptyBuffer())
          assert.strictEqual(yield* onDisk(), "abcdefgh")
        })
      ))

    it("flushes everything once the threshold is reached, and never splits a record", () =>
      run(
        Effect.gen(function* () {
          const file = yield* create({ autoFlushThreshold: 4 })
          yield* file.append(bytesOf("abc"))
          assert.strictEqual(yield* onDisk(), "")
          yield* file.append(bytesOf("defghijkl"))
          assert.strictEqual(yield* onDisk(), "abcdefghijkl")
          yield* file.append(bytesOf("mnop"))
          assert.strictEqual(yield* onDisk(), "abcdefghijklmnop")
          assert.isTrue(file.emptyBuffer())
        })
      ))

    it("keeps a copy: what the caller does to the bytes later does not show", () =>
      run(
        Effect.gen(function* () {
          const file = yield* create()
          const bytes = bytesOf("abc")
          yield* file.append(bytes)
          bytes.fill(0)
          yield* file.flush
          assert.strictEqual(yield* onDisk(), "abc")
        })
      ))

    it("takes many records from whatever can be iterated, though it be only once", () =>
      run(
        Effect.gen(function* () {
          const file = yield* create()
          const records = ["ab", "c", "def"].map(bytesOf)
          assert.strictEqual(yield* file.appendAll(records.values()), 0)
          assert.strictEqual(yield* file.appendAll(new Set(records)), 6)
          yield* file.flush
          assert.strictEqual(yield* onDisk(), "abcdefabcdef")
        })
      ))

    it("of many records leaves to the thread pool what is more than a megabyte", () =>
      run(
        Effect.gen(function* () {
          const writes: Array<string> = []
          const told = withFiles(io, (file) => ({
            ...file,
            writeAt: (offset, bytes) => {
              writes.push(`later ${bytes.length}`)
              return file.writeAt(offset, bytes)
            },
            unsafe: {
              ...file.unsafe,
              writeAt: (offset, bytes) => {
                writes.push(`now ${bytes.length}`)
                file.unsafe.writeAt(offset, bytes)
              }
            }
          }))
          const file = yield* Effect.provideService(create({ autoFlushThreshold: 10 }), Io, told)
          const records = ["a".repeat(10), "b".repeat(3 << 20), "c".repeat(5)]
          assert.strictEqual(yield* file.appendAll(records.map(bytesOf)), 0)
          assert.deepStrictEqual(writes, ["now 10", `later ${(3 << 20) + 5}`])
          assert.strictEqual(yield* onDisk(), records.join(""))
        })
      ))

    it("appends again when its Effect is run again", () =>
      run(
        Effect.gen(function* () {
          const file = yield* create()
          const twice = file.append(bytesOf("ab"))
          assert.deepStrictEqual([yield* twice, yield* twice], [0, 2])
        })
      ))

    it("has a threshold of 1 MiB unless told otherwise, and none when read-only", () =>
      run(
        Effect.gen(function* () {
          const file = yield* create()
          assert.strictEqual(file.autoFlushThreshold, 1 << 20)
          const reader = yield* AppendOnlyFile.openRo({ path, endPoff: 0, deadHeaderSize: 0 })
          assert.isUndefined(reader.autoFlushThreshold)
          assert.isTrue(reader.readonly)
          assert.isFalse(file.readonly)
          assert.strictEqual(reader.path, path)
        })
      ))

    it("refuses to end beyond 2^53-1, the dead header counted, and appends nothing then", () =>
      run(
        Effect.gen(function* () {
          yield* putOnDisk("0123456789")
          const far = Number.MAX_SAFE_INTEGER - 10
          const sized = withFiles(io, (file) => ({
            ...file,
            unsafe: { ...file.unsafe, size: () => Number.MAX_SAFE_INTEGER }
          }))
          const file = yield* Effect.provideService(
            AppendOnlyFile.openRw({ path, endPoff: far - 2, deadHeaderSize: 10 }),
            Io,
            sized
          )
          assert.strictEqual(yield* tagOf(file.append(bytesOf("abc"))), "InvalidArgument")
          assert.strictEqual(yield* tagOf(file.appendAll([bytesOf("ab"), bytesOf("c")])), "InvalidArgument")
          assert.isTrue(file.emptyBuffer())
          assert.strictEqual(yield* file.append(bytesOf("ab")), far - 2)
          yield* Effect.ignore(file.flush) // the disk of the test may refuse such offsets, or not
        })
      ))
  })

  describe("reading", () => {
    const straddling = (readsBuffer: boolean) =>
      Effect.gen(function* () {
        const file = yield* create({ readsBuffer })
        yield* file.append(bytesOf("abcd"))
        yield* file.flush
        yield* file.append(bytesOf("efgh"))
        return file
      })

    it("refuses as a whole what reaches into the append buffer", () =>
      run(
        Effect.gen(function* () {
          const file = yield* straddling(false)
          assert.strictEqual(textOf(yield* file.read(1, 3)), "bcd")
          const error = yield* Effect.flip(file.read(1, 4))
          assert.deepInclude(error, { _tag: "ReadOutOfBounds", path, offset: 1, length: 4, end: 4 })
          assert.strictEqual(yield* tagOf(file.read(4, 1)), "ReadOutOfBounds")
          assert.strictEqual(yield* tagOf(file.readInto(4, new Uint8Array(1))), "ReadOutOfBounds")
          assert.throws(() => file.unsafe.readInto(4, new Uint8Array(1)), /ends at 4/)
        })
      ))

    it("shows unflushed bytes with readsBuffer, also across the border", () =>
      run(
        Effect.gen(function* () {
          const file = yield* straddling(true)
          assert.strictEqual(textOf(yield* file.read(0, 8)), "abcdefgh")
          assert.strictEqual(textOf(yield* file.read(3, 2)), "de")
          assert.strictEqual(textOf(yield* file.read(5, 2)), "fg")
          assert.strictEqual(yield* tagOf(file.read(5, 4)), "ReadOutOfBounds")
        })
      ))

    it("reads 0 bytes anywhere up to the end, and not beyond", () =>
      run(
        Effect.gen(function* () {
          const file = yield* straddling(false)
          assert.strictEqual((yield* file.read(0, 0)).length, 0)
          assert.strictEqual((yield* file.read(4, 0)).length, 0)
          assert.strictEqual(yield* tagOf(file.read(5, 0)), "ReadOutOfBounds")
        })
      ))

    it("checks a length before it allocates memory for it", () =>
      run(
        Effect.gen(function* () {
          const file = yield* straddling(false)
          assert.strictEqual(yield* tagOf(file.read(0, 2 ** 52)), "ReadOutOfBounds")
          assert.strictEqual(yield* tagOf(file.read(0, 2 ** 53)), "InvalidArgument")
          assert.strictEqual(yield* tagOf(file.read(0, -1)), "InvalidArgument")
          assert.strictEqual(yield* tagOf(file.read(0.5, 1)), "InvalidArgument")
          assert.strictEqual(yield* tagOf(file.read(Number.MAX_SAFE_INTEGER, 1)), "InvalidArgument")
        })
      ))

    it("takes no memory for what a reader was told of and the file does not have", () =>
      run(
        Effect.gen(function* () {
          yield* putOnDisk("abc")
          const file = yield* AppendOnlyFile.openRo({ path, endPoff: 2, deadHeaderSize: 1 })
          yield* file.refreshEndPoff(2 ** 45)
          const error = yield* Effect.flip(file.read(1, 2 ** 44))
          assert.deepInclude(error, { _tag: "ReadOutOfBounds", offset: 1, length: 2 ** 44, end: 2 })
        })
      ))

    it("of more than an array can hold is InvalidArgument, not a defect", () =>
      run(
        Effect.gen(function* () {
          const written = yield* io.create(path, { overwrite: false })
          yield* written.truncate(2 ** 43)
          const file = yield* AppendOnlyFile.openRo({ path, endPoff: 2 ** 43, deadHeaderSize: 0 })
          assert.strictEqual(yield* tagOf(file.read(0, 2 ** 43)), "InvalidArgument")
          assert.strictEqual((yield* file.read(2 ** 43 - 3, 3)).length, 3)
        })
      ))

    it("reads several MiB on the thread pool, from the file and the buffer at once", () =>
      run(
        Effect.gen(function* () {
          const file = yield* create({ autoFlushThreshold: 2 ** 40, readsBuffer: true })
          const bytes = Uint8Array.from({ length: 5 << 20 }, (_, i) => i % 253)
          yield* file.append(bytes.subarray(0, 3 << 20))
          yield* file.flush
          yield* file.append(bytes.subarray(3 << 20))
          const large = yield* file.read(5, (5 << 20) - 7)
          assert.isTrue(Buffer.from(large).equals(bytes.subarray(5, (5 << 20) - 2)))
          const buffered = yield* file.read(3 << 20, 2 << 20)
          assert.isTrue(Buffer.from(buffered).equals(bytes.subarray(3 << 20)))
        })
      ))

    it("tells what the system says of a file that can't be read, few bytes or many", () =>
      run(
        Effect.gen(function* () {
          const broken = (file: IoFile): IoFile => {
            const error = new IoFailed({ syscall: "read", path: file.path, code: "EIO", cause: "test" })
            const readAt = () => {
              throw error
            }
            return { ...file, readAt: () => Effect.fail(error), unsafe: { ...file.unsafe, readAt } }
          }
          const file = yield* Effect.provideService(create(), Io, withFiles(io, broken))
          yield* file.append(new Uint8Array(3 << 20))
          yield* file.flush
          for (const length of [10, 2 << 20]) {
            const error = yield* Effect.flip(file.read(5, length))
            assert.deepInclude(error, { _tag: "IoFailed", path, code: "EIO" })
          }
        })
      ))

    it("tells in the caller's offsets that a file was cut short, however much is read", () =>
      run(
        Effect.gen(function* () {
          yield* putOnDisk("HEAD" + "a".repeat(3 << 20))
          const place = { path, endPoff: 3 << 20, deadHeaderSize: 4 }
          const shrinking = withFiles(io, (file) => ({
            ...file,
            readAt: (offset, buffer) =>
              Effect.andThen(
                Effect.orDie(
                  Effect.scoped(
                    Effect.flatMap(io.open(path, { readonly: false }), (one) => one.truncate(1004))
                  )
                ),
                file.readAt(offset, buffer)
              )
          }))
          const reader = yield* Effect.provideService(AppendOnlyFile.openRo(place), Io, shrinking)
          const buffer = new Uint8Array(2 << 20)
          const error = yield* Effect.flip(reader.readInto(7, buffer))
          assert.deepInclude(error, { _tag: "ReadOutOfBounds", offset: 7, length: 2 << 20, end: 1000 })
        })
      ))

    it("tells in the caller's offsets that the file is shorter than a reader was told", () =>
      run(
        Effect.gen(function* () {
          yield* putOnDisk("HEADabcd")
          const reader = yield* AppendOnlyFile.openRo({ path, endPoff: 4, deadHeaderSize: 4 })
          yield* reader.refreshEndPoff(100)
          const error = yield* Effect.flip(reader.read(2, 10))
          assert.deepInclude(error, { _tag: "ReadOutOfBounds", offset: 2, length: 10, end: 4 })
        })
      ))
  })

  describe("the dead header", () => {
    it("is never read, never written, and not counted", () =>
      run(
        Effect.gen(function* () {
          yield* putOnDisk("HEADERabc")
          const file = yield* AppendOnlyFile.openRw({ path, endPoff: 3, deadHeaderSize: 6 })
          assert.strictEqual(file.endPoff(), 3)
          assert.strictEqual(textOf(yield* file.read(0, 3)), "abc")
          assert.strictEqual(yield* file.append(bytesOf("def")), 3)
          yield* file.flush
          assert.strictEqual(textOf(yield* file.read(2, 3)), "cde")
          assert.strictEqual(yield* onDisk(), "HEADERabcdef")
        })
      ))

    it("does not show through negative offsets", () =>
      run(
        Effect.gen(function* () {
          yield* putOnDisk("HEADERabc")
          const file = yield* AppendOnlyFile.openRo({ path, endPoff: 3, deadHeaderSize: 6 })
          assert.strictEqual(yield* tagOf(file.read(-1, 1)), "InvalidArgument")
          assert.strictEqual(yield* tagOf(file.read(-6, 9)), "InvalidArgument")
          assert.strictEqual(yield* tagOf(file.readInto(-3, new Uint8Array(3))), "InvalidArgument")
          assert.throws(() => file.unsafe.readInto(-3, new Uint8Array(3)), /must be an integer/)
        })
      ))

    it("is counted when an offset is too large to stand behind it", () =>
      run(
        Effect.gen(function* () {
          yield* putOnDisk("HEADERabc")
          const file = yield* AppendOnlyFile.openRo({ path, endPoff: 3, deadHeaderSize: 6 })
          const last = Number.MAX_SAFE_INTEGER - 6
          assert.strictEqual(yield* tagOf(file.read(last, 0)), "ReadOutOfBounds")
          assert.strictEqual(yield* tagOf(file.read(last, 1)), "InvalidArgument")
          assert.strictEqual(yield* tagOf(file.refreshEndPoff(last + 1)), "InvalidArgument")
          yield* file.refreshEndPoff(last)
        })
      ))
  })

  describe("opening", () => {
    it("compares the recorded end with the size, the dead header left out", () =>
      run(
        Effect.gen(function* () {
          yield* putOnDisk("HEADERabc")
          const error = yield* Effect.flip(AppendOnlyFile.openRw({ path, endPoff: 4, deadHeaderSize: 6 }))
          assert.deepInclude(error, { _tag: "InconsistentStore", path, endPoff: 4, size: 3 })
          const inRo = AppendOnlyFile.openRo({ path, endPoff: 4, deadHeaderSize: 6 })
          assert.strictEqual(yield* tagOf(inRo), "InconsistentStore")
          yield* AppendOnlyFile.openRo({ path, endPoff: 3, deadHeaderSize: 6 })
          assert.deepStrictEqual(logs, [])
        })
      ))

    it("ignores a stale tail with a warning, overwrites it, and never shows or truncates it", () =>
      run(
        Effect.gen(function* () {
          yield* putOnDisk("abcSTALE")
          const file = yield* AppendOnlyFile.openRw({
            path,
            endPoff: 3,
            deadHeaderSize: 0,
            readsBuffer: true
          })
          assert.strictEqual(logs[0].level, "Warn")
          assert.include(logs[0].message, "5 bytes")
          assert.strictEqual(yield* tagOf(file.read(2, 2)), "ReadOutOfBounds")
          yield* file.append(bytesOf("de"))
          assert.strictEqual(textOf(yield* file.read(0, 5)), "abcde")
          yield* file.flush
          assert.strictEqual(yield* tagOf(file.read(4, 2)), "ReadOutOfBounds")
          assert.strictEqual(yield* onDisk(), "abcdeALE")
        })
      ))

    it("refuses arguments that are no offsets, before anything is touched", () =>
      run(
        Effect.gen(function* () {
          for (const wrong of [-1, 0.5, NaN, 2 ** 53]) {
            const places = [
              { endPoff: wrong, deadHeaderSize: 0 },
              { endPoff: 0, deadHeaderSize: wrong }
            ]
            for (const place of places) {
              assert.strictEqual(yield* tagOf(AppendOnlyFile.openRw({ path, ...place })), "InvalidArgument")
              assert.strictEqual(yield* tagOf(AppendOnlyFile.openRo({ path, ...place })), "InvalidArgument")
            }
            assert.strictEqual(yield* tagOf(create({ autoFlushThreshold: wrong })), "InvalidArgument")
          }
          const both = { endPoff: Number.MAX_SAFE_INTEGER, deadHeaderSize: 1 }
          assert.strictEqual(yield* tagOf(AppendOnlyFile.openRw({ path, ...both })), "InvalidArgument")
          assert.strictEqual(yield* io.classify(path), "none")
        })
      ))

    it("of a file that is not there is NoSuchFile, and does not make one", () =>
      run(
        Effect.gen(function* () {
          const place = { path, endPoff: 0, deadHeaderSize: 0 }
          assert.strictEqual(yield* tagOf(AppendOnlyFile.openRw(place)), "NoSuchFile")
          assert.strictEqual(yield* tagOf(AppendOnlyFile.openRo(place)), "NoSuchFile")
          assert.strictEqual(yield* io.classify(path), "none")
        })
      ))

    it("creates only what is not there, unless it may overwrite", () =>
      run(
        Effect.gen(function* () {
          yield* putOnDisk("abc")
          assert.strictEqual(yield* tagOf(create()), "FileExists")
          assert.strictEqual(yield* onDisk(), "abc")
          const file = yield* AppendOnlyFile.createRw({ path, overwrite: true })
          assert.strictEqual(file.endPoff(), 0)
          assert.strictEqual(yield* onDisk(), "")
        })
      ))

    it("for writing is Locked while another writer has the file, overwriting included", () =>
      run(
        Effect.gen(function* () {
          const file = yield* create()
          yield* file.append(bytesOf("abc"))
          yield* file.flush
          const again = AppendOnlyFile.openRw({ path, endPoff: 0, deadHeaderSize: 0 })
          assert.strictEqual(yield* tagOf(again), "Locked")
          assert.strictEqual(yield* tagOf(AppendOnlyFile.createRw({ path, overwrite: true })), "Locked")
          assert.strictEqual(yield* onDisk(), "abc")
          yield* AppendOnlyFile.openRo({ path, endPoff: 3, deadHeaderSize: 0 })
          yield* file.close
          yield* again
        })
      ))

    it("leaves no new file behind where nothing can be locked", () =>
      run(
        Effect.gen(function* () {
          const unlockable: IoService = {
            ...io,
            lock: () => Effect.fail(new Unsupported({ operation: "lock", reason: "test" }))
          }
          for (const overwrite of [false, true]) {
            const creating = Effect.provideService(
              AppendOnlyFile.createRw({ path, overwrite }),
              Io,
              unlockable
            )
            assert.strictEqual(yield* tagOf(creating), "Unsupported")
            assert.strictEqual(yield* io.classify(path), "none")
          }
          yield* putOnDisk("abc")
          const overwriting = AppendOnlyFile.createRw({ path, overwrite: true })
          assert.strictEqual(yield* tagOf(Effect.provideService(overwriting, Io, unlockable)), "Unsupported")
          assert.strictEqual(yield* onDisk(), "abc")
        })
      ))

    it("keeps the lock of a file that it has created anew", () =>
      run(
        Effect.gen(function* () {
          yield* putOnDisk("abc")
          yield* AppendOnlyFile.createRw({ path, overwrite: true })
          assert.strictEqual(yield* tagOf(io.lock(path)), "Locked")
        })
      ))

    it("leaves neither descriptor nor lock behind when it fails, though the scope goes on", () =>
      run(
        Effect.gen(function* () {
          yield* putOnDisk("abc")
          let opened = 0
          const counting: IoService = {
            ...io,
            open: (at, options) =>
              Effect.acquireRelease(
                Effect.tap(io.open(at, options), () => Effect.sync(() => opened++)),
                () => Effect.sync(() => opened--)
              )
          }
          const place = { path, endPoff: 4, deadHeaderSize: 0 }
          for (const open of [AppendOnlyFile.openRw(place), AppendOnlyFile.openRo(place)]) {
            assert.strictEqual(yield* tagOf(Effect.provideService(open, Io, counting)), "InconsistentStore")
            assert.strictEqual(opened, 0)
          }
          yield* io.lock(path)
        })
      ))
  })

  describe("closing", () => {
    it("is PendingFlush with unflushed bytes, and leaves the file open", () =>
      run(
        Effect.gen(function* () {
          const file = yield* create()
          yield* file.append(bytesOf("abc"))
          const error = yield* Effect.flip(file.close)
          assert.deepInclude(error, { _tag: "PendingFlush", path, bytes: 3 })
          yield* file.append(bytesOf("d"))
          yield* file.flush
          yield* file.close
          assert.strictEqual(yield* onDisk(), "abcd")
          assert.strictEqual(yield* tagOf(file.close), "DoubleClose")
        })
      ))

    it("makes every operation Closed in both modes", () =>
      run(
        Effect.gen(function* () {
          const writer = yield* create()
          yield* writer.close
          const reader = yield* AppendOnlyFile.openRo({ path, endPoff: 0, deadHeaderSize: 0 })
          yield* reader.close
          assert.strictEqual(yield* tagOf(reader.close), "DoubleClose")
          for (const file of [writer, reader] as ReadonlyArray<AppendOnlyFileService>) {
            const operations: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
              file.append(bytesOf("a")),
              file.appendAll([]),
              file.flush,
              file.fsync,
              file.read(0, 0),
              file.readInto(0, new Uint8Array(0)),
              file.refreshEndPoff(0)
            ]
            for (const operation of operations) assert.strictEqual(yield* tagOf(operation), "Closed")
            assert.throws(() => file.unsafe.append(bytesOf("a")), /is closed/)
            assert.throws(() => file.unsafe.readInto(0, new Uint8Array(0)), /is closed/)
          }
        })
      ))

    it("is done by the end of the scope, which flushes what is left", async () => {
      const file = await run(Effect.tap(create(), (file) => file.append(bytesOf("abc"))))
      assert.strictEqual(await Effect.runPromise(onDisk()), "abc")
      assert.strictEqual(await Effect.runPromise(tagOf(file.flush)), "Closed")
      await Effect.runPromise(Effect.scoped(io.lock(path)))
      assert.deepStrictEqual(logs, [])
    })

    it("logs as an error, with path and byte count, what the end of the scope could not flush", async () => {
      const times = { left: 9 }
      const broken = withFiles(io, failing("write", times))
      await run(
        Effect.tap(create(), (file) => file.append(bytesOf("abc"))),
        broken
      )
      assert.strictEqual(times.left, 8, "tried once")
      assert.strictEqual(logs[0].level, "Error")
      assert.include(logs[0].message, path)
      assert.include(logs[0].message, "3 bytes")
      await Effect.runPromise(Effect.scoped(io.lock(path)))
    })
  })

  describe("the modes", () => {
    it("read-only: everything that writes is RoNotAllowed, and the end is what one is told", () =>
      run(
        Effect.gen(function* () {
          yield* putOnDisk("abcdef")
          const file = yield* AppendOnlyFile.openRo({ path, endPoff: 6, deadHeaderSize: 0 })
          assert.strictEqual(yield* tagOf(file.append(bytesOf("a"))), "RoNotAllowed")
          assert.strictEqual(yield* tagOf(file.appendAll([])), "RoNotAllowed")
          assert.strictEqual(yield* tagOf(file.flush), "RoNotAllowed")
          assert.strictEqual(yield* tagOf(file.fsync), "RoNotAllowed")
          assert.throws(() => file.unsafe.append(bytesOf("a")), /read-only/)
          assert.isTrue(file.emptyBuffer())
          yield* file.refreshEndPoff(2)
          assert.strictEqual(file.endPoff(), 2)
          assert.strictEqual(yield* tagOf(file.read(1, 2)), "ReadOutOfBounds")
          yield* file.refreshEndPoff(4)
          assert.strictEqual(textOf(yield* file.read(1, 3)), "bcd")
          assert.strictEqual(yield* tagOf(file.refreshEndPoff(-1)), "InvalidArgument")
          assert.strictEqual(file.endPoff(), 4)
        })
      ))

    it("a reader follows a writer, as far as it is told", () =>
      run(
        Effect.gen(function* () {
          const writer = yield* create()
          const reader = yield* AppendOnlyFile.openRo({ path, endPoff: 0, deadHeaderSize: 0 })
          yield* writer.append(bytesOf("abc"))
          yield* writer.flush
          assert.strictEqual(yield* tagOf(reader.read(0, 1)), "ReadOutOfBounds")
          yield* reader.refreshEndPoff(writer.endPoff())
          assert.strictEqual(textOf(yield* reader.read(0, 3)), "abc")
        })
      ))

    it("writing: refreshEndPoff is RwNotAllowed", () =>
      run(
        Effect.gen(function* () {
          const file = yield* create()
          assert.strictEqual(yield* tagOf(file.refreshEndPoff(0)), "RwNotAllowed")
        })
      ))
  })

  describe("a flush that fails", () => {
    it("does not wedge the buffer: every byte is kept, and the next flush writes from the same place", () =>
      run(
        Effect.gen(function* () {
          const file = yield* Effect.provideService(
            create(),
            Io,
            withFiles(io, failing("write", { left: 2 }))
          )
          yield* file.append(bytesOf("abc"))
          assert.strictEqual(yield* tagOf(file.flush), "NoSpace")
          assert.strictEqual(yield* tagOf(file.flush), "NoSpace")
          yield* file.append(bytesOf("def"))
          yield* file.flush
          assert.strictEqual(yield* onDisk(), "abcdef")
        })
      ))

    it("by itself fails the append, which has been made all the same; the next one tries again", () =>
      run(
        Effect.gen(function* () {
          const file = yield* Effect.provideService(
            create({ autoFlushThreshold: 3 }),
            Io,
            withFiles(io, failing("write", { left: 3 }))
          )
          assert.strictEqual(yield* tagOf(file.append(bytesOf("abc"))), "NoSpace")
          assert.strictEqual(file.endPoff(), 3)
          assert.throws(() => file.unsafe.append(bytesOf("d")), /no space left/)
          assert.strictEqual(yield* tagOf(file.appendAll([bytesOf("e"), bytesOf("f")])), "NoSpace")
          assert.strictEqual(file.endPoff(), 6)
          assert.strictEqual(yield* file.append(bytesOf("g")), 6)
          assert.strictEqual(yield* onDisk(), "abcdefg")
        })
      ))

    it("above 1 MiB, on the thread pool, keeps every byte too", () =>
      run(
        Effect.gen(function* () {
          const file = yield* Effect.provideService(
            create({ autoFlushThreshold: 2 ** 40 }),
            Io,
            withFiles(io, failing("write", { left: 1 }))
          )
          const bytes = new Uint8Array(3 << 20).fill(97)
          yield* file.append(bytes)
          assert.strictEqual(yield* tagOf(file.flush), "NoSpace")
          assert.strictEqual(file.endPoff(), 3 << 20)
          yield* file.append(bytesOf("b"))
          yield* file.flush
          assert.strictEqual(yield* onDisk(), "a".repeat(3 << 20) + "b")
        })
      ))
  })

  describe("fsync", () => {
    const counting = (calls: Array<string>): IoService => ({
      ...withFiles(io, (file) => ({
        ...file,
        sync: Effect.tap(file.sync, () => Effect.sync(() => calls.push("file"))),
        unsafe: {
          ...file.unsafe,
          writeAt: (offset, bytes) => {
            calls.push("write")
            file.unsafe.writeAt(offset, bytes)
          }
        }
      })),
      syncDirectory: (at) =>
        Effect.tap(io.syncDirectory(at), () => Effect.sync(() => calls.push(`directory ${at}`)))
    })

    it("does not flush; the first after a creation syncs the directory, behind the file", () =>
      run(
        Effect.gen(function* () {
          const calls: Array<string> = []
          const file = yield* Effect.provideService(create(), Io, counting(calls))
          yield* file.append(bytesOf("abc"))
          yield* file.fsync
          assert.deepStrictEqual(calls, ["file", `directory ${directory === "" ? "/" : directory}`])
          assert.isFalse(file.emptyBuffer())
          yield* file.flush
          yield* file.fsync
          assert.deepStrictEqual(calls.slice(2), ["write", "file"])
        })
      ))

    it("of a reopened file reaches what an earlier writer made, flushed and never synced", () =>
      run(
        Effect.gen(function* () {
          const calls: Array<string> = []
          yield* putOnDisk("abc")
          const place = { path, endPoff: 3, deadHeaderSize: 0 }
          const file = yield* Effect.provideService(AppendOnlyFile.openRw(place), Io, counting(calls))
          yield* file.fsync
          yield* file.fsync
          assert.deepStrictEqual(calls, ["file", `directory ${directory === "" ? "/" : directory}`])
        })
      ))

    it("is never retried after a failure: later flushes and fsyncs are Poisoned, reads go on", () =>
      run(
        Effect.gen(function* () {
          const times = { left: 1 }
          const file = yield* Effect.provideService(create(), Io, withFiles(io, failing("sync", times)))
          yield* file.append(bytesOf("abc"))
          yield* file.flush
          const first = yield* Effect.flip(file.fsync)
          assert.strictEqual(first._tag, "IoFailed")
          const second = yield* Effect.flip(file.fsync)
          assert.instanceOf(second, Poisoned)
          assert.strictEqual(times.left, 0, "asked the system once")
          yield* file.append(bytesOf("d"))
          assert.strictEqual(yield* tagOf(file.flush), "Poisoned")
          assert.strictEqual(yield* onDisk(), "abc")
          assert.strictEqual(textOf(yield* file.read(0, 3)), "abc")
        })
      ))

    it("of a file that was closed under it is Closed, which poisons nothing", () =>
      run(
        Effect.gen(function* () {
          let times = 1
          const closing = withFiles(io, (file) => ({
            ...file,
            sync: Effect.suspend(() =>
              times-- > 0 ? Effect.fail(new Closed({ path: file.path, operation: "sync" })) : file.sync
            )
          }))
          const file = yield* Effect.provideService(create(), Io, closing)
          yield* file.append(bytesOf("abc"))
          assert.strictEqual(yield* tagOf(file.fsync), "Closed")
          yield* file.flush
          yield* file.fsync
          assert.strictEqual(yield* onDisk(), "abc")
        })
      ))

    it("is not retried either when the directory could not be synced", () =>
      run(
        Effect.gen(function* () {
          let calls = 0
          const broken: IoService = {
            ...io,
            syncDirectory: (at) =>
              Effect.suspend(() => {
                calls++
                return Effect.fail(new IoFailed({ syscall: "fsync", path: at, code: "EIO", cause: "test" }))
              })
          }
          const file = yield* Effect.provideService(create(), Io, broken)
          assert.strictEqual(yield* tagOf(file.fsync), "IoFailed")
          assert.strictEqual(yield* tagOf(file.fsync), "Poisoned")
          assert.strictEqual(yield* tagOf(file.flush), "Poisoned")
          assert.strictEqual(calls, 1)
        })
      ))

    it("of one fiber, failing, is not taken for success by another that waited for it", () =>
      run(
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const times = { left: 1 }
          const slow = withFiles(io, (file) => {
            const inner = failing("sync", times)(file)
            return { ...inner, sync: Effect.andThen(Deferred.await(gate), inner.sync) }
          })
          const file = yield* Effect.provideService(create(), Io, slow)
          const fibers = yield* Effect.forEach([1, 2], () => Effect.forkChild(tagOf(file.fsync)))
          yield* Effect.yieldNow
          yield* Deferred.succeed(gate, undefined)
          const tags = yield* Effect.forEach(fibers, Fiber.join)
          assert.sameMembers(tags, ["IoFailed", "Poisoned"])
        })
      ))
  })

  describe("an external flush procedure", () => {
    class Refused extends Data.TaggedError("Refused") {}

    it("is called when the threshold is reached, with the file", () =>
      run(
        Effect.gen(function* () {
          const ends: Array<number> = []
          const file = yield* AppendOnlyFile.createRw({
            path,
            overwrite: false,
            autoFlushThreshold: 4,
            autoFlushProcedure: {
              external: (file) =>
                Effect.andThen(
                  file.flush,
                  Effect.sync(() => ends.push(file.endPoff()))
                )
            }
          })
          yield* file.append(bytesOf("abc"))
          assert.deepStrictEqual(ends, [])
          yield* file.append(bytesOf("de"))
          yield* file.appendAll([bytesOf("fghi"), bytesOf("jklm")])
          assert.deepStrictEqual(ends, [5, 13])
          assert.strictEqual(yield* onDisk(), "abcdefghijklm")
        })
      ))

    it("that leaves bytes behind makes the append PendingFlush, the bytes kept", () =>
      run(
        Effect.gen(function* () {
          let flushes = false
          const file = yield* AppendOnlyFile.createRw({
            path,
            overwrite: false,
            autoFlushThreshold: 2,
            autoFlushProcedure: { external: (file) => (flushes ? file.flush : Effect.void) }
          })
          const error = yield* Effect.flip(file.append(bytesOf("abc")))
          assert.deepInclude(error, { _tag: "PendingFlush", path, bytes: 3 })
          assert.strictEqual(file.endPoff(), 3)
          flushes = true
          assert.strictEqual(yield* file.append(bytesOf("d")), 3)
          assert.strictEqual(yield* onDisk(), "abcd")
        })
      ))

    it("fails the append with its own error, and is called again by the next", () =>
      run(
        Effect.gen(function* () {
          let calls = 0
          const file = yield* AppendOnlyFile.createRw({
            path,
            overwrite: false,
            autoFlushThreshold: 2,
            autoFlushProcedure: {
              external: (file): Effect.Effect<void, AppendOnlyFlushError | Refused> =>
                ++calls === 1 ? Effect.fail(new Refused()) : file.flush
            }
          })
          expectTypeOf(file.append).returns.toEqualTypeOf<
            Effect.Effect<number, AppendOnlyAppendError | Refused>
          >()
          assert.strictEqual(yield* tagOf(file.append(bytesOf("abc"))), "Refused")
          yield* file.append(bytesOf("d"))
          assert.strictEqual(yield* onDisk(), "abcd")
        })
      ))

    it("may append itself, without being called again for it", () =>
      run(
        Effect.gen(function* () {
          let calls = 0
          const file = yield* AppendOnlyFile.createRw({
            path,
            overwrite: false,
            autoFlushThreshold: 2,
            autoFlushProcedure: {
              external: (file) => {
                calls++
                return Effect.andThen(file.append(bytesOf("--")), file.flush)
              }
            }
          })
          yield* file.append(bytesOf("abc"))
          assert.strictEqual(calls, 1)
          assert.strictEqual(yield* onDisk(), "abc--")
        })
      ))

    it("makes unsafe.append Unsupported, and nothing is appended", () =>
      run(
        Effect.gen(function* () {
          const file = yield* AppendOnlyFile.createRw({
            path,
            overwrite: false,
            autoFlushProcedure: { external: (file) => file.flush }
          })
          assert.throws(() => file.unsafe.append(bytesOf("a")), /not supported here/)
          assert.isTrue(file.emptyBuffer())
        })
      ))
  })

  it("neither loses nor reorders what many fibers append, flush and sync", () =>
    run(
      Effect.gen(function* () {
        const file = yield* create({ autoFlushThreshold: 3 << 20 })
        const record = (fiber: number, number: number) =>
          new Uint8Array(20_000 + fiber * 1000).fill(1 + ((fiber * 31 + number) % 255))
        const places: Array<{ offset: number; bytes: Uint8Array }> = []
        const one = Effect.fnUntraced(function* (fiber: number) {
          for (let number = 0; number < 60; number++) {
            const bytes = record(fiber, number)
            places.push({ offset: yield* file.append(bytes), bytes })
            if (number % 10 === fiber) yield* file.flush
            if (number % 20 === fiber) yield* file.fsync
            yield* Effect.yieldNow
          }
        })
        yield* Effect.forEach([0, 1, 2, 3, 4, 5, 6, 7], one, { concurrency: "unbounded" })
        yield* file.flush
        let total = 0
        for (const { bytes, offset } of places) {
          total += bytes.length
          assert.isTrue(Buffer.from(yield* file.read(offset, bytes.length)).equals(bytes))
        }
        assert.strictEqual(file.endPoff(), total)
        assert.strictEqual(yield* io.sizeOf(path), total)
      })
    ))
})

describe("a flush above 1 MiB", () => {
  beforeEach(() => renew(IoNode.layer, root))

  /** Writes on the thread pool begin, and wait for `gate` before they happen. */
  const gated = (gate: Deferred.Deferred<void>, begun: Deferred.Deferred<void>) =>
    withFiles(io, (file) => ({
      ...file,
      writeAt: (offset, bytes) =>
        Deferred.succeed(begun, undefined).pipe(
          Effect.andThen(Deferred.await(gate)),
          Effect.andThen(file.writeAt(offset, bytes))
        )
    }))

  const large = new Uint8Array(2 << 20).fill(97)
  const largeText = "a".repeat(2 << 20)

  const begin = Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    const begun = yield* Deferred.make<void>()
    const file = yield* Effect.provideService(
      create({ autoFlushThreshold: 4 << 20, readsBuffer: true }),
      Io,
      gated(gate, begun)
    )
    yield* file.append(large)
    const flushing = yield* Effect.forkChild(file.flush)
    yield* Deferred.await(begun)
    return { file, flushing, open: Deferred.succeed(gate, undefined) }
  })

  it("leaves room for appends, which end up behind it", () =>
    run(
      Effect.gen(function* () {
        const { file, flushing, open } = yield* begin
        assert.strictEqual(yield* file.append(bytesOf("bc")), 2 << 20)
        assert.strictEqual(file.unsafe.append(bytesOf("d")), (2 << 20) + 2)
        assert.strictEqual(textOf(yield* file.read((2 << 20) - 1, 4)), "abcd")
        yield* open
        yield* Fiber.join(flushing)
        assert.strictEqual(textOf(yield* file.read((2 << 20) - 1, 4)), "abcd")
        assert.isFalse(file.emptyBuffer())
        yield* file.flush
        assert.strictEqual(yield* onDisk(), largeText + "bcd")
      })
    ))

  it("is not overtaken by a smaller one, nor by an append above the threshold", () =>
    run(
      Effect.gen(function* () {
        const { file, open } = yield* begin
        yield* file.append(bytesOf("b"))
        const later = yield* Effect.forkChild(file.flush)
        const last = yield* Effect.forkChild(file.append(new Uint8Array(3 << 20).fill(99)))
        yield* Effect.yieldNow
        file.unsafe.append(bytesOf("d"))
        assert.strictEqual(yield* onDisk(), "")
        yield* open
        yield* Fiber.join(later)
        yield* Fiber.join(last)
        yield* file.flush
        assert.strictEqual(yield* onDisk(), largeText + "b" + "c".repeat(3 << 20) + "d")
      })
    ))

  it("that is interrupted completes, and nothing is written twice or lost", () =>
    run(
      Effect.gen(function* () {
        const { file, flushing, open } = yield* begin
        const interrupting = yield* Effect.forkChild(Fiber.interrupt(flushing))
        yield* Effect.yieldNow
        yield* file.append(bytesOf("b"))
        yield* open
        yield* Fiber.join(interrupting)
        assert.strictEqual(yield* onDisk(), largeText)
        yield* file.append(bytesOf("c"))
        yield* file.flush
        assert.strictEqual(yield* onDisk(), largeText + "bc")
      })
    ))

  it("is waited for by an append that can be interrupted, and has then been made", () =>
    run(
      Effect.gen(function* () {
        const { file, flushing, open } = yield* begin
        const waiting = yield* Effect.forkChild(file.append(new Uint8Array(3 << 20).fill(98)))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(waiting)
        assert.strictEqual(file.endPoff(), 5 << 20)
        yield* open
        yield* Fiber.join(flushing)
        yield* file.flush
        assert.strictEqual(yield* onDisk(), largeText + "b".repeat(3 << 20))
      })
    ))

  it("is waited for by close and by the end of the scope", () =>
    run(
      Effect.gen(function* () {
        const { file, open } = yield* begin
        const closing = yield* Effect.forkChild(file.close)
        yield* Effect.yieldNow
        assert.isUndefined(closing.pollUnsafe())
        yield* open
        yield* Fiber.join(closing)
        assert.strictEqual(yield* onDisk(), largeText)

        path = `${path}-second`
        const scope = yield* Scope.make()
        const second = yield* Scope.provide(begin, scope)
        const ending = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* Effect.yieldNow
        yield* second.open
        yield* Fiber.join(ending)
        assert.strictEqual(yield* onDisk(), largeText)
      })
    ))

  it("keeps the records of one appendAll together", () =>
    run(
      Effect.gen(function* () {
        const { file, open } = yield* begin
        const all = yield* Effect.forkChild(
          file.appendAll([new Uint8Array(2 << 20).fill(98), bytesOf("!"), new Uint8Array(2 << 20).fill(98)])
        )
        yield* Effect.yieldNow
        yield* file.append(bytesOf("c")).pipe(Effect.forkChild)
        yield* open
        assert.strictEqual(yield* Fiber.join(all), 2 << 20)
        yield* file.flush
        const half = "b".repeat(2 << 20)
        assert.strictEqual((yield* onDisk()).replace("c", ""), largeText + half + "!" + half)
        assert.isTrue((yield* onDisk()).endsWith("c"))
      })
    ))
})

describe("descriptors", () => {
  beforeEach(() => renew(IoNode.layer, root))

  it.skipIf(process.platform !== "linux")("are not leaked by an open that fails", () =>
    run(
      Effect.gen(function* () {
        yield* putOnDisk("abc")
        const count = () => fs.readdirSync("/proc/self/fd").length
        const before = count()
        for (let i = 0; i < 20; i++) {
          const place = { path, endPoff: 4, deadHeaderSize: 0 }
          yield* Effect.ignore(AppendOnlyFile.openRw(place))
          yield* Effect.ignore(AppendOnlyFile.openRo(place))
          yield* Effect.ignore(create())
        }
        assert.strictEqual(count(), before)
      })
    )
  )

  it.skipIf(process.platform !== "linux")("of a file that was overwritten are given back at once", () =>
    run(
      Effect.gen(function* () {
        yield* putOnDisk("abc")
        yield* AppendOnlyFile.createRw({ path, overwrite: true })
        const opened = fs.readdirSync("/proc/self/fd").flatMap((fd) => {
          try {
            return [fs.readlinkSync(`/proc/self/fd/${fd}`)]
          } catch {
            return [] // the one that listed them
          }
        })
        assert.include(opened, path)
        assert.notInclude(opened, `${path} (deleted)`)
      })
    )
  )
})

describe("the tag and its layers", () => {
  beforeEach(() => renew(IoMemory.layer, ""))

  const program = Effect.gen(function* () {
    const file = yield* AppendOnlyFile
    expectTypeOf(file).toEqualTypeOf<AppendOnlyFile["Service"]>()
    yield* file.append(bytesOf("abc"))
    yield* file.flush
    return file.endPoff()
  })

  it("provide one file to a program, and close it behind it", () =>
    run(
      Effect.gen(function* () {
        const first = AppendOnlyFile.layerCreateRw({ path, overwrite: false })
        assert.strictEqual(yield* Effect.provide(program, first), 3)
        const second = AppendOnlyFile.layerRw({ path, endPoff: 3, deadHeaderSize: 0 })
        assert.strictEqual(yield* Effect.provide(program, second), 6)
        const third = AppendOnlyFile.layerRo({ path, endPoff: 6, deadHeaderSize: 0 })
        const read = Effect.flatMap(AppendOnlyFile, (file) => file.read(0, 6))
        assert.strictEqual(textOf(yield* Effect.provide(read, third)), "abcabc")
        yield* io.lock(path)
      })
    ))

  it("gives offsets that can be those of an extent to keep, and reads at an extent's", () => {
    type File = AppendOnlyFile["Service"]
    expectTypeOf<Effect.Success<ReturnType<File["append"]>>>().toExtend<Extent["offset"]>()
    expectTypeOf<Extent["offset"]>().toExtend<Parameters<File["read"]>[0]>()
  })

  it("list exactly the errors that can occur", () => {
    expectTypeOf(AppendOnlyFile.layerRw).returns.toEqualTypeOf<
      Layer.Layer<AppendOnlyFile, AppendOnlyOpenRwError, Io>
    >()
    expectTypeOf(AppendOnlyFile.layerRo).returns.toEqualTypeOf<
      Layer.Layer<AppendOnlyFile, AppendOnlyOpenRoError, Io>
    >()
    expectTypeOf<AppendOnlyFile["Service"]>().toEqualTypeOf<AppendOnlyFileService<AppendOnlyExternalError>>()
    expectTypeOf<PendingFlush>().toExtend<AppendOnlyAppendError>()
    // A layer's procedure may flush and sync.
    AppendOnlyFile.layerCreateRw({
      path,
      overwrite: false,
      autoFlushProcedure: { external: (file) => Effect.andThen(file.flush, file.fsync) }
    })
  })
})
