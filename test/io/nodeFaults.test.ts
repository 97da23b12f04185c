/** What the operating system may do to IoNode: short transfers, failures, races. */
import { execFileSync } from "node:child_process"
import fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { afterEach, describe, expect, it } from "vitest"
import { Io, type IoFile, type IoService } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { contentOf, pattern } from "../../src/testing/ioLaw.ts"
import { patch, systemError } from "./faults.ts"
import { scratchDirectory } from "./scratch.ts"

const directory = scratchDirectory()
const largeBytes = 3 * (1 << 20) + 17
const { openSync, read, readSync, write, writeSync } = fs

let undo: Array<() => void> = []
const during = (calls: Parameters<typeof patch>[0]) => void undo.push(patch(calls))
const restore = () => {
  for (const call of undo.reverse()) call()
  undo = []
}
afterEach(restore)

let number = 0
/** Runs `body` with the service and a path that is free. */
const using = (
  body: (io: IoService, path: string) => Generator<Effect.Effect<unknown, unknown, Scope.Scope>, void>
) =>
  Effect.gen(function* () {
    const io = yield* Io
    yield* Effect.gen(() => body(io, `${directory}/${number++}`))
  }).pipe(Effect.scoped, Effect.provide(IoNode.layer), Effect.runPromise)

const throwing = (code: string, syscall: string) => () => {
  throw systemError(code, syscall)
}

type Callback = (failure: unknown, count?: number) => void

/** The callback twin of `throwing`. */
const failing =
  (code: string, syscall: string) =>
  (...args: ReadonlyArray<unknown>) =>
    setImmediate(() => (args[args.length - 1] as Callback)(systemError(code, syscall)))

const tagOf = (body: () => unknown): unknown => {
  try {
    return body()
  } catch (error) {
    return error
  }
}

const createWith = Effect.fnUntraced(function* (io: IoService, path: string, bytes: Uint8Array) {
  const file: IoFile = yield* io.create(path, { overwrite: false })
  yield* file.writeAt(0, bytes)
  return file
})

describe("short transfers", () => {
  it("are looped until everything is moved, at once and on the thread pool", () =>
    using(function* (io, path) {
      let calls = 0
      const few = (length: number) => Math.min(length, 1 + ((calls++ * 7919) % 100_000))
      during({
        readSync: (fd: number, buffer: Uint8Array, start: number, length: number, at: number) =>
          readSync(fd, buffer, start, few(length), at),
        writeSync: (fd: number, buffer: Uint8Array, start: number, length: number, at: number) =>
          writeSync(fd, buffer, start, few(length), at),
        read: (fd: number, buffer: Uint8Array, start: number, length: number, at: number, done: never) =>
          read(fd, buffer, start, few(length), at, done),
        write: (fd: number, buffer: Uint8Array, start: number, length: number, at: number, done: never) =>
          write(fd, buffer, start, few(length), at, done)
      })
      for (const size of [1, 500_000, largeBytes]) {
        const file = yield* createWith(io, `${path}-${size}`, pattern(size))
        expect(Buffer.compare(yield* contentOf(file), pattern(size))).toBe(0)
        const twin = new Uint8Array(size)
        file.unsafe.writeAt(3, pattern(size, 2))
        file.unsafe.readAt(3, twin)
        expect(Buffer.compare(twin, pattern(size, 2))).toBe(0)
        expect(yield* file.readSomeAt(size, new Uint8Array(10 + largeBytes))).toBe(3)
      }
      expect(calls).toBeGreaterThan(100)
    }))

  it("are asked for in pieces that Node accepts", () =>
    using(function* (io, path) {
      const asked: Array<number> = []
      const file = yield* createWith(io, path, pattern(20))
      during({
        writeSync: (_fd: number, _buffer: Uint8Array, _start: number, length: number) => {
          asked.push(length)
          return length
        }
      })
      file.unsafe.writeAt(0, { length: 2 ** 31 + 5 } as Uint8Array)
      expect(Math.max(...asked)).toBeLessThan(2 ** 31)
      expect(asked.reduce((sum, length) => sum + length)).toBe(2 ** 31 + 5)
    }))

  it("of nothing at all are an error and no endless loop", () =>
    using(function* (io, path) {
      const file = yield* createWith(io, path, pattern(20))
      during({
        writeSync: () => 0,
        write: (...args: ReadonlyArray<unknown>) => (args[args.length - 1] as Callback)(null, 0)
      })
      const expected = { _tag: "IoFailed", syscall: "write", path, code: "ZERO_WRITE" }
      expect(yield* Effect.flip(file.writeAt(0, pattern(5)))).toMatchObject(expected)
      expect(yield* Effect.flip(file.writeAt(0, pattern(largeBytes)))).toMatchObject(expected)
      expect(tagOf(() => file.unsafe.writeAt(0, pattern(5)))).toMatchObject(expected)
      expect(yield* file.size).toBe(20)
    }))
})

