/**
 * What an open extent file is at a moment, and who may change it.
 *
 * Operations that change something exclude one another. Those that need not wait for a device run to their
 * end at once, when nobody is busy; the others hold `turn`. Reads wait for nobody. So:
 *
 * - The bytes of a piece that is in the index are those of its checksum, whenever others can run: what is
 *   about to be written or punched has left the index before.
 * - A read that lets others run in between is told when bytes of its range are changed meanwhile (`touch`).
 * - A piece that a read finds damaged is dropped at once, or, while somebody is busy, when he is done.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Closed, Poisoned, Unsupported } from "../bytes/errors.ts"
import type { IoFile, IoService } from "../io/Io.ts"
import type { ExtentWriteError } from "./extentFileService.ts"
import { loseDamaged } from "./extentForgetting.ts"
import { bad, type ExtentIndex, proved } from "./extentIndex.ts"
import type { ExtentJournal } from "./extentJournal.ts"
import type { ExtentPaths } from "./extentPaths.ts"
import { ExtentPieceBuffer } from "./extentPieceBuffer.ts"

/** A read under way, over several turns. */
export interface ExtentReader {
  readonly from: number
  readonly to: number
  /** Whether bytes of the range were changed since it began. */
  torn: boolean
}

/** An extent that is to be deleted. */
export interface Doomed {
  readonly offset: number
  /** What came of it, once it was somebody's turn. */
  outcome: Exit.Exit<void, ExtentWriteError> | undefined
}

export interface ExtentParts {
  /** Closed, everything that belongs to the file is. */
  readonly scope: Scope.Closeable
  /** The record's file, whichever it is, is closed with it. */
  readonly records: Scope.Closeable
  /** Closed, the record's file is. */
  readonly recordScope: Scope.Closeable
  readonly io: IoService
  readonly paths: ExtentPaths
  readonly data: IoFile
  readonly journal: ExtentJournal
  readonly index: ExtentIndex
}

export class ExtentState {
  readonly io: IoService
  readonly paths: ExtentPaths
  readonly data: IoFile
  readonly journal: ExtentJournal
  readonly index: ExtentIndex
  readonly scope: Scope.Closeable
  readonly records: Scope.Closeable
  recordScope: Scope.Closeable
  /** What waits to be deleted. */
  readonly doomed = new Set<Doomed>()
  readonly readers = new Set<ExtentReader>()
  /** For whoever is done with it before others run. */
  readonly scratch = new ExtentPieceBuffer()
  closed = false
  /** Somebody holds the turn. */
  busy = false
  /** What is being written, and not readable until it is done. */
  flux: { readonly from: number; readonly to: number } | undefined
  /** Where damaged pieces start that are to be dropped. */
  readonly damaged: Array<number> = []
  forgotten = 0
  holes: "supported" | Unsupported = "supported"
  /**
   * The record says durably what it must before a byte of the data is changed: that the file is in use, and
   * what was given up.
   */
  recordReady = false
  /** The record lacks what a failed write should have said: it must be written anew before more is said. */
  recordBehind = false
  /** Bytes that a sync has made durable, which no mark that is durable tells of. */
  unmarkedBytes = 0
  /** The data has bytes that no extent holds: the next to open the file should look for them. */
  untidy = false
  /** Set by the first sync that failed. */
  private poison: { readonly cause: unknown } | undefined
  private readonly turn = Semaphore.makeUnsafe(1)

  constructor({ data, index, io, journal, paths, records, recordScope, scope }: ExtentParts) {
    this.scope = scope
    this.records = records
    this.recordScope = recordScope
    this.io = io
    this.paths = paths
    this.data = data
    this.journal = journal
    this.index = index
  }

  /** Whether what need not wait for a device may be done now. */
  get isReady(): boolean {
    return this.recordReady && !this.busy && !this.recordBehind
  }

  /** Bytes that no flush has succeeded with since they were written. */
  get unflushedBytes(): number {
    const { bytes, freshBytes } = this.index
    return Math.min(bytes, freshBytes + this.unmarkedBytes)
  }

  /**
   * Writes the entries that `add` makes, in as many frames as they need. Where only some of the frames could be
   * written, the record is behind.
   */
  say(add: (journal: ExtentJournal) => void): void {
    const { journal } = this
    const { end } = journal
    journal.frame.begin()
    try {
      add(journal)
      journal.commit()
    } catch (cause) {
      journal.frame.begin()
      if (journal.end !== end) this.recordBehind = true
      throw cause
    }
  }

  checkOpen(operation: string): void {
    if (this.closed) throw new Closed({ path: this.paths.data, operation })
  }

  checkWritable(operation: string): void {
    this.checkOpen(operation)
    if (this.poison !== undefined) {
      throw new Poisoned({ path: this.paths.data, cause: this.poison.cause })
    }
  }

  get poisoned(): boolean {
    return this.poison !== undefined
  }

  /** Nothing more is written: what the device holds is unknown. */
  setPoison(cause: unknown): void {
    this.poison ??= { cause }
  }

  /** Waits for its turn, which an interruption ends; once it has begun it completes. */
  exclusive<A, E>(body: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return this.turn.withPermit(
      Effect.suspend(() => {
        this.busy = true
        return Effect.ensuring(
          body,
          Effect.sync(() => {
            this.busy = false
            if (this.damaged.length > 0 && !this.closed) loseDamaged(this)
          })
        )
      }).pipe(Effect.uninterruptible)
    )
  }

  /** Bytes of a range are about to be changed. */
  touch(from: number, to: number): void {
    for (const reader of this.readers) {
      if (reader.from < to && reader.to > from) reader.torn = true
    }
  }

  /** Whether the bytes of a piece are believed without another look. */
  isProved(piece: number): boolean {
    return (this.index.pieces.flags(piece) & (proved | bad)) === proved
  }
}
