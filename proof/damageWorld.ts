/**
 * A file system in memory in which files are damaged and everything is done at once: whoever is run in it has ended
 * when `run` returns, so that a guard can end it where it doesn't.
 *
 * Time passes without waiting, and what is logged is dropped.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import { Unsupported } from "../src/bytes/errors.ts"
import { Io, type IoService } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"

/** A sleep is over at once. */
const hurried: Clock.Clock = {
  currentTimeMillisUnsafe: () => Date.now(),
  currentTimeMillis: Effect.sync(() => Date.now()),
  currentTimeNanosUnsafe: () => BigInt(Date.now()) * 1_000_000n,
  currentTimeNanos: Effect.sync(() => BigInt(Date.now()) * 1_000_000n),
  monotonicTimeNanosUnsafe: () => BigInt(Math.round(performance.now() * 1e6)),
  monotonicTimeNanos: Effect.sync(() => BigInt(Math.round(performance.now() * 1e6))),
  sleep: () => Effect.void
} as Clock.Clock

/** The same without mappings: all is read. */
const unmapped = (io: IoService): IoService => ({
  ...io,
  open: (path, options) =>
    Effect.map(io.open(path, options), (file) => ({
      ...file,
      map: () => Effect.fail(new Unsupported({ operation: "map", reason: "nothing is mapped here" }))
    }))
})

export class DamageWorld {
  readonly io: IoService
  private readonly context: Context.Context<Io>

  constructor({ mapping = true }: { readonly mapping?: boolean } = {}) {
    const built = Effect.runSync(Effect.scoped(Layer.build(IoMemory.layer)))
    const io = Context.get(built, Io)
    this.io = mapping ? io : unmapped(io)
    this.context = Context.make(Io, this.io).pipe(
      Context.add(Clock.Clock, hurried),
      Context.add(References.MinimumLogLevel, "None")
    )
  }

  /** Runs an effect to its end, and throws what it fails with. */
  run<A, E>(effect: Effect.Effect<A, E, Io | Scope.Scope>): A {
    const exit = Effect.runSyncExitWith(this.context)(Effect.scoped(effect))
    if (Exit.isSuccess(exit)) return exit.value
    throw Cause.squash(exit.cause)
  }

  /** `run`, for what waits for fibers of its own: a collection. */
  runLater<A, E>(effect: Effect.Effect<A, E, Io | Scope.Scope>): Promise<A> {
    return Effect.runPromiseWith(this.context)(Effect.scoped(effect))
  }

  /** Makes the file at `path` these bytes. */
  put(path: string, bytes: Uint8Array): void {
    this.run(
      Effect.gen({ self: this }, function* () {
        const isThere = (yield* this.io.classify(path)) === "file"
        const file = yield* isThere
          ? this.io.open(path, { readonly: false })
          : this.io.create(path, { overwrite: false })
        file.unsafe.truncate(bytes.length)
        file.unsafe.writeAt(0, bytes)
      })
    )
  }

  /** The bytes of the file at `path`; undefined where there is none. */
  get(path: string): Uint8Array | undefined {
    return this.run(
      Effect.gen({ self: this }, function* () {
        if ((yield* this.io.classify(path)) !== "file") return undefined
        const file = yield* this.io.open(path, { readonly: true })
        const bytes = new Uint8Array(file.unsafe.size())
        file.unsafe.readAt(0, bytes)
        return bytes
      })
    )
  }

  remove(path: string): void {
    if (this.run(this.io.classify(path)) === "file") this.run(this.io.remove(path))
  }
}

/** Whether two pieces of memory hold the same. */
export const isSame = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0
