/**
 * Blocks in which nothing is alive: no collection depends on what is in them, or on reading them.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { expect } from "vitest"
import { Io, type IoFile, type IoService } from "../../src/io/Io.ts"
import { onEachIo } from "../file/eachIo.ts"
import { damage, expectBytes, ioError, isSound, openOn, record } from "./storeHarness.ts"

const blockBytes = 65_536
const blocks = 10
const bytes = record(blocks * blockBytes - 100)

/** An Io in which these blocks of the first chunk can't be read, while `armed`. */
const badSectors = (inner: IoService, bad: ReadonlyArray<number>) => {
  const sectors = { armed: false }
  const touches = (offset: number, length: number) =>
    bad.some((block) => offset < (block + 1) * blockBytes && offset + length > block * blockBytes)
  const file = (opened: IoFile): IoFile => ({
    ...opened,
    unsafe: {
      ...opened.unsafe,
      readAt: (offset, buffer) => {
        const isBad = sectors.armed && opened.path.endsWith("store.0.suffix")
        if (isBad && touches(offset, buffer.length)) throw ioError("read", opened.path)
        opened.unsafe.readAt(offset, buffer)
      }
    }
  })
  const opened = <E>(call: Effect.Effect<IoFile, E, Scope.Scope>) => Effect.map(call, file)
  const io: IoService = {
    ...inner,
    create: (path, options) => opened(inner.create(path, options)),
    open: (path, options) => opened(inner.open(path, options))
  }
  return { io, sectors }
}

/** In blocks 0, 2 to 4, 6 and 9. */
const live = [
  { offset: 10, length: 100 },
  { offset: 2 * blockBytes + 5, length: 2 * blockBytes },
  { offset: 6 * blockBytes, length: blockBytes },
  { offset: 9 * blockBytes, length: 50 }
]
const dead = [1, 5, 7, 8]

onEachIo((test) => {
  test("one that can't be read fails no collection of what is beside it", (directory) =>
    Effect.gen(function* () {
      for (const bad of [...dead.map((block) => [block]), dead]) {
        const at = `${directory}/${bad.join("-")}`
        const { io, sectors } = badSectors(yield* Io, bad)
        const store = yield* openOn(io, at)
        yield* store.append(bytes)
        yield* store.split
        sectors.armed = true
        yield* store.collect({ live, upTo: bytes.length })
        for (const { length, offset } of live) {
          expectBytes(yield* store.read(offset, length), bytes.subarray(offset, offset + length))
        }
        yield* isSound(store)
      }
    }))

  test("one that is damaged fails none either; a live one is Corrupt, or IoFailed", (directory) =>
    Effect.gen(function* () {
      const { io, sectors } = badSectors(yield* Io, [3])
      const store = yield* openOn(io, directory)
      yield* store.append(bytes)
      yield* store.split
      const path = `${directory}/store.0.suffix`
      for (const block of dead) yield* damage(io, path, block * blockBytes + 77)
      sectors.armed = true
      expect(yield* Effect.flip(store.collect({ live, upTo: bytes.length }))).toMatchObject({
        _tag: "IoFailed",
        path
      })
      sectors.armed = false
      yield* damage(io, path, 3 * blockBytes + 77)
      expect(yield* Effect.flip(store.collect({ live, upTo: bytes.length }))).toMatchObject({
        _tag: "Corrupt",
        path,
        offset: 3 * blockBytes
      })
      yield* damage(io, path, 3 * blockBytes + 77)
      expect(yield* store.collect({ live, upTo: bytes.length })).toMatchObject({ generation: 1 })
      yield* isSound(store)
    }))
})
