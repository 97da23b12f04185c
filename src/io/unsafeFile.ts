/**
 * The synchronous twins of an open file's operations. No call allocates more than its errors.
 */
import { checkOffset, checkRange } from "../bytes/offset.ts"
import { type FileState, pieceBytes } from "./fileState.ts"
import type { UnsafeIoFile } from "./Io.ts"
import { ioFailed, punchFailed, SystemError, writeFailed } from "./systemErrors.ts"

/** The twins over `state`. */
export const makeUnsafe = (state: FileState): UnsafeIoFile => {
  const { path, raw } = state
  const readSome = (operation: string, offset: number, buffer: Uint8Array): number => {
    const length = buffer.length
    checkRange(operation, offset, length)
    state.checkOpen(operation)
    let done = 0
    try {
      while (done < length) {
        const count = raw.read(buffer, done, Math.min(length - done, pieceBytes), offset + done)
        if (count === 0) break
        done += count
      }
    } catch (cause) {
      throw ioFailed(cause, path, "read")
    }
    return done
  }
  return {
    readSomeAt: (offset, buffer) => readSome("readSomeAt", offset, buffer),
    readAt: (offset, buffer) => {
      const done = readSome("readAt", offset, buffer)
      if (done < buffer.length || (done === 0 && offset > state.size())) {
        throw state.outOfBounds(offset, buffer.length, done)
      }
    },
    writeAt: (offset, bytes) => {
      const length = bytes.length
      checkRange("writeAt", offset, length)
      state.checkWritable("writeAt")
      let done = 0
      while (done < length) {
        let count: number
        try {
          count = raw.write(bytes, done, Math.min(length - done, pieceBytes), offset + done)
        } catch (cause) {
          throw writeFailed(cause, path, "write")
        }
        if (count === 0) throw state.wroteNothing(length)
        done += count
      }
    },
    size: () => {
      state.checkOpen("size")
      return state.size()
    },
    truncate: (size) => {
      checkOffset("truncate", "size", size)
      state.checkWritable("truncate")
      try {
        raw.truncate(size)
      } catch (cause) {
        throw writeFailed(cause, path, "ftruncate")
      }
    },
    sync: () => {
      state.checkWritable("sync")
      if (state.syncing) {
        // The system reports a failure to one of two at once, and the other would look successful.
        throw ioFailed(new SystemError("EBUSY", "fsync", "another sync is under way"), path, "fsync")
      }
      try {
        raw.sync() // orders everything written to this file before whatever the caller does next
      } catch (cause) {
        throw state.syncFailed(cause)
      }
    },
    punchHole: (offset, length) => {
      checkRange("punchHole", offset, length)
      state.checkWritable("punchHole")
      try {
        const within = state.lengthWithin(offset, length)
        if (within > 0) raw.punch(offset, within)
      } catch (cause) {
        throw punchFailed(cause, path)
      }
    }
  }
}
