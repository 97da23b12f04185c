/**
 * The directory's fsyncs of a promotion: they are about the names of chunks, too, which a commit
 * relies on.
 */
import * as Effect from "effect/Effect"
import { expect } from "vitest"
import { Io } from "../../src/io/Io.ts"
import { onEachIo } from "../file/eachIo.ts"
import { expectBytes, isPoisoned, isSound, openOn, record, reopened, toldIo } from "./storeHarness.ts"

onEachIo((test) => {
  test("when one fails the store is poisoned, and opened anew it has all that was committed", (directory) =>
    Effect.gen(function* () {
      const inner = yield* Io
      // A promotion syncs the directory twice.
      for (const failing of [1, 2]) {
        const at = `${directory}/${failing}`
        const told = toldIo(inner, at)
        const store = yield* openOn(told.io, at, { chunkSize: 4096, autoFlushThreshold: 10 })
        yield* store.append(record(4096))
        // The chunk is sealed: nothing but the promotion syncs the directory.
        yield* store.split
        yield* store.append(record(4096, 1))
        yield* store.append(record(4096, 2))
        yield* store.append(record(10, 3))
        told.forget()
        let syncs = 0
        told.failing = (call) => call === "syncDirectory ." && ++syncs === failing
        const error = yield* Effect.flip(store.collect({ live: [{ offset: 5, length: 10 }], upTo: 4096 }))
        expect(error).toMatchObject({ _tag: "IoFailed", syscall: "syncDirectory", path: at })
        told.failing = () => false
        expect(syncs).toBe(failing)
        expect(told.calls).toContain("sync store.1.prefix.tmp")
        yield* isPoisoned(store)
        expect(store.stats().generation).toBe(0)
        yield* store.close
        yield* reopened(inner, at, (again) =>
          Effect.gen(function* () {
            expect(again.end()).toBe(4096)
            expectBytes(yield* again.read(0, 4096), record(4096))
            expect(yield* again.collect({ live: [], upTo: 4096 })).toMatchObject({ generation: 1 })
            yield* isSound(again)
          })
        )
      }
    }))
})
