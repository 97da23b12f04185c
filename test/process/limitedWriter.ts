/**
 * The process that works with few open files, or with files that may not grow: it opens some stores and works on each
 * in turn, until something fails.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { IoNode } from "../../src/io/IoNode.ts"
import type { StoreOptions } from "../../src/store/storeService.ts"
import type { KillMessage } from "./killedWriter.ts"
import { Ledger } from "./ledger.ts"
import { failWith, tell, waitForOrder } from "./messages.ts"
import { type Failed, StoreToil } from "./storeToil.ts"

export interface LimitedOrder {
  readonly options: StoreOptions
  readonly mapping: "auto" | "off"
  readonly seed: number
  readonly steps: number
  readonly mostBytes: number
}

export type LimitedMessage = KillMessage | { readonly told: "ended"; readonly failed: ReadonlyArray<Failed> }

const { mapping, mostBytes, options, seed, steps } = waitForOrder<LimitedOrder>()
const toil = new StoreToil({
  ...{ store: options, seed, round: 0, ledger: new Ledger(), steps, mostBytes },
  hear: (message) => tell(message satisfies LimitedMessage)
})

toil.run
  .pipe(Effect.provide(IoNode.layerWith({ mapping })), Effect.provide(Logger.layer([])), Effect.runPromise)
  .then(() => {
    tell({ told: "ended", failed: toil.failed } satisfies LimitedMessage)
    process.exit(0)
  }, failWith)
