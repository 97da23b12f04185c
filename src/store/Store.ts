/**
 * Store: one directory that behaves like one huge append-only file with a garbage collector.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Io } from "../io/Io.ts"
import type { StoreOpenError, StoreOptions, StoreService } from "./storeService.ts"

export type * from "./storeService.ts"

declare const openStore: (
  options: StoreOptions
) => Effect.Effect<StoreService, StoreOpenError, Io | Scope.Scope>

export class Store extends Context.Service<Store, StoreService>()("lacuna/Store") {
  static readonly open = openStore

  /** One store for a program, by `open`. */
  static readonly layer = (options: StoreOptions): Layer.Layer<Store, StoreOpenError, Io> =>
    Layer.effect(Store, Store.open(options))
}
