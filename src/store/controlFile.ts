/**
 * The control file of a store: read by everybody, written by the holder of the store's lock.
 *
 * Two slots take turns, so the record that counts is never the one being written over. FORMAT.md
 * argues every crash; what the code must do for it:
 *
 * - Each write of a slot is made durable before the other slot is touched.
 * - What a file shows need not be what its device holds: a writer before us may have died between a
 *   write and its fsync, or its fsync may have failed, after which the system shows what it dropped.
 *   So nothing is built on a record that was read until `repair` has made it durable in both slots.
 * - After a failed write or fsync nobody knows what a slot holds, and nothing more is written.
 * - A record that gives up files (of an older generation, of the first chunks) goes into both slots
 *   before they are removed: neither may name what is gone.
 *
 * Only a record's own bytes are written, not all of its slot. The blocks of both slots were written
 * with zeros when the file was made, so a commit allocates nothing and changes no length.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import type * as Scope from "effect/Scope"
import { type Closed, Corrupt, FileExists, type IoFailed, type NoSpace, Poisoned } from "../bytes/errors.ts"
import { controlFileBytes, type ControlRecord, encodeControlRecord } from "../format/controlRecord.ts"
import { type ControlState, decodeControlSlots, slotOf, slotOffset } from "../format/controlSlots.ts"
import { attempt } from "../io/attempt.ts"
import { directoryOf } from "../io/directoryOf.ts"
import type { CreateError, DirectoryError, IoFile, IoService, OpenError, RenameError } from "../io/Io.ts"
import { writeNewFile } from "./newFile.ts"
import type { StorePaths } from "./storePaths.ts"

export type ControlReadError = Corrupt | OpenError
export type ControlCreateError = CreateError | DirectoryError | RenameError
export type ControlRepairError = IoFailed | NoSpace
export type ControlWriteError = Closed | IoFailed | NoSpace | Poisoned

/** How often a reader looks again when neither slot is whole, and how long it waits in between. */
const readAttempts = 10
const readAgainMillis = 1

/**
 * The newest record, as a reader sees it beside any writer: perhaps one that the writer is about to
 * sync. A writer in the midst of a slot leaves the other one whole; a reader slow enough to meet it
 * in both looks again.
 */
export const readControl = (
  io: IoService,
  paths: StorePaths
): Effect.Effect<ControlState, ControlReadError> =>
  Effect.gen(function* () {
    for (let attempts = 1; attempts < readAttempts; attempts++) {
      const found = yield* Effect.result(readOnce(io, paths))
      if (found._tag === "Success") return found.success
      if (found.failure._tag !== "Corrupt") return yield* found.failure
      yield* Effect.sleep(readAgainMillis)
    }
    return yield* readOnce(io, paths)
  })

const readOnce = (io: IoService, paths: StorePaths): Effect.Effect<ControlState, ControlReadError> =>
  Effect.flatMap(io.open(paths.control, { readonly: true }), readState).pipe(Effect.scoped)

const readState = (file: IoFile): Effect.Effect<ControlState, Corrupt | IoFailed> =>
  Effect.gen(function* () {
    // One byte more than there should be: a longer file is no control file either.
    const buffer = new Uint8Array(controlFileBytes + 1)
    const count = yield* file.readSomeAt(0, buffer)
    return yield* attempt<ControlState, Corrupt>(() =>
      decodeControlSlots(buffer.subarray(0, count), file.path)
    )
  }).pipe(
    // The file is ours, and open: these would be bugs.
    Effect.catchTag(["Closed", "InvalidArgument"], Effect.die)
  )

/**
 * Makes the control file of a new store, with `record` in both slots. The caller has made the
 * directory and all files that the record names, and holds the store's lock. Afterwards the store is
 * there for good; a failure leaves none.
 */
export const createControl = (
  io: IoService,
  paths: StorePaths,
  record: ControlRecord
): Effect.Effect<void, ControlCreateError> =>
  Effect.gen(function* () {
    const bytes = new Uint8Array(controlFileBytes)
    const encoded = encodeControlRecord(record)
    bytes.set(encoded, slotOffset(0))
    bytes.set(encoded, slotOffset(1))
    // The directory's own name is durable before a store is in it. Whoever made the directory may
    // have died before this, so it is done even where the directory was found.
    yield* io.syncDirectory(directoryOf(paths.directory))
    // Both slots are durable, zeros and all, before the file has the name that makes it count.
    yield* writeNewFile(io, paths.controlTmp, bytes)
    if ((yield* io.classify(paths.control)) !== "none") return yield* new FileExists({ path: paths.control })
    yield* io.rename(paths.controlTmp, paths.control)
    // The name of control is durable before anybody is told that there is a store.
    yield* Effect.onError(io.syncDirectory(paths.directory), () => Effect.ignore(io.remove(paths.control)))
  }).pipe(
    Effect.onError(() => Effect.ignore(io.remove(paths.controlTmp))),
    Effect.uninterruptible
  )

/** Opens the control file for writing, until the scope ends. The caller holds the store's lock. */
export const openControl = (
  io: IoService,
  paths: StorePaths
): Effect.Effect<ControlFile, ControlReadError, Scope.Scope> =>
  Effect.gen(function* () {
    const file = yield* io.open(paths.control, { readonly: false })
    return new ControlFile(file, yield* readState(file))
  })

