import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { MemoryBytes } from "../../src/io/memoryBytes.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Io>) =>
  Effect.runPromise(Effect.provide(effect, IoMemory.layer))

it("each build of the layer is a file system of its own, with a root", async () => {
  const program = Effect.gen(function* () {
    const io = yield* Io
    const before = yield* io.list("/")
    yield* Effect.scoped(io.create("/file", { overwrite: false }))
    yield* io.syncDirectory("/")
    return [before, yield* io.list("/"), yield* io.classify("/")]
  })
  expect(await run(program)).toEqual([[], ["file"], "directory"])
  expect(await run(program)).toEqual([[], ["file"], "directory"])
})

it("paths are read as on a disk: doubled slashes, dots, and relative ones from the root", async () => {
  const program = Effect.gen(function* () {
    const io = yield* Io
    yield* io.makeDirectory("a")
    yield* Effect.scoped(io.create("//a/./../a//file", { overwrite: false }))
    const names = yield* io.list("/a/")
    const missing = yield* Effect.flip(io.sizeOf("/b/../a/file"))
    const root = yield* Effect.flip(io.remove("/"))
    const empty = yield* Effect.flip(io.sizeOf(""))
    return [names, missing._tag, root._tag, empty._tag]
  })
  expect(await run(program)).toEqual([["file"], "NoSuchFile", "NotAFile", "NoSuchFile"])
})

it("a GiB grows piece by piece, and a hole of a petabyte costs nothing", () => {
  const bytes = new MemoryBytes()
  const before = process.memoryUsage().arrayBuffers
  bytes.truncate(2 ** 50)
  bytes.write(new Uint8Array([1, 2, 3]), 0, 3, 2 ** 50 - 3)
  bytes.write(new Uint8Array([4]), 0, 1, 2 ** 52)
  bytes.zero(1, 2 ** 50 - 2)
  const read = new Uint8Array(3)
  expect(bytes.read(read, 0, 3, 2 ** 50 - 3)).toBe(3)
  expect([...read]).toEqual([0, 0, 3])
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20)

  const grown = new MemoryBytes()
  const piece = new Uint8Array(1 << 16)
  const start = performance.now()
  for (let i = 0; i < 1 << 14; i++) {
    piece[0] = i & 255
    grown.write(piece, 0, piece.length, grown.size)
  }
  expect(grown.size).toBe(2 ** 30)
  expect(grown.read(read, 0, 1, 1000 * (1 << 16))).toBe(1)
  expect(read[0]).toBe(1000 & 255)
  // Copying on growth would move 8 TiB; no bound on time is meant here but that.
  expect(performance.now() - start).toBeLessThan(20_000)
})

it("a file cut short and extended again holds zeros where it was cut", () => {
  const bytes = new MemoryBytes()
  const read = new Uint8Array(200_000)
  bytes.write(new Uint8Array(200_000).fill(7), 0, 200_000, 0)
  bytes.truncate(70_000)
  bytes.truncate(200_000)
  bytes.read(read, 0, 200_000, 0)
  expect(read.lastIndexOf(7)).toBe(69_999)
  bytes.zero(65_000, 1_000_000)
  bytes.read(read, 0, 200_000, 0)
  expect(read.lastIndexOf(7)).toBe(64_999)
  expect(bytes.size).toBe(200_000)
})
