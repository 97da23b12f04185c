/** A log as a stranger might write it, with promises and errors of its own, and what may be wrong about one. */
import type { AppendOnlyFileEngine, AppendOnlyFileHandle } from "../../src/testing/index.ts"

export const logDefects = {
  "an offset that leaves the buffer out": "offset",
  "a flush that forgets what it has written": "flush",
  "a buffer that shares the caller's bytes": "alias",
  "a read that reaches into the buffer": "read",
  "a threshold that is one too high": "threshold",
  "a close that drops what is buffered": "close",
  "a first byte that is lost when it is opened within": "open"
} as const

export type LogDefect = (typeof logDefects)[keyof typeof logDefects] | "words of its own"

class Refused extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** Thresholds are obeyed; everything else that is optional is missing. */
export const plainLog = (defect?: LogDefect): AppendOnlyFileEngine => {
  let file: ReadonlyArray<number> = []
  const handle = (start: number, threshold: number): AppendOnlyFileHandle => {
    let end = start
    let buffer: Array<Uint8Array> = []
    let isClosed = false
    const buffered = () => buffer.reduce((sum, { length }) => sum + length, 0)
    const usable = () => {
      if (isClosed) throw new Refused("Closed")
    }
    const flush = () => {
      const bytes = buffer.flatMap((record) => [...record])
      if (bytes.length > 0) file = [...file.slice(0, end), ...bytes, ...file.slice(end + bytes.length)]
      end += defect === "flush" && bytes.length > 70 ? 70 : bytes.length
      buffer = []
    }
    return {
      append: async (bytes) => {
        usable()
        const offset = end + (defect === "offset" ? 0 : buffered())
        buffer.push(defect === "alias" ? bytes : bytes.slice())
        if (buffered() >= threshold + (defect === "threshold" ? 1 : 0)) flush()
        return offset
      },
      read: async (offset, length) => {
        usable()
        if (offset + length > end) {
          if (defect === "words of its own") throw new Error("EOF")
          if (defect !== "read" || offset + length > end + buffered()) throw new Refused("ReadOutOfBounds")
        }
        return Uint8Array.from(
          [...file.slice(0, end), ...buffer.flatMap((record) => [...record])].slice(offset, offset + length)
        )
      },
      flush: async () => {
        usable()
        flush()
      },
      close: async () => {
        if (isClosed) throw new Refused("DoubleClose")
        if (buffered() > 0 && defect !== "close") throw new Refused("PendingFlush")
        isClosed = true
      }
    }
  }
  return {
    create: async ({ autoFlushThreshold }) => {
      file = []
      return handle(0, autoFlushThreshold)
    },
    open: async ({ autoFlushThreshold, endPoff }) => {
      if (defect === "open" && endPoff > 0 && endPoff < file.length) file = [0, ...file.slice(1)]
      return handle(endPoff, autoFlushThreshold)
    },
    refusalOf: (error) => (error instanceof Refused ? { failure: error.code } : undefined)
  }
}