/** An open control file. Its writes are made one at a time, and none is interrupted. */
export class ControlFile {
  /** Whether both slots held a whole record when the file was opened. */
  readonly slotsWhole: boolean
  /** What was wrong with one slot then. */
  readonly damage: Corrupt | undefined
  private readonly file: IoFile
  private readonly found: ControlState
  private current: ControlRecord
  private repaired = false
  private writing = false
  private poison: { readonly cause: unknown } | undefined

  constructor(file: IoFile, found: ControlState) {
    this.file = file
    this.found = found
    this.slotsWhole = found.slotsWhole
    this.damage = found.damage
    this.current = found.record
  }

  /** The record that counts: what was found, or what was written since. */
  get record(): ControlRecord {
    return this.current
  }

  /**
   * Makes the record that was found durable in both slots. It comes before any other write, and
   * before anything that the record does not name is removed. Where it fails, the file must be
   * opened anew.
   */
  readonly repair: Effect.Effect<void, ControlRepairError> = Effect.suspend(() => {
    const { slot, slotsWhole } = this.found
    const other = slot === 0 ? 1 : 0
    if (this.repaired) return Effect.void
    // With an older record in the other slot, ours is made sure of before that is written over. With
    // nothing in the other slot, ours may be the only one, and is not touched before it has a copy.
    const order = slotsWhole ? ([slot, other] as const) : ([other, slot] as const)
    return Effect.tap(this.put(this.current, order), () =>
      Effect.sync(() => {
        this.repaired = true
      })
    )
  }).pipe(
    Effect.catchTag(["Closed", "Poisoned"], Effect.die), // used after its end
    Effect.uninterruptible
  )

  /** Writes the record of a commit into the slot whose turn it is. */
  write(next: ControlRecord): Effect.Effect<void, ControlWriteError> {
    return Effect.suspend(() => {
      const wrong = this.commitFault(next)
      return wrong === undefined ? this.put(next, [slotOf(next.sequence)]) : bug(wrong)
    })
  }

  /** `write` on the caller's thread; throws the same. */
  writeNow(next: ControlRecord): void {
    const wrong = this.writing ? writtenTwice : this.commitFault(next)
    if (wrong !== undefined) throw new Error(wrong)
    const { path } = this.file
    if (this.poison !== undefined) throw new Poisoned({ path, cause: this.poison.cause })
    try {
      this.file.unsafe.writeAt(slotOffset(slotOf(next.sequence)), encodeControlRecord(next))
      // The record is durable before a commit is acknowledged.
      this.file.unsafe.sync()
    } catch (cause) {
      this.poison = { cause }
      throw cause
    }
    this.current = next
  }

  /**
   * Writes the record of a collection into both slots, one after the other. When it fails, the files
   * of both states must stay: either may be the one that is found by the next to open the store.
   */
  writeBoth(next: ControlRecord): Effect.Effect<void, ControlWriteError> {
    return Effect.suspend(() => {
      const wrong = this.successionFault(next)
      const slot = slotOf(next.sequence)
      return wrong === undefined ? this.put(next, [slot, slot === 0 ? 1 : 0]) : bug(wrong)
    })
  }

  /** Why a record can't be that of a commit which follows what is there, or undefined. */
  private commitFault(next: ControlRecord): string | undefined {
    const { firstChunk, generation } = this.current
    return next.generation !== generation || next.firstChunk !== firstChunk
      ? "a record that gives up files must be written into both slots"
      : this.successionFault(next)
  }

  private successionFault(next: ControlRecord): string | undefined {
    const { sequence } = this.current
    if (!this.repaired) return "control is written before it was repaired"
    return next.sequence === sequence + 1 ? undefined : `sequence ${next.sequence} can't follow ${sequence}`
  }

  private put(record: ControlRecord, slots: ReadonlyArray<0 | 1>): Effect.Effect<void, ControlWriteError> {
    return Effect.suspend((): Effect.Effect<void, ControlWriteError> => {
      const { path } = this.file
      if (this.poison !== undefined) return Effect.fail(new Poisoned({ path, cause: this.poison.cause }))
      if (this.writing) return bug(writtenTwice)
      const bytes = encodeControlRecord(record)
      this.writing = true
      return Effect.onExit(
        Effect.forEach(slots, (slot) => this.putSlot(slot, bytes), { discard: true }),
        (exit) => Effect.sync(() => this.settle(record, exit))
      )
    }).pipe(Effect.uninterruptible)
  }

  private putSlot(slot: 0 | 1, bytes: Uint8Array): Effect.Effect<void, ControlWriteError> {
    return Effect.andThen(
      this.file.writeAt(slotOffset(slot), bytes),
      // The record is durable before the other slot is written, before a commit is acknowledged, and
      // before anything that it no longer names is removed.
      this.file.sync
    ).pipe(
      // Open for writing, at offsets of our own: these would be bugs.
      Effect.catchTag(["InvalidArgument", "RoNotAllowed"], Effect.die)
    )
  }

  private settle(record: ControlRecord, exit: Exit.Exit<void, ControlWriteError>): void {
    this.writing = false
    if (Exit.isSuccess(exit)) this.current = record
    else this.poison ??= { cause: Cause.squash(exit.cause) }
  }
}

const writtenTwice = "control is written twice at once"

const bug = (reason: string): Effect.Effect<never> => Effect.die(new Error(reason))
