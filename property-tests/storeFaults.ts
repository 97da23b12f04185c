/**
 * An Io whose n-th call from some moment on fails, or whoever makes it is interrupted there.
 *
 * A write that fails may have written a part before, or all of it; and a file whose sync has failed
 * is poisoned, as an Io promises.
 */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { IoFailed, NoSpace, Poisoned } from "../src/bytes/errors.ts"
import { attempt } from "../src/io/attempt.ts"
import type { IoFile, IoService, SyncError, WriteError } from "../src/io/Io.ts"
import { watchedIo } from "../test/file/watchedIo.ts"

export interface Fault {
  /** Calls that are made before it. */
  readonly after: number
  /** The next call only, or every one from there on. */
  readonly lasts: "once" | "for good"
  readonly full: boolean
  /** Thousandths of a failing write that are written nevertheless. */
  readonly written: number
}

export const faults = (maxAfter: number): fc.Arbitrary<Fault> =>
  fc.record({
    after: fc.nat(maxAfter),
    lasts: fc.constantFrom("once", "for good"),
    full: fc.boolean(),
    written: fc.oneof(fc.constantFrom(0, 1000), fc.nat(1000))
  })

export interface Call {
  readonly operation: string
  readonly path: string
}

export class FaultyIo {
  readonly io: IoService
  /** The first call that was hit since a fault was armed. */
  hit: Call | undefined
  private armed: Fault | undefined
  private left = 0
  private paused = false
  private onHit: (() => void) | undefined

  constructor(io: IoService) {
    const wrapped: IoService = {
      ...io,
      create: (path, options) => Effect.map(io.create(path, options), (file) => this.wrap(file)),
      open: (path, options) => Effect.map(io.open(path, options), (file) => this.wrap(file))
    }
    this.io = watchedIo(wrapped, {
      before: (operation, path) => {
        if (operation === "writeAt" || operation === "sync") return
        const failure = this.fails({ operation, path })
        if (failure !== undefined) throw failure
      }
    })
  }

  arm(fault: Fault): void {
    this.armed = fault
    this.left = fault.after
    this.hit = undefined
    this.onHit = undefined
  }

  /** Instead of a failure: tells once that a call is about to be made, after so many others. */
  tellAfter(calls: number, onHit: () => void): void {
    this.arm({ after: calls, lasts: "once", full: false, written: 0 })
    this.onHit = onHit
  }

  disarm(): void {
    this.armed = undefined
  }

  /** What is done meanwhile meets no fault, and isn't counted. */
  pausing<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      this.paused = true
      return Effect.ensuring(
        effect,
        Effect.sync(() => (this.paused = false))
      )
    })
  }

  private fails(call: Call): IoFailed | NoSpace | undefined {
    const { armed } = this
    if (armed === undefined || this.paused) return undefined
    if (this.left > 0) {
      this.left--
      return undefined
    }
    if (armed.lasts === "once" && this.hit !== undefined) return undefined
    this.hit ??= call
    if (this.onHit !== undefined) {
      this.onHit()
      return undefined
    }
    const { operation, path } = call
    const takesSpace = ["create", "writeAt", "sync", "makeDirectory", "rename"].includes(operation)
    if (armed.full && takesSpace) return new NoSpace({ path, syscall: operation })
    return new IoFailed({ syscall: operation, path, code: "EIO", cause: new Error("made up") })
  }

  private wrap(inner: IoFile): IoFile {
    const { path } = inner
    let poison: unknown
    const refuse = (): void => {
      if (poison !== undefined) throw new Poisoned({ path, cause: poison })
    }
    const beforeWrite = (offset: number, bytes: Uint8Array): void => {
      refuse()
      const failure = this.fails({ operation: "writeAt", path })
      if (failure === undefined) return
      const written = Math.floor((bytes.length * (this.armed?.written ?? 0)) / 1000)
      if (written > 0) inner.unsafe.writeAt(offset, bytes.subarray(0, written))
      throw failure
    }
    const beforeSync = (): void => {
      refuse()
      poison = this.fails({ operation: "sync", path })
      if (poison !== undefined) throw poison
    }
    return {
      ...inner,
      writeAt: (offset, bytes) =>
        Effect.flatMap(
          attempt<void, WriteError>(() => beforeWrite(offset, bytes)),
          () => inner.writeAt(offset, bytes)
        ),
      sync: Effect.flatMap(attempt<void, SyncError>(beforeSync), () => inner.sync),
      unsafe: {
        ...inner.unsafe,
        writeAt: (offset, bytes) => {
          beforeWrite(offset, bytes)
          inner.unsafe.writeAt(offset, bytes)
        },
        sync: () => {
          beforeSync()
          inner.unsafe.sync()
        }
      }
    }
  }
}
