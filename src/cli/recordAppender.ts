/**
 * Records appended to a store in batches, committed when it is time, and told on standard output.
 */
import * as Effect from "effect/Effect"
import type { StoreAppendError, StoreCommitError, StoreService } from "../store/storeService.ts"
import { type OutputError, print } from "./output.ts"
import type { RecordPart } from "./records.ts"

/** How many offsets wait for their commit, at most, before they are told. */
const waitingOffsets = 1 << 16

/** A commit is due after so many of either. */
export interface CommitEvery {
  readonly records: number
  readonly bytes: number
}

export interface RecordAppender {
  readonly add: (parts: ReadonlyArray<RecordPart>) => Effect.Effect<void, RecordAppenderError>
  /** Commits, and tells the rest. */
  readonly finish: Effect.Effect<void, RecordAppenderError>
  readonly result: () => AppendedRecords
}

export type RecordAppenderError = StoreAppendError | StoreCommitError | OutputError

export interface AppendedRecords {
  /** The offset of the first record; where there was none, the end. */
  readonly first: number
  readonly end: number
  readonly records: number
  readonly bytes: number
}

export const recordAppender = (
  store: StoreService,
  options: {
    /** Undefined: only at the end. */
    readonly commitEvery: CommitEvery | undefined
    /** Tells no offsets. */
    readonly silent: boolean
  }
): RecordAppender => {
  const { commitEvery, silent } = options
  let first: number | undefined
  let records = 0
  let bytes = 0
  let committed: CommitEvery = { records: 0, bytes: 0 }
  let inRecord = false
  let waiting: Array<number> = []

  const tell = Effect.suspend(() => {
    const lines = waiting.map(String)
    waiting = []
    return lines.length === 0 ? Effect.void : print(...lines)
  })

  const commit = Effect.gen(function* () {
    yield* store.commit
    committed = { records, bytes }
    yield* tell
  })

  const isDue = (): boolean =>
    commitEvery !== undefined &&
    !inRecord &&
    (records - committed.records >= commitEvery.records || bytes - committed.bytes >= commitEvery.bytes)

  /** Counts a part that will lie at `offset`. */
  const take = (offset: number, part: RecordPart): void => {
    first ??= offset
    if (!inRecord && !silent) waiting.push(offset)
    inRecord = !part.last
    if (part.last) records++
    bytes += part.bytes.length
  }

  const add = Effect.fnUntraced(function* (parts: ReadonlyArray<RecordPart>) {
    for (let at = 0; at < parts.length;) {
      const batch: Array<Uint8Array> = []
      let offset = store.end()
      do {
        const part = parts[at++]
        take(offset, part)
        batch.push(part.bytes)
        offset += part.bytes.length
      } while (at < parts.length && !isDue() && waiting.length < waitingOffsets)
      yield* store.appendAll(batch)
      if (isDue()) yield* commit
      else if (waiting.length >= waitingOffsets) yield* commitEvery === undefined ? tell : commit
    }
  })

  return {
    add,
    finish: commit,
    result: () => ({ first: first ?? store.end(), end: store.end(), records, bytes })
  }
}
