/**
 * Reading an offloaded file.
 *
 * What is in memory is copied at once, and what lies in a backing file is noted; so what a read gives is
 * the file as it was when the read began, however long the backing takes. Of the backing file, ranges
 * that lie near each other are read in one call, with what is between them.
 */
import * as Effect from "effect/Effect"
import { type Corrupt, ReadOutOfBounds } from "../bytes/errors.ts"
import { attempt } from "../io/attempt.ts"
import { type IoFile, synchronousTransferBytes } from "../io/Io.ts"
import { truncated } from "./fixedData.ts"
import type { OffloadedBacking } from "./offloadedBacking.ts"
import { isBacking, isMemory, memoryAddress, repeatedValue } from "./offloadedContent.ts"
import type { OffloadedExtents } from "./offloadedExtents.ts"
import type { OffloadedReadError } from "./offloadedFileService.ts"

/** To read over so many bytes takes as long as another call. */
const nearBytes = 4096
/** Shorter repeats are filled faster by a loop. */
const shortFillBytes = 32

/** One call to the backing file. */
interface Run {
  /** Its ranges, from this one up to that one. */
  readonly from: number
  readonly to: number
  readonly offset: number
  readonly length: number
}

/** The bytes of a read that are in a backing file. */
class FileRanges {
  /** How many. */
  bytes = 0
  count = 0
  /** Of each: the offset in the file, where it goes in the buffer, and the length. */
  private readonly numbers: Array<number> = []
  private scratch: Uint8Array | undefined

  /** Adds a range behind those that were added before. */
  add(offset: number, at: number, length: number): void {
    const { numbers } = this
    const last = numbers.length - 3
    this.bytes += length
    if (
      last >= 0 &&
      numbers[last] + numbers[last + 2] === offset &&
      numbers[last + 1] + numbers[last + 2] === at
    ) {
      numbers[last + 2] += length
    } else {
      numbers.push(offset, at, length)
      this.count++
    }
  }

  /** The ranges from this one on that one call reads. */
  run(from: number): Run {
    const { count, numbers } = this
    const offset = numbers[3 * from]
    let end = offset + numbers[3 * from + 2]
    let to = from + 1
    for (; to < count; to++) {
      const next = numbers[3 * to]
      const nextEnd = next + numbers[3 * to + 2]
      if (next < end || next - end > nearBytes || nextEnd - offset > synchronousTransferBytes) break
      end = nextEnd
    }
    return { from, to, offset, length: end - offset }
  }

  /** What to read a run into: the place of its one range, or memory from which `scatter` fetches it. */
  target({ from, length, to }: Run, buffer: Uint8Array): Uint8Array {
    if (to === from + 1) {
      const at = this.numbers[3 * from + 1]
      return at === 0 && length === buffer.length ? buffer : buffer.subarray(at, at + length)
    }
    if (this.scratch === undefined || this.scratch.length < length) {
      this.scratch = new Uint8Array(Math.min(synchronousTransferBytes, 2 * length))
    }
    return this.scratch.subarray(0, length)
  }

  /** Moves what was read to where it belongs. */
  scatter({ from, offset, to }: Run, read: Uint8Array, buffer: Uint8Array): void {
    if (to === from + 1) return
    const { numbers } = this
    for (let range = from; range < to; range++) {
      const start = numbers[3 * range] - offset
      buffer.set(read.subarray(start, start + numbers[3 * range + 2]), numbers[3 * range + 1])
    }
  }
}

/** Copies what is in memory, and gives what is not. */
const copyMemory = (
  extents: OffloadedExtents,
  backing: OffloadedBacking,
  {
    buffer,
    length,
    offset
  }: { readonly offset: number; readonly length: number; readonly buffer: Uint8Array }
): FileRanges => {
  const ranges = new FileRanges()
  extents.forEachPart(offset, offset + length, (content, start, end, block) => {
    const at = start - offset
    if (isMemory(content)) {
      buffer.set(new Uint8Array(block.buffer, memoryAddress(content), end - start), at)
    } else if (!isBacking(content)) {
      fill(buffer, repeatedValue(content), at, end - offset)
    } else if (backing.bytes !== undefined) {
      backing.copy(backing.bytes, content, buffer, at, end - start)
    } else {
      ranges.add(content, at, end - start)
    }
  })
  return ranges
}

const fill = (buffer: Uint8Array, value: number, start: number, end: number): void => {
  if (end - start > shortFillBytes) buffer.fill(value, start, end)
  else for (let at = start; at < end; at++) buffer[at] = value
}

/** A range of a backing file was there when it was referred to. */
const readFailed = <E>(cause: E): Exclude<E, ReadOutOfBounds> | Corrupt =>
  cause instanceof ReadOutOfBounds ? truncated(cause) : (cause as Exclude<E, ReadOutOfBounds>)

const readNow = (file: IoFile, ranges: FileRanges, buffer: Uint8Array): void => {
  for (let at = 0; at < ranges.count;) {
    const run = ranges.run(at)
    const target = ranges.target(run, buffer)
    try {
      file.unsafe.readAt(run.offset, target)
    } catch (cause) {
      throw readFailed(cause)
    }
    ranges.scatter(run, target, buffer)
    at = run.to
  }
}

/** As `readNow`, on the thread pool where it is much, and letting others run. */
const readLater = (
  file: IoFile,
  ranges: FileRanges,
  buffer: Uint8Array
): Effect.Effect<void, OffloadedReadError> =>
  Effect.gen(function* () {
    let since = 0
    for (let at = 0; at < ranges.count;) {
      const run = ranges.run(at)
      const target = ranges.target(run, buffer)
      yield* Effect.mapError(file.readAt(run.offset, target), readFailed)
      ranges.scatter(run, target, buffer)
      at = run.to
      since += run.length + nearBytes
      if (since < synchronousTransferBytes) continue
      since = 0
      yield* Effect.yieldNow
    }
  })

export interface OffloadedReadOptions {
  readonly extents: OffloadedExtents
  readonly backing: OffloadedBacking
  readonly offset: number
  readonly buffer: Uint8Array
}

const lengthOf = ({ buffer, extents, offset }: OffloadedReadOptions): number =>
  Math.max(0, Math.min(buffer.length, extents.length - offset))

/** Fills the buffer as far as the file goes, and gives the number of bytes. Throws. */
export const readExtents = (options: OffloadedReadOptions): number => {
  const { backing, buffer, extents, offset } = options
  const length = lengthOf(options)
  if (length === 0) return 0
  const ranges = copyMemory(extents, backing, { offset, length, buffer })
  if (backing.file !== undefined) readNow(backing.file, ranges, buffer)
  return length
}

/** The same as an Effect, which waits where much has to be read from a file. */
export const readExtentsLater = (
  options: OffloadedReadOptions
): Effect.Effect<number, OffloadedReadError> => {
  const { backing, buffer, extents, offset } = options
  const { file } = backing
  const length = lengthOf(options)
  // A large buffer may be one for little.
  if (file === undefined || length <= synchronousTransferBytes) {
    return attempt<number, OffloadedReadError>(() => readExtents(options))
  }
  const ranges = copyMemory(extents, backing, { offset, length, buffer })
  return Effect.as(readLater(file, ranges, buffer), length)
}
