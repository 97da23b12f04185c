/**
 * In a process of its own, since a mistake would kill it: views beyond 4 GiB, views after their
 * scope, and what remains of them.
 */
import fs from "node:fs"
import { setTimeout } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"

const gibibyte = 2 ** 30

const demand = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(what)
}

const virtualKilobytes = (): number =>
  Number(/VmSize:\s+(\d+)/.exec(fs.readFileSync("/proc/self/status", "utf8"))?.[1])

const mappedNow = (path: string): boolean => fs.readFileSync("/proc/self/maps", "utf8").includes(path)

/** One byte of each page. */
const pages = (view: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(Math.floor(view.length / 4096))
  for (let i = 0; i < bytes.length; i++) bytes[i] = view[i * 4096 + 124]
  return bytes
}

/** A view at 4.5 GiB has the right bytes, and zeros once its file is let go of, truncated and gone. */
const farView = Effect.fnUntraced(function* (path: string) {
  const io = yield* Io
  const file = yield* io.create(path, { overwrite: false })
  yield* file.truncate(5 * gibibyte)
  const offset = 4.5 * gibibyte + 123
  yield* file.writeAt(offset, new Uint8Array(100_000).fill(7))
  yield* file.writeAt(offset - 4 * gibibyte, new Uint8Array(100_000).fill(9))
  const scope = yield* Scope.make()
  const view = yield* Scope.provide(file.map(offset, 100_000), scope)
  demand(
    view.every((byte) => byte === 7),
    "a view at 4.5 GiB shows other bytes"
  )
  const whole = yield* Scope.provide(file.map(4 * gibibyte - 1, gibibyte), scope)
  demand(whole.length === gibibyte && whole[gibibyte / 2 + 124] === 7, "a view of 1 GiB shows other bytes")
  demand(mappedNow(path), "the file isn't mapped")
  yield* Scope.close(scope, Exit.void)
  demand(!mappedNow(path), "the file is still mapped after the scope")
  yield* file.truncate(0)
  yield* file.close
  yield* io.remove(path)
  demand(
    view.every((byte) => byte === 0) && pages(whole).every((byte) => byte === 0),
    "a stale view shows something else than zeros"
  )
})

/** Addresses come back: else a hundred views of 1 GiB would be 100 GiB of them. */
const manyViews = Effect.fnUntraced(function* (path: string) {
  const io = yield* Io
  const file = yield* io.create(path, { overwrite: false })
  yield* file.truncate(gibibyte)
  const before = virtualKilobytes()
  for (let i = 0; i < 100; i++) {
    yield* Effect.scoped(file.map(i, gibibyte - 100))
    if (i % 10 === 9) {
      globalThis.gc?.()
      yield* Effect.promise(() => setTimeout(20))
    }
  }
  const grown = virtualKilobytes() - before
  demand(grown < 30 * 2 ** 20, `the address space has grown by ${grown} KiB`)
})

/** A view that nobody holds but its scope is neither unmapped early nor anybody else's at the end. */
const droppedViews = Effect.fnUntraced(function* (path: string) {
  const io = yield* Io
  const file = yield* io.create(path, { overwrite: false })
  yield* file.writeAt(0, new Uint8Array(100_000).fill(5))
  const scope = yield* Scope.make()
  for (let i = 0; i < 50; i++) yield* Scope.provide(file.map(0, 100_000), scope)
  globalThis.gc?.()
  yield* Effect.promise(() => setTimeout(50))
  const kept = yield* file.map(0, 100_000)
  yield* Scope.close(scope, Exit.void)
  demand(
    kept.every((byte) => byte === 5),
    "the end of one view's scope reached another view"
  )
})

export const main = ([directory]: ReadonlyArray<string>): Promise<void> =>
  Effect.gen(function* () {
    yield* Effect.scoped(farView(`${directory}/far`))
    yield* Effect.scoped(manyViews(`${directory}/many`))
    yield* Effect.scoped(droppedViews(`${directory}/dropped`))
    console.log("all views behaved")
  }).pipe(Effect.provide(IoNode.layerWith({ mapping: "koffi" })), Effect.runPromise)
