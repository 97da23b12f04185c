/**
 * Page caches over open files, and as the service of a program.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { expect } from "vitest"
import { IoFailed } from "../../src/bytes/errors.ts"
import { PageCache } from "../../src/file/PageCache.ts"
import { Io } from "../../src/io/Io.ts"
import { onEachIo } from "./eachIo.ts"
import { bytesAt, differenceOf, TestDevice, thrownBy } from "./pageDevices.ts"
import { fileOf } from "./sparseFileFiles.ts"
import { watchedIo } from "./watchedIo.ts"

onEachIo((test) => {
  test("a file is read as it is, to where it ends", (directory) =>
    Effect.gen(function* () {
      const path = `${directory}/file`
      const file = yield* fileOf(path, bytesAt(0, 10_000))
      for (const pageSize of [1, 64, 4096, 2 ** 15]) {
        const cache = yield* PageCache.overFile(file, { pageSize, cacheSize: 4 })
        expect(differenceOf(yield* cache.getBytes(0, 10_000), bytesAt(0, 10_000))).toBe(-1)
        expect(cache.unsafe.getBytes(4000, 200)).toEqual(bytesAt(4000, 200))
        for (const [offset, length] of [
          [9999, 2],
          [10_000, 1],
          [10_001, 1],
          [500_000, 8],
          [0, 2 ** 53 - 1],
          [5000, 2 ** 30]
        ]) {
          const refused = { _tag: "ReadOutOfBounds", path, offset, length, end: 10_000 }
          expect(yield* Effect.flip(cache.getBytes(offset, length))).toMatchObject(refused)
          expect(thrownBy(() => cache.unsafe.getBytes(offset, length))).toMatchObject(refused)
        }
        expect(yield* cache.load(10_000)).toBeUndefined()
      }
    }))

  test("a file that grows is followed", (directory) =>
    Effect.gen(function* () {
      const file = yield* fileOf(`${directory}/file`, bytesAt(0, 100))
      const cache = yield* PageCache.overFile(file, { pageSize: 64 })
      expect(yield* Effect.flip(cache.getUint8(100))).toMatchObject({ end: 100 })
      yield* file.writeAt(100, bytesAt(100, 100))
      expect(yield* cache.getBytes(90, 110)).toEqual(bytesAt(90, 110))
      expect(yield* Effect.flip(cache.getUint16LE(199))).toMatchObject({ end: 200 })
      yield* file.writeAt(300, bytesAt(300, 1))
      expect(yield* cache.getUint8(250)).toBe(0)
      expect(cache.unsafe.getUint8(300)).toBe(300 % 251)
    }))

  test("a file that changes is read anew where it was invalidated", (directory) =>
    Effect.gen(function* () {
      const file = yield* fileOf(`${directory}/file`, bytesAt(0, 200))
      const cache = yield* PageCache.overFile(file, { pageSize: 64 })
      yield* cache.getBytes(0, 200)
      yield* file.writeAt(60, new Uint8Array(8).fill(0xee))
      expect(yield* cache.getUint8(60)).toBe(60)
      cache.invalidate(60, 8)
      expect(yield* cache.getBytes(60, 8)).toEqual(new Uint8Array(8).fill(0xee))
      yield* file.truncate(50)
      cache.invalidate(0, 200)
      expect(yield* Effect.flip(cache.getUint8(50))).toMatchObject({ end: 50 })
    }))

  test("a closed file is Closed where it has to be read", (directory) =>
    Effect.gen(function* () {
      const path = `${directory}/file`
      const file = yield* fileOf(path, bytesAt(0, 1000))
      const cache = yield* PageCache.overFile(file, { pageSize: 64 })
      yield* cache.getUint8(3)
      yield* file.close
      expect(yield* cache.getUint8(63)).toBe(63)
      const closed = { _tag: "Closed", path }
      expect(yield* Effect.flip(cache.getUint16LE(63))).toMatchObject(closed)
      expect(yield* Effect.flip(cache.load(64))).toMatchObject(closed)
      expect(yield* Effect.flip(cache.getBytes(0, 2 ** 30))).toMatchObject(closed)
      expect(thrownBy(() => cache.unsafe.getUint8(64))).toMatchObject(closed)
      expect(cache.isCached(64)).toBe(false)
    }))

  test("a read that fails is told, and not remembered", (directory) =>
    Effect.gen(function* () {
      const path = `${directory}/file`
      yield* fileOf(path, bytesAt(0, 2 ** 22))
      let isBroken = true
      const before = (operation: string) => {
        if (!isBroken || operation !== "readSomeAt") return
        throw new IoFailed({ syscall: "read", path, code: "EIO", cause: new Error("made up") })
      }
      const file = yield* watchedIo(yield* Io, { before }).open(path, { readonly: true })
      for (const pageSize of [64, 2 ** 21]) {
        const cache = yield* PageCache.overFile(file, { pageSize, cacheSize: 2 })
        isBroken = true
        for (const read of [cache.getUint8(3), cache.load(3), cache.getBytes(50, 100)]) {
          expect(yield* Effect.flip<unknown, unknown, never>(read)).toMatchObject({
            _tag: "IoFailed",
            code: "EIO"
          })
        }
        expect(thrownBy(() => cache.unsafe.getUint32BE(62))).toMatchObject({ _tag: "IoFailed", path })
        expect(cache.isCached(3)).toBe(false)
        isBroken = false
        expect(yield* cache.getBytes(50, 100)).toEqual(bytesAt(50, 100))
      }
    }))

  test("pages above a mebibyte come by one call each, for all who wait", (directory) =>
    Effect.gen(function* () {
      const size = 2 ** 22 + 1000
      const path = `${directory}/file`
      yield* fileOf(path, bytesAt(0, size))
      let reads = 0
      const io = watchedIo(yield* Io, { before: (operation) => void (operation === "readSomeAt" && reads++) })
      const file = yield* io.open(path, { readonly: true })
      const cache = yield* PageCache.overFile(file, { pageSize: 2 ** 21, cacheSize: 2 })
      const addresses = [5, 2 ** 21 - 1, 2 ** 20, 77]
      const bytes = yield* Effect.forEach(addresses, (address) => cache.getUint8(address), {
        concurrency: "unbounded"
      })
      expect([bytes, reads]).toEqual([addresses.map((address) => address % 251), 1])
      const first = yield* Effect.forkChild(cache.getUint8(2 ** 21), { startImmediately: true })
      const second = yield* Effect.forkChild(cache.getUint8(2 ** 21 + 1), { startImmediately: true })
      yield* Fiber.interrupt(first)
      expect(yield* Fiber.join(second)).toBe((2 ** 21 + 1) % 251)
      expect(cache.unsafe.getUint8(size - 1)).toBe((size - 1) % 251)
      expect(yield* Effect.flip(cache.getUint16LE(size - 1))).toMatchObject({ end: size })
      expect(differenceOf(yield* cache.getBytes(7, size - 7), bytesAt(7, size - 7))).toBe(-1)
    }))

  test("a program has its cache from a layer, whose file is open for as long as the program runs", (directory) =>
    Effect.gen(function* () {
      const path = `${directory}/file`
      yield* Effect.scoped(fileOf(path, bytesAt(0, 1000)))
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(PageCache.layerOverFile(path, { cacheSize: 4 }), scope)
      const cache = yield* Effect.provideContext(PageCache, context)
      expect(cache.cacheSize).toBe(4)
      expect(yield* cache.getUint16BE(600)).toBe(((600 % 251) << 8) | (601 % 251))
      yield* Scope.close(scope, Exit.void)
      cache.invalidate(0, 1000)
      expect(yield* Effect.flip(cache.getUint8(1))).toMatchObject({ _tag: "Closed" })
      const program = Effect.flatMap(PageCache, (service) => service.getUint8(1))
      const missing = Effect.provide(program, PageCache.layerOverFile(`${directory}/none`))
      expect(yield* Effect.flip(missing)).toMatchObject({ _tag: "NoSuchFile", path: `${directory}/none` })
      const wrong = Effect.provide(program, PageCache.layerOverFile(path, { pageSize: 3 }))
      expect(yield* Effect.flip(wrong)).toMatchObject({ _tag: "InvalidArgument" })
      const made = PageCache.layer({ map: new TestDevice(1000).map, path: "the drum" })
      expect(yield* Effect.provide(program, made)).toBe(1)
      const beyond = Effect.flatMap(PageCache, (service) => service.getUint8(1000))
      expect(yield* Effect.flip(Effect.provide(beyond, made))).toMatchObject({ path: "the drum", end: 1000 })
    }))

  test("an object is read by positions", (directory) =>
    Effect.gen(function* () {
      const file = yield* fileOf(`${directory}/file`, bytesAt(0, 1000))
      const source = { readAt: (offset: number, buffer: Uint8Array) => file.readSomeAt(offset, buffer) }
      const cache = yield* PageCache.overSource(source, { pageSize: 64, path: "the object" })
      expect(yield* cache.getBytes(0, 1000)).toEqual(bytesAt(0, 1000))
      expect(cache.unsafe.getUint8(999)).toBe(999 % 251)
      const beyond = { _tag: "ReadOutOfBounds", path: "the object", offset: 990, length: 11, end: 1000 }
      expect(yield* Effect.flip(cache.getBytes(990, 11))).toMatchObject(beyond)
      yield* file.close
      expect(yield* Effect.flip(cache.getUint64LE(996))).toMatchObject({ _tag: "Closed" })
      expect(yield* cache.getUint8(5)).toBe(5)
    }))
})
