/**
 * What every law about sources of bytes begins with: the ways to read one, and what each way must give.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Extent } from "../bytes/extent.ts"
import type { ByteSource } from "../fetch/ByteSource.ts"
import { check, checkBytes, checkEqual } from "./law.ts"

/** Gives a source whose object is `bytes`. */
export type MakeByteSource = (bytes: Uint8Array) => Effect.Effect<ByteSource<unknown>, unknown, Scope.Scope>

/** Changes an object in place. */
export type ChangeByteSource = (
  source: ByteSource<unknown>,
  bytes: Uint8Array
) => Effect.Effect<ByteSource<unknown>, unknown, Scope.Scope>

/** A law under construction: it awaits its context. */
export interface SourceLaw {
  readonly name: string
  readonly body: (context: SourceLawContext) => Effect.Effect<void, unknown, Scope.Scope>
}

/** What a law is given to break. */
export interface SourceLawContext {
  readonly make: MakeByteSource
  readonly change: ChangeByteSource | undefined
  readonly chunkSize: number
  /** An object that ends within a chunk. */
  readonly bytes: Uint8Array
}

export const sourceLaw = (
  name: string,
  body: (context: SourceLawContext) => Generator<Effect.Effect<unknown, unknown, Scope.Scope>, void>
): SourceLaw => ({ name, body: (context) => Effect.gen(() => body(context)) })

/** What buffers hold before: not 0, so that it is seen when they are wiped. */
export const untouched = 0xa5

/** Reads into the middle of a buffer, and demands the bytes, their number, and that nothing around them changed. */
export const checkRead = (source: ByteSource<unknown>, bytes: Uint8Array, { length, offset }: Extent) =>
  Effect.gen(function* () {
    const margin = 7
    const around = new Uint8Array(length + 2 * margin).fill(untouched)
    const what = `${length} bytes at ${offset} of ${bytes.length}`
    const count = yield* source.readAt(offset, around.subarray(margin, margin + length))
    const expected = new Uint8Array(around.length).fill(untouched)
    const there = bytes.subarray(offset, offset + length)
    expected.set(there, margin)
    checkEqual(count, there.length, `${what}: number of bytes`)
    checkBytes(around, expected, `${what}, in their buffer`)
  })

/** Demands that an effect fails: with anything, but not by a defect. */
export const checkRefused = (effect: Effect.Effect<unknown, unknown>, what: string) =>
  Effect.map(Effect.exit(effect), (exit) => {
    check(Exit.isFailure(exit), `${what} is a failure`)
    check(Exit.isFailure(exit) && !Cause.hasDies(exit.cause), `${what} is a failure, and not a defect`)
  })

/** Demands that the pieces of a stream are the bytes. */
export const checkStream = (source: ByteSource<unknown>, bytes: Uint8Array, { length, offset }: Extent) =>
  Effect.gen(function* () {
    if (source.stream === undefined) return
    const found = new Uint8Array(length)
    let at = 0
    const what = `stream of ${length} bytes at ${offset}`
    yield* Stream.runForEach(source.stream(offset, length), (piece) =>
      Effect.sync(() => {
        check(at + piece.length <= length, `${what}: no more bytes than that`)
        found.set(piece, at)
        at += piece.length
        // What it gave is the taker's.
        piece.fill(untouched)
      })
    )
    checkEqual(at, length, `${what}: number of bytes`)
    checkBytes(found, bytes.subarray(offset, offset + length), what)
  })
