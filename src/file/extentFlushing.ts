/**
 * Making durable what was written, and saying what it is of.
 */
import * as Effect from "effect/Effect"
import { InvalidArgument, type NoSpace, SourceChanged } from "../bytes/errors.ts"
import { checkOffset } from "../bytes/offset.ts"
import { encodeIdentity } from "../format/extentFrame.ts"
import { maxIdentityBytes } from "../format/extentRecord.ts"
import { attempt } from "../io/attempt.ts"
import type { ExtentWriteError } from "./extentFileService.ts"
import { distrustFresh } from "./extentProving.ts"
import { beginChanges, compactWhenLarge, rewrite, syncChanges, syncRecord } from "./extentRewriting.ts"
import type { ExtentState } from "./extentState.ts"
import type { SourcePin } from "./extentStore.ts"

/** `flush`, for whoever holds the turn. With `closing` nothing more is written after it. */
export const flushInTurn = (state: ExtentState, closing: boolean): Effect.Effect<void, ExtentWriteError> =>
  Effect.gen(function* () {
    const { index, journal } = state
    yield* attempt<void, ExtentWriteError>(() => state.checkWritable("flush"))
    if (!journal.changed && !state.recordBehind) {
      if (closing && state.recordReady && !state.untidy) yield* mark(state, true)
      if (journal.unsynced) yield* syncMark(state, closing)
      return
    }
    yield* syncData(state)
    state.unmarkedBytes += index.freshBytes
    index.mark()
    yield* compactWhenLarge(state)
    if (state.recordBehind) yield* rewrite(state)
    else yield* mark(state, closing && !state.untidy)
    yield* syncMark(state, closing)
    journal.changed = false
    state.unmarkedBytes = 0
  })

const mark = (state: ExtentState, tidy: boolean): Effect.Effect<void, ExtentWriteError> =>
  attempt<void, ExtentWriteError>(() => {
    state.say((journal) => journal.room.mark(tidy))
    state.journal.changed = false
  })

/**
 * fsync of the record: the mark, before the flush is acknowledged. Then the header says so; for a file that is closed
 * that is durable too. Behind any other flush the next sync makes it so.
 */
const syncMark = (state: ExtentState, closing: boolean): Effect.Effect<void, ExtentWriteError> =>
  Effect.gen(function* () {
    yield* syncRecord(state)
    const noted = attempt<void, ExtentWriteError>(() => state.journal.noteSynced())
    if (!closing) return yield* Effect.ignore(noted)
    yield* noted
    yield* syncRecord(state)
  })

/** fsync of the data: the bytes are durable before the record says that they are. */
const syncData = (state: ExtentState): Effect.Effect<void, ExtentWriteError> =>
  state.data.sync.pipe(
    Effect.tapError((cause) =>
      Effect.sync(() => {
        state.setPoison(cause)
        distrustFresh(state)
        try {
          // The system goes on showing bytes that it may never have written; so does it to the next to open the
          // file, unless he is told. What the system shows is lost where this is.
          state.say((journal) => journal.room.unsure())
        } catch {
          state.recordBehind = true
        }
      })
    ),
    Effect.catchTag("RoNotAllowed", Effect.die)
  )

const shown = ({ identity, length }: SourcePin): string =>
  `${identity === "" ? "an unnamed version" : identity} of ${length} bytes`

/** `pin`. */
export const pinInTurn = (
  state: ExtentState,
  pin: SourcePin,
  source: string
): Effect.Effect<void, ExtentWriteError | SourceChanged> =>
  Effect.gen(function* () {
    const { data, index } = state
    yield* attempt<void, ExtentWriteError>(() => checkPin(state, pin))
    const { pinned } = index
    const same = pinned !== undefined && pinned.identity === pin.identity && pinned.length === pin.length
    if (!same && index.extents.count > 0) {
      const expected = pinned === undefined ? "a version that was not told" : shown(pinned)
      return yield* new SourceChanged({ source, expected, found: shown(pin) })
    }
    const size = yield* data.size
    if (same && size >= pin.length) return
    yield* beginChanges(state)
    // Without extents there is nothing to lose; with them the file is as long already, or a crash cut it.
    if (size !== pin.length) yield* truncate(state, pin.length)
    if (same) return
    yield* attempt<void, ExtentWriteError>(() => {
      state.say(({ frame }) => frame.pin(pin.length, pin.identity))
    })
    index.pin(pin.length, pin.identity)
  })

/** Can't be said in UTF-8. */
const loneSurrogate = /\p{Surrogate}/u

const checkPin = (state: ExtentState, { identity, length }: SourcePin): void => {
  state.checkWritable("pin")
  checkOffset("pin", "length", length)
  if (loneSurrogate.test(identity)) {
    throw new InvalidArgument({ operation: "pin", reason: "the identity has half of a surrogate pair" })
  }
  const bytes = encodeIdentity(identity).length
  if (bytes > maxIdentityBytes) {
    const reason = `an identity has at most ${maxIdentityBytes} bytes, not ${bytes}`
    throw new InvalidArgument({ operation: "pin", reason })
  }
}

/** `clear`. */
export const clearInTurn = (state: ExtentState): Effect.Effect<void, ExtentWriteError> =>
  Effect.gen(function* () {
    yield* attempt<void, ExtentWriteError>(() => state.checkWritable("clear"))
    // That everything is gone is durable before it is.
    yield* Effect.catchTag(sayClear(state), "NoSpace", (full) => clearFull(state, full))
    yield* truncateAll(state)
    state.untidy = false
  })

const sayClear = (state: ExtentState): Effect.Effect<void, ExtentWriteError> =>
  Effect.gen(function* () {
    yield* beginChanges(state)
    yield* attempt<void, ExtentWriteError>(() => {
      state.say(({ frame }) => frame.clear())
    })
    state.index.clear()
    state.unmarkedBytes = 0
    state.damaged.length = 0
    yield* syncChanges(state)
  })

/**
 * The record has no room to say it until the bytes have made some. These may go first, all at once: data that is
 * shorter than the record says has lost what lay there, and if a crash comes before this is said, that is all.
 */
const clearFull = (state: ExtentState, full: NoSpace): Effect.Effect<void, ExtentWriteError> =>
  Effect.suspend((): Effect.Effect<void, ExtentWriteError> => {
    if (state.poisoned) return Effect.fail(full)
    return Effect.andThen(truncateAll(state), sayClear(state))
  })

const truncateAll = (state: ExtentState): Effect.Effect<void, ExtentWriteError> =>
  Effect.suspend(() => {
    state.touch(0, Infinity)
    state.untidy = true
    return truncate(state, 0)
  })

const truncate = ({ data }: ExtentState, size: number): Effect.Effect<void, ExtentWriteError> =>
  // Open for writing: this would be a bug.
  Effect.catchTag(data.truncate(size), "RoNotAllowed", Effect.die)