describe("failures", () => {
  it("of reading are IoFailed with call, path and code, and poison nothing", () =>
    using(function* (io, path) {
      const file = yield* createWith(io, path, pattern(20))
      during({ readSync: throwing("EIO", "read"), read: failing("EIO", "read") })
      const expected = { _tag: "IoFailed", syscall: "read", path, code: "EIO" }
      expect(yield* Effect.flip(file.readAt(0, pattern(5)))).toMatchObject(expected)
      expect(yield* Effect.flip(file.readSomeAt(0, pattern(largeBytes)))).toMatchObject(expected)
      expect(tagOf(() => file.unsafe.readSomeAt(0, pattern(5)))).toMatchObject(expected)
      restore()
      yield* file.writeAt(0, pattern(20))
      during({ fstatSync: throwing("EIO", "fstat") })
      expect(yield* Effect.flip(file.size)).toMatchObject({ _tag: "IoFailed", syscall: "fstat", code: "EIO" })
      expect(yield* Effect.flip(file.map(0, 1))).toMatchObject({ _tag: "IoFailed", syscall: "fstat" })
    }))

  for (const code of ["ENOSPC", "EDQUOT"]) {
    it(`of space (${code}) are NoSpace, wherever they occur`, () =>
      using(function* (io, path) {
        const file = yield* createWith(io, path, pattern(20))
        during({
          writeSync: throwing(code, "write"),
          write: failing(code, "write"),
          ftruncate: failing(code, "ftruncate"),
          ftruncateSync: throwing(code, "ftruncate"),
          mkdirSync: throwing(code, "mkdir"),
          renameSync: throwing(code, "rename"),
          openSync: throwing(code, "open")
        })
        expect(yield* Effect.flip(file.writeAt(0, pattern(5)))).toMatchObject({ _tag: "NoSpace", path })
        expect(yield* Effect.flip(file.writeAt(0, pattern(largeBytes)))).toMatchObject({
          _tag: "NoSpace",
          path
        })
        expect(tagOf(() => file.unsafe.writeAt(0, pattern(5)))).toMatchObject({ _tag: "NoSpace", path })
        expect(yield* Effect.flip(file.truncate(5))).toMatchObject({ _tag: "NoSpace", path })
        expect(tagOf(() => file.unsafe.truncate(5))).toMatchObject({ _tag: "NoSpace", path })
        const other = `${path}-other`
        expect(yield* Effect.flip(io.makeDirectory(other))).toMatchObject({ _tag: "NoSpace", path: other })
        expect(yield* Effect.flip(io.rename(path, other))).toMatchObject({ _tag: "NoSpace" })
        expect(yield* Effect.flip(io.create(other, { overwrite: true }))).toMatchObject({ _tag: "NoSpace" })
        expect(yield* Effect.flip(io.lock(other))).toMatchObject({ _tag: "NoSpace", path: other })
        restore()
        yield* file.writeAt(0, pattern(5)) // nothing is poisoned by them
        during({ fsync: failing(code, "fsync") })
        expect(yield* Effect.flip(file.sync)).toMatchObject({ _tag: "NoSpace", path, syscall: "fsync" })
        restore()
        expect(yield* Effect.flip(file.sync)).toMatchObject({ _tag: "Poisoned", path, cause: { code } })
      }))
  }

  it("in the middle of a large write keep what was written and poison nothing", () =>
    using(function* (io, path) {
      const file = yield* io.create(path, { overwrite: false })
      let calls = 0
      during({
        write: (...args: Parameters<typeof write>) => {
          calls += 1
          if (calls === 3) failing("EIO", "write")(...args)
          else write(...args)
        }
      })
      const bytes = pattern(32 << 20)
      expect(yield* Effect.flip(file.writeAt(0, bytes))).toMatchObject({ _tag: "IoFailed", code: "EIO" })
      restore()
      expect(Buffer.compare(yield* contentOf(file), bytes.subarray(0, 16 << 20))).toBe(0)
      yield* file.writeAt(0, bytes)
      yield* file.close
    }))

  it("of a synced directory are IoFailed and leak nothing", () =>
    using(function* (io) {
      during({ fsync: failing("EIO", "fsync") })
      const before = fs.readdirSync("/proc/self/fd").length
      expect(yield* Effect.flip(io.syncDirectory(directory))).toMatchObject({ _tag: "IoFailed", code: "EIO" })
      expect(fs.readdirSync("/proc/self/fd")).toHaveLength(before)
    }))

  it("of opening for want of descriptors are IoFailed, for every verb that needs one", () =>
    using(function* (io, path) {
      yield* Effect.scoped(createWith(io, path, pattern(1)))
      during({ openSync: throwing("EMFILE", "open"), readdirSync: throwing("EMFILE", "scandir") })
      const expected = { _tag: "IoFailed", code: "EMFILE" }
      expect(yield* Effect.flip(io.open(path, { readonly: true }))).toMatchObject({ ...expected, path })
      expect(yield* Effect.flip(io.create(`${path}-b`, { overwrite: false }))).toMatchObject(expected)
      expect(yield* Effect.flip(io.create(path, { overwrite: true }))).toMatchObject(expected)
      expect(yield* Effect.flip(io.lock(path))).toMatchObject(expected)
      expect(yield* Effect.flip(io.list(directory))).toMatchObject(expected)
      expect(yield* Effect.flip(io.syncDirectory(directory))).toMatchObject(expected)
      expect(fs.existsSync(path)).toBe(true)
    }))

  it("of closing are IoFailed, and the file is closed all the same", () =>
    using(function* (io, path) {
      const file = yield* io.create(path, { overwrite: false })
      const { closeSync } = fs
      during({
        closeSync: (fd: number) => {
          closeSync(fd)
          throw systemError("EIO", "close")
        }
      })
      expect(yield* Effect.flip(file.close)).toMatchObject({
        _tag: "IoFailed",
        syscall: "close",
        code: "EIO"
      })
      expect(yield* Effect.flip(file.close)).toMatchObject({ _tag: "DoubleClose", path })
      // At the end of a scope it is logged, and the program goes on.
      yield* Effect.scoped(io.create(`${path}-b`, { overwrite: false }))
      yield* Effect.scoped(io.lock(`${path}-c`))
    }))

  it("of an unsafe sync during another sync don't pretend success", () =>
    using(function* (io, path) {
      const file = yield* createWith(io, path, pattern(10))
      const fiber = yield* Effect.forkChild(file.sync, { startImmediately: true })
      expect(tagOf(() => file.unsafe.sync())).toMatchObject({ _tag: "IoFailed", code: "EBUSY" })
      yield* Fiber.join(fiber)
      file.unsafe.sync()
    }))
})

