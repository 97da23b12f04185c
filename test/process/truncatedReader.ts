/**
 * The process that reads files which somebody else has cut off meanwhile: it opens one, tells so, waits, and reads.
 */
import fs from "node:fs"
import * as Effect from "effect/Effect"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { Store } from "../../src/store/Store.ts"
import { failWith, tell, waitForOrder } from "./messages.ts"

export interface TruncatedOrder {
  readonly kind: "sparse file" | "store"
  readonly path: string
  readonly mapping: "auto" | "off"
  /** What is read, once this file is there. */
  readonly offset: number
  readonly length: number
  readonly signPath: string
}

export type TruncatedMessage =
  | { readonly told: "opened" }
  | { readonly told: "read"; readonly tag: string | undefined; readonly path?: string }

const { kind, length, mapping, offset, path, signPath } = waitForOrder<TruncatedOrder>()

const program = Effect.gen(function* () {
  const buffer = new Uint8Array(length)
  const read = yield* kind === "store"
    ? Effect.map(
        Store.open({ directory: path, readonly: true }),
        (store) => () => store.readInto(offset, buffer)
      )
    : Effect.map(SparseFile.open(path), (file) => () => file.read(offset, buffer))
  tell({ told: "opened" } satisfies TruncatedMessage)
  while (!fs.existsSync(signPath)) yield* Effect.sleep(2)
  const result = yield* Effect.result(
    read() as Effect.Effect<void, { readonly _tag: string; readonly path: string }>
  )
  const message =
    result._tag === "Success" ? { tag: undefined } : { tag: result.failure._tag, path: result.failure.path }
  tell({ told: "read", ...message } satisfies TruncatedMessage)
}).pipe(Effect.scoped, Effect.provide(IoNode.layerWith({ mapping })))

Effect.runPromise(program).then(() => process.exit(0), failWith)
