/**
 * Reading the record of an extent file.
 *
 * It is read a piece at a time, and what it makes takes memory in proportion to it. Nothing is written.
 */
import * as Effect from "effect/Effect"
import { Corrupt, type IoFailed } from "../bytes/errors.ts"
import {
  decodeExtentEntries,
  decodeExtentRecordHeader,
  extentChainStart,
  extentFrameHeaderBytes,
  extentRecordHeaderBytes,
  isDamagedFrame,
  findExtentFrame,
  maxExtentFrameBytes
} from "../format/extentRecord.ts"
import { attempt } from "../io/attempt.ts"
import type { IoFile } from "../io/Io.ts"
import { ExtentIndex } from "./extentIndex.ts"
import type { JournalEnd } from "./extentJournal.ts"
import { ExtentReplay } from "./extentReplay.ts"

export interface LoadedRecord {
  readonly index: ExtentIndex
  /** Behind the last frame that counts. */
  readonly end: JournalEnd
  /** Where the frames end that are known to be durable. */
  readonly syncedEnd: number
  /** Whether the record ends with a mark, so that nothing it says is in doubt. */
  readonly marked: boolean
  /** Whether the file was closed, so that the data has nothing that the record doesn't tell of. */
  readonly tidy: boolean
}

/** What is read at once, and gone through before others may run. */
const bufferBytes = 16 * maxExtentFrameBytes

/** All that counts of the record in `file`. */
export const loadRecord = (file: IoFile): Effect.Effect<LoadedRecord, Corrupt | IoFailed> =>
  Effect.gen(function* () {
    const { path } = file
    const headerBytes = new Uint8Array(extentRecordHeaderBytes)
    const count = yield* file.readSomeAt(0, headerBytes)
    // Only now: a writer at work makes the file longer before the header says so.
    const fileSize = yield* file.size
    const buffer = new Uint8Array(Math.min(bufferBytes, fileSize))
    const header = yield* attempt<ReturnType<typeof decodeExtentRecordHeader>, Corrupt>(() =>
      decodeExtentRecordHeader(headerBytes.subarray(0, count), { path, fileSize })
    )
    const { generation, spare, syncedBytes } = header
    const index = new ExtentIndex()
    const frames = new FrameReading(path, new ExtentReplay(index, path), extentChainStart(generation))
    for (;;) {
      const got = yield* file.readSomeAt(frames.end, buffer)
      const passed = yield* attempt<number, Corrupt>(() => frames.take(buffer.subarray(0, got)))
      if (passed === 0) break
      yield* Effect.yieldNow
    }
    const syncedEnd = extentRecordHeaderBytes + syncedBytes
    if (frames.end < syncedEnd || (frames.end < fileSize && (yield* isDamagedAt(file, frames, buffer)))) {
      // It was durable: no crash has done this.
      return yield* new Corrupt({ path, offset: frames.end, reason: "the checksum of a frame is wrong" })
    }
    // Beside a writer the file may have grown since it was measured.
    const whole = frames.end >= fileSize
    const marked = frames.replay.marked && whole
    const tidy = frames.replay.tidy && whole
    return { index, end: { generation, end: frames.end, crc: frames.crc, spare }, syncedEnd, marked, tidy }
  }).pipe(
    // The file is ours, and open: these would be bugs.
    Effect.catchTag(["Closed", "InvalidArgument"], Effect.die)
  )

/** Whether a frame that doesn't count any more was durable; `buffer` bounds how much is looked at. */
const isDamagedAt = (file: IoFile, { crc, end }: FrameReading, buffer: Uint8Array) =>
  Effect.map(file.readSomeAt(end, buffer), (count) => isDamagedFrame(buffer.subarray(0, count), crc))

/** Goes from frame to frame. */
class FrameReading {
  /** The file offset of the next frame. */
  end = extentRecordHeaderBytes
  /** The checksum that it continues. */
  crc: number
  readonly replay: ExtentReplay
  private readonly path: string

  constructor(path: string, replay: ExtentReplay, crc: number) {
    this.path = path
    this.replay = replay
    this.crc = crc
  }

  /** Takes the frames in `bytes`, which are those of the file from `end` on. Gives how many bytes they had. */
  take(bytes: Uint8Array): number {
    const { path, replay } = this
    const base = this.end
    let at = 0
    for (;;) {
      const frame = findExtentFrame(bytes, at, this.crc)
      if (frame === undefined) return at
      replay.begin(base + at)
      const to = at + frame.frameBytes
      decodeExtentEntries(bytes, { from: at + extentFrameHeaderBytes, to, base, path }, replay)
      at = to
      this.end = base + at
      this.crc = frame.crc
    }
  }
}