it("a device is refused without being opened, which may have effects", () =>
  using(function* (io) {
    let opened = 0
    during({
      openSync: (...args: Parameters<typeof openSync>) => {
        opened += 1
        return openSync(...args)
      }
    })
    expect(yield* Effect.flip(io.open("/dev/null", { readonly: false }))).toMatchObject({ _tag: "NotAFile" })
    expect(yield* Effect.flip(io.lock("/dev/null"))).toMatchObject({ _tag: "NotAFile" })
    expect(yield* Effect.flip(io.sizeOf("/dev/null"))).toMatchObject({ _tag: "NotAFile" })
    expect(opened).toBe(0)
  }))

describe("races", () => {
  it("a FIFO that takes the name between look and open doesn't hang, and is NotAFile", () =>
    using(function* (io, path) {
      execFileSync("mkfifo", [path])
      yield* Effect.scoped(io.create(`${path}-file`, { overwrite: false }))
      const regular = fs.statSync(`${path}-file`)
      during({ statSync: () => regular, lstatSync: () => regular })
      for (const readonly of [true, false]) {
        expect(yield* Effect.flip(io.open(path, { readonly }))).toMatchObject({ _tag: "NotAFile", path })
      }
      expect(yield* Effect.flip(io.lock(path))).toMatchObject({ _tag: "NotAFile", path })
    }))

  it("a link planted between look and lock is NotAFile, and nothing is made at its target", () =>
    using(function* (io, path) {
      const { lstatSync } = fs
      fs.symlinkSync(`${path}-target`, path)
      let looks = 0
      during({
        lstatSync: (...args: Parameters<typeof lstatSync>) => (looks++ === 0 ? undefined : lstatSync(...args))
      })
      expect(yield* Effect.flip(io.lock(path))).toMatchObject({ _tag: "NotAFile", path })
      expect(fs.existsSync(`${path}-target`)).toBe(false)
    }))

  it("a name that moves while it is locked is locked where it is in the end", () =>
    using(function* (io, path) {
      let moves = 0
      during({
        openSync: (...args: Parameters<typeof openSync>) => {
          const fd = openSync(...args)
          if (moves++ < 3) fs.renameSync(path, `${path}-moved-${moves}`)
          return fd
        }
      })
      yield* io.lock(path)
      restore()
      expect(yield* Effect.flip(io.lock(path))).toMatchObject({ _tag: "Locked", holder: "this process" })
      for (const count of [1, 2, 3]) yield* io.lock(`${path}-moved-${count}`)
    }))

  it("a name that never stays makes lock give up, with no descriptor left", () =>
    using(function* (io, path) {
      const before = fs.readdirSync("/proc/self/fd").length
      during({
        openSync: (...args: Parameters<typeof openSync>) => {
          const fd = openSync(...args)
          fs.unlinkSync(path)
          return fd
        }
      })
      expect(yield* Effect.flip(io.lock(path))).toMatchObject({ _tag: "IoFailed", code: "ESTALE", path })
      expect(fs.readdirSync("/proc/self/fd")).toHaveLength(before)
    }))

  it("overwriting a name that somebody else removes or takes meanwhile still makes a new file", () =>
    using(function* (io, path) {
      const { unlink } = fs
      fs.writeFileSync(path, "old")
      let calls = 0
      during({
        unlink: (name: string, done: (failure: NodeJS.ErrnoException | null) => void) => {
          calls += 1
          fs.unlinkSync(name)
          if (calls === 1) fs.writeFileSync(name, "somebody else's")
          else if (calls === 2) return unlink(name, done)
          done(null)
        }
      })
      const file = yield* io.create(path, { overwrite: true })
      expect(calls).toBe(2)
      expect(yield* file.size).toBe(0)
    }))
})

