/**
 * Making durable what was written, and saying what it is of.
 */
import * as Effect from "effect/Effect"
import { InvalidArgument, SourceChanged } from "../bytes/errors.ts"
import { checkOffset } from "../bytes/offset.ts"
import { encodeIdentity } from "../format/extentFrame.ts"
import { maxIdentityBytes } from "../format/extentRecord.ts"
import { attempt } from "../io/attempt.ts"
import type { ExtentWriteError } from "./extentFileService.ts"
import { distrustFresh } from "./extentProving.ts"
import { beginChanges, compactWhenLarge, rewrite, syncRecord } from "./extentRewriting.ts"
import type { ExtentState } from "./extentState.ts"
import type { SourcePin } from "./extentStore.ts"

/** `flush`, for whoever holds the turn. With `closing` nothing more is written after it. */
export const flushInTurn = (state: ExtentState, closing: boolean): Effect.Effect<void, ExtentWriteError> =>
  Effect.gen(function* () {
    const { index, journal } = state
    yield* attempt<void, ExtentWriteError>(() => state.checkWritable("flush"))
    if (!journal.changed && !state.recordBehind) {
      if (closing && state.recordReady && !state.untidy) yield* mark(state, true)
      if (journal.unsynced) yield* syncRecord(state)
      return
    }
    yield* syncData(state)
    index.mark()
    yield* compactWhenLarge(state)
    if (state.recordBehind) yield* rewrite(state)
    else yield* mark(state, closing && !state.untidy)
    yield* syncRecord(state)
    journal.changed = false
  })

const mark = ({ journal }: ExtentState, tidy: boolean): Effect.Effect<void, ExtentWriteError> =>
  attempt<void, ExtentWriteError>(() => {
    journal.room.mark(tidy)
    journal.commit()
    journal.changed = false
  })

/** fsync of the data: the bytes are durable before the record says that they are. */
const syncData = (state: ExtentState): Effect.Effect<void, ExtentWriteError> =>
  state.data.sync.pipe(
    Effect.tapError((cause) =>
      Effect.sync(() => {
        if (state.poisoned) return
        state.setPoison(cause)
        distrustFresh(state)
        try {
          // The system goes on showing bytes that it may never have written; so does it to the next to open the
          // file, unless he is told. What the system shows is lost where this is.
          state.journal.frame.begin()
          state.journal.room.unsure()
          state.journal.commit()
        } catch {
          state.recordBehind = true
        }
      })
    ),
    Effect.catchTag("RoNotAllowed", (impossible) => Effect.die(impossible))
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
    const { data, index, journal } = state
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
      journal.frame.begin()
      journal.frame.pin(pin.length, pin.identity)
      journal.commit()
    })
    index.pin(pin.length, pin.identity)
  })

const checkPin = (state: ExtentState, { identity, length }: SourcePin): void => {
  state.checkWritable("pin")
  checkOffset("pin", "length", length)
  const bytes = encodeIdentity(identity).length
  if (bytes > maxIdentityBytes) {
    const reason = `an identity has at most ${maxIdentityBytes} bytes, not ${bytes}`
    throw new InvalidArgument({ operation: "pin", reason })
  }
}

/** `clear`. */
export const clearInTurn = (state: ExtentState): Effect.Effect<void, ExtentWriteError> =>
  Effect.gen(function* () {
    const { index, journal } = state
    yield* attempt<void, ExtentWriteError>(() => state.checkWritable("clear"))
    yield* beginChanges(state)
    yield* attempt<void, ExtentWriteError>(() => {
      journal.frame.begin()
      journal.frame.clear()
      journal.commit()
    })
    index.clear()
    state.damaged.length = 0
    // That everything is gone is durable before it is.
    yield* syncRecord(state)
    state.touch(0, Infinity)
    state.untidy = true
    yield* truncate(state, 0)
    state.untidy = false
  })

const truncate = ({ data }: ExtentState, size: number): Effect.Effect<void, ExtentWriteError> =>
  // Open for writing: this would be a bug.
  Effect.catchTag(data.truncate(size), "RoNotAllowed", (impossible) => Effect.die(impossible))
