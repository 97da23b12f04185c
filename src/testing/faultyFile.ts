/**
 * An open file under faults: what IoFault makes of an `IoFile`.
 *
 * The order of the checks is that of a real file: arguments, closed, read-only, poisoned; only what
 * passes them reaches the system, and counts.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Poisoned, ReadOutOfBounds } from "../bytes/errors.ts"
import { isOffset } from "../bytes/offset.ts"
import type { CloseError, IoFile, ReadError, UnsafeIoFile } from "../io/Io.ts"
import { type Fault, faultError, type FaultKind, type IoCall, type IoOperation } from "./faults.ts"

export interface FaultTaker {
  /** Counts a call, and tells what happens to it. */
  readonly take: (call: IoCall) => Fault | undefined
}

export interface FaultyFileOptions {
  readonly plan: FaultTaker
  readonly onClose: () => void
  /** Keeps account of a mapping. */
  readonly mapped: <E>(
    mapping: Effect.Effect<Uint8Array, E, Scope.Scope>
  ) => Effect.Effect<Uint8Array, E, Scope.Scope>
}

export interface FaultyFile {
  readonly file: IoFile
  /** Says that the end of its scope has closed it. */
  readonly closed: () => void
}

/** A call that a file is asked for. */
interface Asked extends IoCall {
  readonly mutates: boolean
  /** Whether its arguments are such as a file takes. */
  readonly valid: boolean
  /** A transfer of nothing, for which the system is not asked. */
  readonly empty: boolean
}

type Failing = Exclude<FaultKind, "short-read">

const isRange = (offset: number, length: number): boolean =>
  isOffset(offset) && isOffset(length) && isOffset(offset + length)

const shareOf = (length: number, { share = 0.5 }: Fault): number => Math.floor(length * share)

