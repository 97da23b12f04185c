/** In a process of its own: takes the lock on a file and keeps it until it is killed. */
import * as Effect from "effect/Effect"
import { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"

export const main = ([path]: ReadonlyArray<string>): Promise<void> =>
  Effect.gen(function* () {
    const io = yield* Io
    yield* io.lock(path)
    console.log("locked")
    yield* Effect.sleep(60_000)
  }).pipe(Effect.scoped, Effect.provide(IoNode.layer), Effect.runPromise)
