/**
 * A power cut on ext4 without a journal, right after a split: control named the new chunk, the directory had its name,
 * and e2fsck cleared that name, since the file that it stood for, which had no byte yet, had never been synced. The
 * store was refused as damaged, with all that had been acknowledged. So a chunk's file is synced before control names
 * it, also where nothing was written to it.
 */
import { basename } from "node:path"
import * as Effect from "effect/Effect"
import { expect } from "vitest"
import { Io } from "../../src/io/Io.ts"
import { onEachIo } from "../file/eachIo.ts"
import { watchedIo } from "../file/watchedIo.ts"
import { openOn, record } from "./storeHarness.ts"

onEachIo((test) => {
  for (const way of ["split", "collect"] as const) {
    test(`the chunk that a ${way} begins is synced before its name, and that before control`, (directory) =>
      Effect.gen(function* () {
        const calls: Array<string> = []
        const io = watchedIo(yield* Io, {
          before: (operation, path) => void calls.push(`${operation} ${basename(path)}`)
        })
        const store = yield* openOn(io, `${directory}/store`)
        yield* store.append(record(1000))
        yield* store.commit
        calls.length = 0
        yield* way === "split" ? store.split : store.collect({ live: [{ offset: 0, length: 9 }], upTo: 1000 })
        const order = [
          "create store.1.suffix",
          "sync store.1.suffix",
          "syncDirectory store",
          "sync store.control"
        ]
        const places = order.map((call) => calls.indexOf(call))
        expect(places, calls.join(", ")).not.toContain(-1)
        expect(places).toEqual([...places].sort((a, b) => a - b))
      }))
  }
})
