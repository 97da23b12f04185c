import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { expect, it } from "vitest"
import { IoFailed } from "../../src/bytes/errors.ts"
import { Offmap } from "../../src/file/Offmap.ts"
import { Io, type IoFile } from "../../src/io/Io.ts"
import { inMemory } from "./sparseFileFiles.ts"

/** A map of many pages at `path`. */
const mapAt = (path: string) =>
  Effect.gen(function* () {
    const builder = Offmap.builder()
    for (let i = 0; i < 200_000; i++) builder.add(i * 10, i * 10, 5)
    const file = yield* (yield* Io).create(path, { overwrite: false })
    yield* Offmap.write(builder.build(), file, 0)
  }).pipe(Effect.scoped)

it(
  "writing a map whose scope ends meanwhile is Closed, and what was written is no map",
  inMemory(
    Effect.gen(function* () {
      yield* mapAt("/map")
      const scope = yield* Scope.make()
      const map = yield* Offmap.open("/map").pipe(Scope.provide(scope))
      const copy = yield* (yield* Io).create("/copy", { overwrite: false })
      const writing = yield* Effect.forkChild(Offmap.write(map, copy, 0), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      expect(yield* Effect.flip(Fiber.join(writing))).toMatchObject({ _tag: "Closed", path: "/map" })
      expect(yield* Effect.flip(Offmap.read(copy, 0))).toMatchObject({ _tag: "Corrupt" })
    })
  )
)

it(
  "a map that the system won't map, for whatever reason, is read",
  inMemory(
    Effect.gen(function* () {
      yield* mapAt("/map")
      const io = yield* Io
      const cause = new Error("ENOMEM: not enough memory, mmap")
      const refused = new IoFailed({ syscall: "mmap", path: "/map", code: "ENOMEM", cause })
      const unmapped = (file: IoFile): IoFile => ({ ...file, map: () => Effect.fail(refused) })
      const refusing = {
        ...io,
        open: (...args: Parameters<typeof io.open>) => Effect.map(io.open(...args), unmapped)
      }
      const map = yield* Offmap.open("/map").pipe(Effect.provideService(Io, refusing))
      expect(map.translate(1_999_994)).toBe(1_999_994)
    })
  )
)
