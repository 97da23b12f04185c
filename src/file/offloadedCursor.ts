/**
 * Cursors: positions in an offloaded file. Each is its owner's alone, and knows nothing of the others.
 */
import * as Effect from "effect/Effect"
import { InvalidArgument } from "../bytes/errors.ts"
import { isOffset } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import type {
  OffloadedCursor,
  OffloadedCursorOptions,
  OffloadedFileService,
  OffloadedWriteError,
  SeekTarget
} from "./offloadedFileService.ts"

export type CursorFile = Pick<OffloadedFileService, "length" | "readAt" | "unsafe"> & {
  /** Throws `Closed`. */
  readonly checkOpen: (operation: string) => void
}

export const makeCursor = (file: CursorFile, options: OffloadedCursorOptions): OffloadedCursor => {
  const clamp = options.clamp ?? false
  let position = 0

  const seek = (target: SeekTarget): number => {
    file.checkOpen("seek")
    const wanted = baseOf(target, position, file.length()) + target.offset
    if (!Number.isSafeInteger(target.offset) || !isOffset(wanted)) {
      const reason = `there is no position ${target.offset} bytes from the ${target.from}`
      throw new InvalidArgument({ operation: "seek", reason })
    }
    position = clamp ? Math.min(wanted, file.length()) : wanted
    return position
  }

  return {
    position: () => position,
    seek: (target) => attempt(() => seek(target)),
    read: (buffer) =>
      Effect.suspend(() => {
        const from = position
        return Effect.map(file.readAt(from, buffer), (count) => {
          position = from + count
          return count
        })
      }),
    write: (data) =>
      // In one step: no interruption comes between what was written and the move behind it.
      attempt<number, OffloadedWriteError>(() => {
        file.unsafe.writeAt(position, data)
        position += data.length
        return data.length
      })
  }
}

/** What an offset is counted from; NaN, which leads nowhere, for what there is not. */
const baseOf = ({ from }: SeekTarget, position: number, length: number): number => {
  switch (from) {
    case "start":
      return 0
    case "end":
      return length
    case "current":
      return position
    default:
      return Number.NaN
  }
}