it("no failure leaks a descriptor", () =>
  using(function* (io, path) {
    yield* Effect.scoped(createWith(io, path, pattern(10_000)))
    yield* io.makeDirectory(`${path}-dir`)
    execFileSync("mkfifo", [`${path}-fifo`])
    const held = yield* Effect.forkChild(Effect.scoped(Effect.andThen(io.lock(path), Effect.never)), {
      startImmediately: true
    })
    const before = fs.readdirSync("/proc/self/fd").length
    for (let round = 0; round < 20; round++) {
      for (const readonly of [true, false]) {
        yield* Effect.flip(Effect.scoped(io.open(`${path}-dir`, { readonly })))
        yield* Effect.flip(Effect.scoped(io.open(`${path}-fifo`, { readonly })))
        yield* Effect.flip(Effect.scoped(io.open(`${path}-none`, { readonly })))
      }
      yield* Effect.flip(Effect.scoped(io.create(path, { overwrite: false })))
      yield* Effect.flip(Effect.scoped(io.create(`${path}-dir`, { overwrite: true })))
      yield* Effect.flip(Effect.scoped(io.lock(path)))
      yield* Effect.flip(Effect.scoped(io.lock(`${path}-dir`)))
      yield* Effect.flip(io.syncDirectory(path))
      yield* io.syncDirectory(directory)
      during({ fstatSync: throwing("EIO", "fstat") })
      yield* Effect.flip(Effect.scoped(io.open(path, { readonly: true })))
      yield* Effect.flip(Effect.scoped(io.lock(`${path}-lock`)))
      restore()
      yield* Effect.scoped(io.lock(`${path}-lock`))
      yield* Effect.scoped(
        Effect.flatMap(io.open(path, { readonly: true }), (file) => Effect.ignore(file.map(1, 10)))
      )
    }
    expect(fs.readdirSync("/proc/self/fd")).toHaveLength(before)
    yield* Fiber.interrupt(held)
    expect(fs.readdirSync("/proc/self/fd")).toHaveLength(before - 1)
  }))

it("mmap-io refuses what its 32 bits can't hold, and koffi what a view can't", async () => {
  const outcome = (mapping: "koffi" | "mmap-io", offset: number, length: number) =>
    Effect.gen(function* () {
      const io = yield* Io
      const file = yield* io.create(`${directory}/${mapping}-far`, { overwrite: true })
      yield* file.truncate(6 * 2 ** 30)
      return yield* Effect.match(file.map(offset, length), {
        onFailure: (error) => error._tag,
        onSuccess: (view) => view.length
      })
    }).pipe(Effect.scoped, Effect.provide(IoNode.layerWith({ mapping })), Effect.runPromise)
  const available = (name: string) => IoNode.providers().some((one) => one.name === name && one.available)
  expect(await outcome("mmap-io", 2 ** 31 - 4096, 1)).toBe("Unsupported")
  expect(await outcome("mmap-io", 2 ** 32, 100)).toBe("Unsupported")
  expect(await outcome("mmap-io", 0, 2 ** 32 + 1)).toBe("Unsupported")
  if (available("mmap-io")) expect(await outcome("mmap-io", 2 ** 31 - 4196, 100)).toBe(100)
  expect(await outcome("koffi", 1, 2 ** 32 - 4096)).toBe("Unsupported")
  if (available("koffi")) expect(await outcome("koffi", 2 ** 32 + 1, 100)).toBe(100)
})
