/** A store as a stranger might write it, with Effects: states in memory that never change; and what may be wrong. */
import * as Effect from "effect/Effect"
import type { Extent } from "../../src/bytes/extent.ts"
import type { StoreEngine, StoreReading } from "../../src/testing/index.ts"

export const storeDefects = {
  "a commit that is forgotten by a crash": "commit",
  "a rollback that keeps a record": "rollback",
  "a collection that keeps one byte too few": "short",
  "a collection that keeps what is dead": "dead",
  "a collection that commits": "commits",
  "a collection that takes dead extents for live": "believes",
  "a reader that sees what isn't committed": "reader",
  "a reader that goes on by itself": "refreshed",
  "a batch that is out of order": "batch",
  "a read across a hole that gives zeros": "hole"
} as const

export type StoreDefect = (typeof storeDefects)[keyof typeof storeDefects]

type Bytes = ReadonlyArray<number>

class Refused extends Error {
  readonly _tag: string

  constructor(tag: string) {
    super(tag)
    this._tag = tag
  }
}

const isOffset = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

export const plainStore = (defect?: StoreDefect): StoreEngine => {
  /** -1 is a byte that is gone. */
  let now: Bytes = []
  let committed: Bytes = []
  let before: Bytes = []
  let suffixStart = 0
  const readOf = (bytes: Bytes, offset: number, length: number) => {
    if (!isOffset(offset) || !isOffset(length) || !isOffset(offset + length)) {
      return Effect.fail(new Refused("InvalidArgument"))
    }
    if (length === 0 && offset <= bytes.length) return Effect.succeed(new Uint8Array(0))
    if (offset >= bytes.length) return Effect.fail(new Refused("ReadOutOfBounds"))
    if (bytes[offset] === -1) return Effect.fail(new Refused("InvalidSparseRead"))
    const found = bytes.slice(offset, offset + length)
    const isWhole = found.length === length && (defect === "hole" || !found.includes(-1))
    return isWhole
      ? Effect.succeed(Uint8Array.from(found, (byte) => Math.max(0, byte)))
      : Effect.fail(new Refused("ReadOutOfBounds"))
  }
  const reading = (bytes: () => Bytes): StoreReading => ({
    read: (offset, length) => Effect.suspend(() => readOf(bytes(), offset, length)),
    end: () => Effect.sync(() => bytes().length)
  })
  const kept = (bytes: Bytes, live: ReadonlyArray<Extent>, upTo: number): Bytes =>
    bytes.map((byte, at) => {
      const isLive = live.some(
        ({ length, offset }) =>
          offset <= at && at < offset + length - (defect === "short" && length > 20 ? 1 : 0)
      )
      return at >= upTo || isLive || (defect === "dead" && at === 3) ? byte : -1
    })
  return {
    open: () => {
      now = committed = defect === "commit" && committed.length > 50 ? before : committed
      return {
        ...reading(() => now),
        append: (bytes) => Effect.sync(() => (now = [...now, ...bytes]).length - bytes.length),
        appendAll: (records) =>
          Effect.sync(() => {
            const first = now.length
            const ordered = defect === "batch" && records.length > 2 ? [...records].reverse() : records
            for (const record of ordered) now = [...now, ...record]
            return first
          }),
        commit: () =>
          Effect.sync(() => {
            before = committed
            committed = now
          }),
        rollback: () =>
          Effect.sync(() => {
            now = defect === "rollback" && now.length > committed.length + 50 ? now.slice(0, -1) : committed
          }),
        committedEnd: () => committed.length,
        collect: ({ live, upTo }, { dryRun }) =>
          Effect.gen(function* () {
            const isExtent = ({ length, offset }: Extent) => [offset, length, offset + length].every(isOffset)
            if (!isOffset(upTo) || upTo < suffixStart || upTo > committed.length || !live.every(isExtent)) {
              return yield* Effect.fail(new Refused("InvalidArgument"))
            }
            for (const { length, offset } of live) {
              const end = Math.min(offset + length, upTo)
              if (defect !== "believes" && offset < end) yield* readOf(committed, offset, end - offset)
            }
            if (dryRun) return
            suffixStart = upTo
            now = kept(now, live, upTo)
            committed = defect === "commits" ? now : kept(committed, live, upTo)
          })
      }
    },
    openReader: () => {
      let seen = defect === "reader" ? now : committed
      return {
        ...reading(() => (defect === "refreshed" ? committed : seen)),
        refresh: () => Effect.sync(() => void (seen = committed))
      }
    }
  }
}