export const faultyFile = (inner: IoFile, { mapped, onClose, plan }: FaultyFileOptions): FaultyFile => {
  const { path, unsafe } = inner
  let closed = false
  let poison: { readonly cause: unknown } | undefined

  /** What happens to a call; nothing where the file within refuses it. Throws `Poisoned`. */
  const faultOf = (asked: Asked): Fault | undefined => {
    const { empty, mutates, valid } = asked
    if (closed || !valid || (mutates && inner.readonly)) return undefined
    if (mutates && poison !== undefined) throw new Poisoned({ path, cause: poison.cause })
    const { length, operation } = asked
    return empty ? undefined : plan.take({ operation, path, length })
  }
  const failed = (fault: Fault, asked: Asked) => faultError(fault.kind as Failing, asked)

  /** A call that does its work or fails, with nothing in between. */
  const now = <A>(asked: Asked, body: () => A): A => {
    const fault = faultOf(asked)
    if (fault !== undefined) throw failed(fault, asked)
    return body()
  }
  /** The same as an Effect. Its errors are those of the operation. */
  const later = <A, E, R>(
    asked: Asked,
    effect: Effect.Effect<A, E, R>,
    partly?: (fault: Fault) => Effect.Effect<A, E, R> | undefined
  ): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      let fault: Fault | undefined
      try {
        fault = faultOf(asked)
      } catch (cause) {
        if (cause instanceof Poisoned) return Effect.fail(cause as E)
        throw cause
      }
      if (fault === undefined) return effect
      return partly?.(fault) ?? Effect.fail(failed(fault, asked) as E)
    })

  const plain = (operation: IoOperation, valid = true): Asked => ({
    ...{ operation, path, length: 0 },
    ...{ mutates: false, empty: false, valid }
  })
  const mutation = (operation: IoOperation, valid = true): Asked => ({
    ...plain(operation, valid),
    mutates: true
  })
  const reading = (operation: IoOperation, offset: number, { length }: Uint8Array): Asked => ({
    ...plain(operation, isRange(offset, length)),
    ...{ length, empty: length === 0 }
  })
  const writing = (offset: number, { length }: Uint8Array): Asked => ({
    ...mutation("writeAt", isRange(offset, length)),
    ...{ length, empty: length === 0 }
  })
  const truncation = (size: number) => mutation("truncate", isOffset(size))
  const punch = (offset: number, length: number) => mutation("punchHole", isRange(offset, length))
  const endsEarly = (offset: number, length: number, count: number) =>
    new ReadOutOfBounds({ path, offset, length, end: offset + count })
  const part = (bytes: Uint8Array, fault: Fault): Uint8Array =>
    bytes.subarray(0, shareOf(bytes.length, fault))

  /** Of what is there to be read, the first part, in the buffer of the caller. */
  const firstOf = (
    whole: Uint8Array,
    count: number,
    { buffer, fault }: { readonly fault: Fault; readonly buffer: Uint8Array }
  ): number => {
    const first = part(whole.subarray(0, count), fault)
    buffer.set(first)
    return first.length
  }

  const syncing = mutation("sync")
  /** Poisons when the call is to fail. */
  const failingSync = (fault: Fault) => {
    const cause = failed(fault, syncing)
    poison = { cause }
    return cause
  }

  const twins: UnsafeIoFile = {
    readAt: (offset, buffer) => {
      const asked = reading("readAt", offset, buffer)
      const fault = faultOf(asked)
      if (fault === undefined) return unsafe.readAt(offset, buffer)
      if (fault.kind !== "short-read") throw failed(fault, asked)
      throw endsEarly(offset, buffer.length, unsafe.readSomeAt(offset, part(buffer, fault)))
    },
    readSomeAt: (offset, buffer) => {
      const asked = reading("readSomeAt", offset, buffer)
      const fault = faultOf(asked)
      if (fault === undefined) return unsafe.readSomeAt(offset, buffer)
      if (fault.kind !== "short-read") throw failed(fault, asked)
      const whole = new Uint8Array(buffer.length)
      return firstOf(whole, unsafe.readSomeAt(offset, whole), { fault, buffer })
    },
    writeAt: (offset, bytes) => {
      const asked = writing(offset, bytes)
      const fault = faultOf(asked)
      if (fault === undefined) return unsafe.writeAt(offset, bytes)
      if (fault.kind === "short-write") unsafe.writeAt(offset, part(bytes, fault))
      throw failed(fault, asked)
    },
    size: () => now(plain("size"), unsafe.size),
    truncate: (size) => now(truncation(size), () => unsafe.truncate(size)),
    sync: () => {
      const fault = faultOf(syncing)
      if (fault !== undefined) throw failingSync(fault)
      unsafe.sync()
    },
    punchHole: (offset, length) => now(punch(offset, length), () => unsafe.punchHole(offset, length))
  }

  const file: IoFile = {
    path,
    readonly: inner.readonly,
    unsafe: twins,
    readAt: (offset, buffer) =>
      later<void, ReadError, never>(
        reading("readAt", offset, buffer),
        inner.readAt(offset, buffer),
        (fault) =>
          fault.kind === "short-read"
            ? Effect.flatMap(inner.readSomeAt(offset, part(buffer, fault)), (count) =>
                Effect.fail(endsEarly(offset, buffer.length, count))
              )
            : undefined
      ),
    readSomeAt: (offset, buffer) =>
      later(reading("readSomeAt", offset, buffer), inner.readSomeAt(offset, buffer), (fault) => {
        if (fault.kind !== "short-read") return undefined
        const whole = new Uint8Array(buffer.length)
        return Effect.map(inner.readSomeAt(offset, whole), (count) =>
          firstOf(whole, count, { fault, buffer })
        )
      }),
    writeAt: (offset, bytes) => {
      const asked = writing(offset, bytes)
      return later(asked, inner.writeAt(offset, bytes), (fault) =>
        fault.kind === "short-write"
          ? Effect.andThen(
              inner.writeAt(offset, part(bytes, fault)),
              Effect.suspend(() => Effect.fail(failed(fault, asked)))
            )
          : undefined
      )
    },
    size: later(plain("size"), inner.size),
    truncate: (size) => later(truncation(size), inner.truncate(size)),
    sync: later(syncing, inner.sync, (fault) => Effect.fail(failingSync(fault))),
    punchHole: (offset, length) => later(punch(offset, length), inner.punchHole(offset, length)),
    map: (offset, length) => later(plain("map", isRange(offset, length)), mapped(inner.map(offset, length))),
    close: Effect.suspend((): Effect.Effect<void, CloseError> => {
      const wasOpen = !closed
      const fault = faultOf(plain("close"))
      closed = true
      if (!wasOpen) return inner.close
      const close = Effect.ensuring(inner.close, Effect.sync(onClose))
      if (fault === undefined) return close
      return Effect.andThen(close, Effect.fail(failed(fault, plain("close")) as CloseError))
    }).pipe(Effect.uninterruptible)
  }
  return {
    file,
    closed: () => {
      closed = true
    }
  }
}
