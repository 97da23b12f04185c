/**
 * The record of an open extent file, as its writer appends to it.
 *
 * Entries are gathered in a frame, which `commit` writes: from then on a kill of the process leaves them. `sync`
 * makes them survive a power cut. A frame whose write failed is written over by the next one; a reader
 * doesn't find it, or finds it torn.
 */
import * as Effect from "effect/Effect"
import { ExtentFrame } from "../format/extentFrame.ts"
import {
  encodeExtentRecordHeader,
  encodeExtentSlot,
  extentChainStart,
  extentRecordHeaderBytes,
  extentSlotAt
} from "../format/extentRecord.ts"
import { attempt } from "../io/attempt.ts"
import type { CreateError, IoFile, IoService, SyncError, WriteError } from "../io/Io.ts"

/** A place behind the frames of a record. */
export interface JournalEnd {
  readonly generation: number
  /** The file offset at which the next frame goes. */
  readonly end: number
  /** The checksum that it continues. */
  readonly crc: number
  /** The slot of the header that is to be written next. */
  readonly spare: number
}

export class ExtentJournal {
  readonly frame = new ExtentFrame()
  file: IoFile
  generation: number
  end: number
  /** Whether there are frames that no sync is known to have made durable. */
  unsynced = false
  /** Whether anything was written since the last mark. */
  changed = false
  /** How long the record was when it could not be written anew, or 0. */
  failedAt = 0
  private crc: number
  private spare: number

  constructor(file: IoFile, { crc, end, generation, spare }: JournalEnd) {
    this.file = file
    this.generation = generation
    this.end = end
    this.crc = crc
    this.spare = spare
  }

  /** Where the next frame goes. */
  get place(): JournalEnd {
    return { generation: this.generation, end: this.end, crc: this.crc, spare: this.spare }
  }

  /** Goes on in another file, all of which is durable. */
  moveTo(file: IoFile, { crc, end, generation, spare }: JournalEnd): void {
    this.file = file
    this.generation = generation
    this.end = end
    this.crc = crc
    this.spare = spare
    this.unsynced = false
    this.failedAt = 0
  }

  /** Writes the frame, even an empty one. Whether that succeeds or fails, the next one is empty. */
  commit(): void {
    const { frame } = this
    const bytes = frame.seal(this.crc)
    frame.begin()
    this.unsynced = true
    this.changed = true
    this.file.unsafe.writeAt(this.end, bytes)
    this.end += bytes.length
    this.crc = frame.crc
  }

  /** The frame, with room for an entry. What it held is written where there was none: frames count one by one. */
  get room(): ExtentFrame {
    if (!this.frame.hasRoom) this.commit()
    return this.frame
  }

  /**
   * Says in the header that all frames so far are durable, as they are after a sync: where one of them is not found, it
   * was damaged. The slot that is written says less than the other, so that nothing is lost where this is cut short.
   */
  noteSynced(): void {
    const slot = encodeExtentSlot(this.generation, this.end - extentRecordHeaderBytes)
    this.file.unsafe.writeAt(extentSlotAt(this.spare), slot)
    this.spare = 1 - this.spare
  }

  /** fsync: what the record says, before what it speaks of is destroyed or acknowledged. */
  readonly sync: Effect.Effect<void, SyncError> = Effect.suspend(() =>
    Effect.map(this.file.sync, () => {
      this.unsynced = false
    })
  )
}

/** Adds an entry to the frame at each step, and may have the frame end there. */
export type RecordSteps = (frame: ExtentFrame) => Generator<"entry" | "frame", void>

/** Frames that are written before others may run: less than a millisecond's work. */
const framesAtOnce = 4

/**
 * Makes a whole record at `path`, durable when it is done, and closes it. Gives the place behind its
 * frames. What exists at `path` is replaced.
 */
export const writeRecord = (
  io: IoService,
  path: string,
  generation: number,
  steps: RecordSteps
): Effect.Effect<JournalEnd, CreateError | SyncError | WriteError> =>
  Effect.gen(function* () {
    const file = yield* io.create(path, { overwrite: true })
    const journal = new ExtentJournal(file, {
      generation,
      end: extentRecordHeaderBytes,
      crc: extentChainStart(generation),
      spare: 0
    })
    let frames = 0
    const put = attempt<void, WriteError>(() => journal.commit())
    const made = steps(journal.frame)
    for (let step = made.next(); step.done !== true; step = made.next()) {
      if (step.value === "entry" && journal.frame.hasRoom) continue
      yield* put
      if (++frames % framesAtOnce === 0) yield* Effect.yieldNow
    }
    if (!journal.frame.isEmpty) yield* put
    const denseBytes = journal.end - extentRecordHeaderBytes
    yield* file.writeAt(0, encodeExtentRecordHeader({ generation, denseBytes }))
    // All of it is durable before it has the name by which it counts.
    yield* file.sync
    return journal.place
  }).pipe(Effect.scoped)
