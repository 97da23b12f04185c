/** A source of random bytes, and the objects of it that are live: a collection's input. */
import fs from "node:fs"
import path from "node:path"
import { liveObjects } from "../extents.ts"
import { randomWords } from "../random.ts"
import type { Settings } from "../settings.ts"

const pieceWords = 1 << 20

export interface Source {
  readonly path: string
  readonly bytes: number
  readonly live: ReadonlyArray<{ readonly offset: number; readonly length: number }>
  readonly liveBytes: number
}

/** Writes the source: 1 GiB, or 32 MiB in a quick run. It stays in the page cache. */
export const writeSource = (settings: Settings): Source => {
  const bytes = settings.quick ? 2 ** 25 : 2 ** 30
  const file = path.join(settings.directory, "source")
  const fd = fs.openSync(file, "wx")
  const word = randomWords(41)
  const piece = new Uint32Array(pieceWords)
  for (let at = 0; at < bytes; at += piece.byteLength) {
    for (let i = 0; i < pieceWords; i++) piece[i] = word()
    fs.writeSync(fd, piece)
  }
  // So that its writeback doesn't fall into a measurement.
  fs.fsyncSync(fd)
  fs.closeSync(fd)
  return describeSource(file, bytes)
}

/** The source of that size at that path, which was written before. */
export const describeSource = (file: string, bytes: number): Source => {
  const live = liveObjects(bytes)
  return { path: file, bytes, live, liveBytes: live.reduce((sum, { length }) => sum + length, 0) }
}
