/**
 * Collections of a store: one at a time, ended when the store is closed.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import { Closed, Locked } from "../bytes/errors.ts"
import { attempt } from "../io/attempt.ts"
import { Collection, type CollectionOptions } from "./collection.ts"
import type { StoreCollected, StoreCollectError, StoreCollectOptions } from "./storeService.ts"

export class StoreCollecting {
  private readonly options: CollectionOptions
  private readonly running = Semaphore.makeUnsafe(1)
  private readonly closing = Deferred.makeUnsafe<never, Closed>()

  constructor(options: CollectionOptions) {
    this.options = options
  }

  collect<E, R>(options: StoreCollectOptions<E, R>): Effect.Effect<StoreCollected, StoreCollectError | E, R> {
    const { state } = this.options
    const collection = Effect.suspend(() => new Collection(this.options, options, this.closing).run).pipe(
      this.running.withPermitsIfAvailable(1),
      Effect.flatMap(
        Option.match({
          onNone: () => Effect.fail(new Locked({ path: state.directory, holder: "another collection" })),
          onSome: Effect.succeed
        })
      )
    )
    return attempt<void, StoreCollectError>(() => state.checkWritable("collect")).pipe(
      Effect.andThen(collection),
      Effect.withSpan("Store.collect", { attributes: { directory: state.directory, upTo: options.upTo } })
    )
  }

  /** Ends a collection that is under way, and waits until it has cleaned up; allows no other. */
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    const { directory } = this.options.state
    return Effect.andThen(
      Deferred.fail(this.closing, new Closed({ path: directory, operation: "collect" })),
      this.running.withPermit(Effect.void)
    )
  })
}
