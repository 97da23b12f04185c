/**
 * Materialising an offloaded file: all of its bytes, holes where they are zeros, and nothing where it
 * fails.
 */
import fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect } from "vitest"
import { IoFailed, NoSpace } from "../../src/bytes/errors.ts"
import { OffloadedFile } from "../../src/file/OffloadedFile.ts"
import { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { onDisk, onEachIo, openHandles } from "./eachIo.ts"
import { bytesOf, contentOf, fails, type Offloaded, overAll } from "./offloadedFiles.ts"
import { interposedIo } from "../store/storeHarness.ts"
import { watchedIo } from "./watchedIo.ts"

const mib = 1 << 20
const backing = bytesOf(3 * mib)

/** The bytes of a file. */
const stored = Effect.fnUntraced(function* (path: string) {
  const file = yield* (yield* Io).open(path, { readonly: true })
  const bytes = new Uint8Array(yield* file.size)
  yield* file.readAt(0, bytes)
  yield* file.close
  return bytes
})

const expectStored = Effect.fnUntraced(function* (path: string, file: Offloaded) {
  expect(Buffer.compare(yield* stored(path), contentOf(file))).toBe(0)
})

/** Of everything something, none of it in whole blocks. */
const mixed = Effect.fnUntraced(function* () {
  const file = yield* overAll({ backing })
  yield* file.writeAt(1_000_001, new Uint8Array(300_000))
  yield* file.writeAt(5_000_003, bytesOf(200_001, 3))
  yield* file.resize(6_000_000, 9)
  yield* file.resize(6_500_001)
  return file
})

describe("materialise", () => {
  onEachIo((test) => {
    test("writes what the file is, leaves no other file, and does not change the file", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const file = yield* mixed()
        const before = file.extents()
        yield* file.materialise(`${directory}/out`)
        yield* expectStored(`${directory}/out`, file)
        expect(yield* io.list(directory)).toEqual(["out"])
        expect(file.extents()).toEqual(before)
        yield* file.writeAt(5_000_010, bytesOf(10, 8))
        yield* file.materialise(`${directory}/second`)
        yield* expectStored(`${directory}/second`, file)
      }))

    test("writes nothing of blocks that are zeros, whatever they are made of and wherever they end", (directory) =>
      Effect.gen(function* () {
        for (const length of [10_001, 8_194, 4_099, 3]) {
          const writes: Array<string> = []
          const watched = watchedIo(yield* Io, {
            before: (operation) => {
              if (operation === "writeAt") writes.push(operation)
            }
          })
          const file = yield* overAll({ backing: new Uint8Array(length) })
          const to = `${directory}/${length}`
          yield* file.materialise(to).pipe(Effect.provideService(Io, watched))
          expect(writes).toEqual([])
          yield* expectStored(to, file)
          // One byte, the last, makes a difference.
          yield* file.writeAt(length - 1, Uint8Array.of(1))
          yield* file.materialise(`${to}-1`).pipe(Effect.provideService(Io, watched))
          expect(writes.length).toBe(1)
          yield* expectStored(`${to}-1`, file)
        }
      }))

    test("is Locked where somebody has begun, and died, in the moment before the lock", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const to = `${directory}/out`
        const left = bytesOf(10)
        let locks = 0
        const racing = interposedIo(io, (operation, path) => {
          // The first is that of looking for what is stale.
          if (operation !== "lock" || path !== `${to}.tmp` || ++locks !== (stale ? 2 : 1)) return Effect.void
          return Effect.orDie(
            Effect.scoped(
              Effect.flatMap(io.create(path, { overwrite: true }), (file) => file.writeAt(0, left))
            )
          )
        })
        let stale = false
        const file = yield* overAll()
        for (stale of [false, true]) {
          locks = 0
          if (stale) yield* Effect.scoped(io.create(`${to}.tmp`, { overwrite: true }))
          yield* fails(file.materialise(to).pipe(Effect.provideService(Io, racing)), {
            _tag: "Locked",
            path: `${to}.tmp`
          })
          expect(yield* io.classify(to)).toBe("none")
        }
        yield* file.materialise(to)
        yield* expectStored(to, file)
      }))

    test("writes an empty file, and one that is all zeros", (directory) =>
      Effect.gen(function* () {
        const file = yield* OffloadedFile.make({ backing })
        yield* file.materialise(`${directory}/empty`)
        expect(yield* stored(`${directory}/empty`)).toEqual(new Uint8Array(0))
        yield* file.resize(10_001)
        yield* file.materialise(`${directory}/zeros`)
        expect(yield* stored(`${directory}/zeros`)).toEqual(new Uint8Array(10_001))
      }))

    test("overwrites nothing", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const file = yield* overAll()
        yield* file.materialise(`${directory}/out`)
        yield* io.makeDirectory(`${directory}/directory`)
        yield* file.writeAt(0, bytesOf(10, 7))
        for (const name of ["out", "directory"]) {
          yield* fails(file.materialise(`${directory}/${name}`), { _tag: "FileExists" })
        }
        expect(Buffer.compare(yield* stored(`${directory}/out`), bytesOf(100))).toBe(0)
        yield* fails(file.materialise(`${directory}/none/out`), { _tag: "NoSuchFile" })
        expect(yield* io.list(directory)).toEqual(["directory", "out"])
      }))

    test("takes the place of what a writer that died has left, and of no other", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const file = yield* overAll()
        const temporary = `${directory}/out.tmp`
        const stale = yield* io.create(temporary, { overwrite: false })
        yield* stale.writeAt(0, bytesOf(1000))
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* io.lock(temporary)
            yield* fails(file.materialise(`${directory}/out`), { _tag: "Locked", path: temporary })
          })
        )
        yield* file.materialise(`${directory}/out`)
        yield* expectStored(`${directory}/out`, file)
        // Whoever has the old one open still has what it was.
        expect(yield* stale.size).toBe(1000)
        yield* io.makeDirectory(`${directory}/other.tmp`)
        yield* fails(file.materialise(`${directory}/other`), { _tag: "NotAFile" })
        expect(yield* io.list(directory)).toEqual(["other.tmp", "out"])
      }))

    test("does not take its own backing for what is left of another", (directory) =>
      Effect.gen(function* () {
        const store = yield* (yield* Io).create(`${directory}/out.tmp`, { overwrite: false })
        yield* store.writeAt(0, backing)
        const file = yield* overAll({ backing: store })
        yield* fails(file.materialise(`${directory}/out`), { _tag: "InvalidArgument" })
        expect(Buffer.compare(contentOf(file), backing)).toBe(0)
      }))

    test("that fails leaves nothing, wherever it fails", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const file = yield* mixed()
        const path = `${directory}/out`
        const full = new NoSpace({ path: `${path}.tmp`, syscall: "write" })
        const broken = new IoFailed({ syscall: "fsync", path, code: "EIO", cause: undefined })
        const faults = { truncate: full, writeAt: full, sync: broken, rename: broken, syncDirectory: broken }
        for (const [operation, fault] of Object.entries(faults)) {
          const before = (called: string): void => {
            if (called === operation) throw fault
          }
          const faulty = Effect.provideService(file.materialise(path), Io, watchedIo(io, { before }))
          expect(yield* Effect.flip(faulty)).toBe(fault)
          expect(yield* io.list(directory)).toEqual([])
        }
        yield* file.materialise(path)
        yield* expectStored(path, file)
      }))

    test("that is interrupted leaves nothing; what is changed meanwhile does not matter", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const file = yield* mixed()
        const interrupted = yield* Effect.forkChild(file.materialise(`${directory}/out`))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(interrupted)
        expect(yield* io.list(directory)).toEqual([])
        const wanted = contentOf(file)
        const going = yield* Effect.forkChild(file.materialise(`${directory}/out`), {
          startImmediately: true
        })
        yield* fails(file.materialise(`${directory}/out`), { _tag: "Locked" })
        yield* file.writeAt(5_000_003, bytesOf(200_001, 4))
        yield* file.resize(17)
        yield* Fiber.join(going)
        expect(Buffer.compare(yield* stored(`${directory}/out`), wanted)).toBe(0)
      }))
  })

  onDisk((test) => {
    test("leaves a hole for each block of zeros, whatever the zeros come from", (directory) =>
      Effect.gen(function* () {
        const half = new Uint8Array(2 * mib)
        half.set(bytesOf(mib))
        const file = yield* overAll({ backing: half })
        yield* file.writeAt(4 * mib, new Uint8Array(mib))
        // A byte that is not zero in every other block, the last of its block.
        yield* file.writeAt(
          6 * mib + 4095,
          new Uint8Array(mib).map((_, i) => (i % 8192 === 0 ? 1 : 0))
        )
        yield* file.writeAt(2 ** 40, Uint8Array.of(1))
        const started = performance.now()
        yield* file.materialise(`${directory}/out`)
        const { blocks, size } = fs.statSync(`${directory}/out`)
        expect(size).toBe(2 ** 40 + 1)
        // Some file systems use a few blocks for themselves.
        const dataBytes = mib + 128 * 4096 + 4096
        expect(blocks * 512).toBeGreaterThanOrEqual(dataBytes)
        expect(blocks * 512).toBeLessThanOrEqual(dataBytes + 32 * 4096)
        expect(performance.now() - started).toBeLessThan(20_000)
        expect(openHandles(directory)).toEqual([])
      }))

    test("works where nothing can be locked", (directory) =>
      Effect.gen(function* () {
        const file = yield* mixed()
        yield* file.materialise(`${directory}/out`)
        yield* expectStored(`${directory}/out`, file)
        fs.writeFileSync(`${directory}/target`, "precious")
        fs.symlinkSync("target", `${directory}/other.tmp`)
        yield* fails(file.materialise(`${directory}/other`), { _tag: "NotAFile" })
        expect(fs.readFileSync(`${directory}/target`, "utf8")).toBe("precious")
      }).pipe(Effect.provide(IoNode.layerWith({ lock: false }))))
  })
})
