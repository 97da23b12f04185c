/**
 * Block traces in the format of Microsoft Research Cambridge: a line a request,
 *
 *     Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime
 *
 * where offset and size are bytes, and times are ticks of 100 ns. Of these only reads are taken, as
 * the pages that they touch, one after the other. Each disk has pages of its own.
 */
import fs from "node:fs"

const chunkBytes = 1 << 20
const diskPages = 2 ** 40

/** The lines of a file of any size. */
function* linesOf(file: string): Generator<string> {
  const fd = fs.openSync(file, "r")
  try {
    const chunk = Buffer.alloc(chunkBytes)
    let rest = ""
    for (;;) {
      const length = fs.readSync(fd, chunk)
      if (length === 0) break
      // The format is ASCII: no character straddles two chunks.
      const lines = (rest + chunk.toString("latin1", 0, length)).split("\n")
      rest = lines.pop() ?? ""
      yield* lines
    }
    yield rest
  } finally {
    fs.closeSync(fd)
  }
}

/** The pages that the reads of a trace touch, in order. Throws where a line is not of the format. */
export const readMsrTrace = (file: string, pageSize: number): Float64Array => {
  const pages: Array<number> = []
  let number = 0
  for (const line of linesOf(file)) {
    number++
    if (line.trim() === "") continue
    const [, , disk, type, offset, size] = line.split(",")
    const [diskNumber, first, length] = [Number(disk), Number(offset), Number(size)]
    if (![diskNumber, first, length].every((field) => Number.isSafeInteger(field) && field >= 0)) {
      throw new Error(`${file}: line ${number} is not of the format`)
    }
    if (type.toLowerCase() !== "read" || length === 0) continue
    const last = Math.floor((first + length - 1) / pageSize)
    for (let page = Math.floor(first / pageSize); page <= last; page++)
      pages.push(diskNumber * diskPages + page)
  }
  return Float64Array.from(pages)
}
