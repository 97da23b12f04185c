/**
 * A file that is cut off under its reader. Without a mapping that is an error with a tag; with one the system ends the
 * process, which is what README names as assumed: nobody truncates a finished file while it is mapped. Both are shown in
 * a process of their own. Neither gives a byte that was not written.
 */
import fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { IoNode } from "../../src/io/IoNode.ts"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { Store } from "../../src/store/Store.ts"
import { itWith } from "./abilities.ts"
import { startChildren } from "./children.ts"
import { scratchDirectory } from "./runs.ts"
import type { TruncatedMessage, TruncatedOrder } from "./truncatedReader.ts"

const directory = scratchDirectory()
const children = startChildren("truncatedReader.ts", 0)
const bytes = 1 << 20
const cutOffAt = 8192

const makeSparse = (path: string) =>
  Effect.gen(function* () {
    const writer = yield* SparseFile.create(path)
    yield* writer.mapAdd(0, 0, bytes)
    yield* writer.appendBytes(new Uint8Array(bytes).fill(7))
    yield* writer.close
  }).pipe(Effect.scoped, Effect.provide(IoNode.layer), Effect.runPromise)

const makeStore = (path: string) =>
  Effect.gen(function* () {
    const store = yield* Store.open({ directory: path, create: true })
    yield* store.append(new Uint8Array(bytes).fill(7))
    yield* store.split
  }).pipe(Effect.scoped, Effect.provide(IoNode.layer), Effect.runPromise)

interface Found {
  readonly signal: string | null
  readonly message: TruncatedMessage | undefined
}

/** Reads behind where the file was cut off after it was opened. */
const readTruncated = async (kind: TruncatedOrder["kind"], mapping: "auto" | "off"): Promise<Found> => {
  const path = join(directory, `${kind}-${mapping}`.replace(" ", "-"))
  await (kind === "store" ? makeStore(path) : makeSparse(path))
  const signPath = `${path}.sign`
  const child = children.start({})
  let last: TruncatedMessage | undefined
  child.heard = (message: TruncatedMessage) => {
    last = message
    if (message.told !== "opened") return
    fs.truncateSync(kind === "store" ? join(path, "store.0.suffix") : path, cutOffAt)
    fs.writeFileSync(signPath, "")
  }
  child.order({ kind, path, mapping, signPath, offset: 500_000, length: 100 } satisfies TruncatedOrder)
  const { signal } = await child.ended
  return { signal, message: last }
}

const mappingIsHere = IoNode.providers().some(({ available, serves }) => serves === "mapping" && available)

for (const kind of ["sparse file", "store"] as const) {
  itWith(
    `a ${kind} that is cut off while it is open is Corrupt, without a mapping`,
    { needs: [], timeout: 60_000 },
    async () => {
      const { message, signal } = await readTruncated(kind, "off")
      assert.isNull(signal)
      assert.deepInclude(message, { told: "read", tag: "Corrupt" })
    }
  )

  if (!mappingIsHere) continue
  itWith(
    `a ${kind} that is cut off while it is mapped ends its reader`,
    { needs: ["linux"], timeout: 60_000 },
    async () => {
      const { message, signal } = await readTruncated(kind, "auto")
      assert.include(["SIGBUS", "SIGSEGV"], signal)
      assert.deepEqual(message, { told: "opened" }, "no byte was given")
    }
  )
}
