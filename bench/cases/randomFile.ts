/** Files of random bytes that are in the page cache, and written back, when they are read. */
import fs from "node:fs"
import { randomWords } from "../random.ts"

/** A multiple of four bytes, the same for the same seed. */
export const randomBytes = (length: number, seed: number): Uint8Array => {
  const word = randomWords(seed)
  const words = new Uint32Array(length / 4)
  for (let i = 0; i < words.length; i++) words[i] = word()
  return new Uint8Array(words.buffer)
}

/** Writes a new file. */
export const writeWarmFile = (path: string, bytes: Uint8Array): void => {
  const fd = fs.openSync(path, "wx")
  for (let done = 0; done < bytes.length;) done += fs.writeSync(fd, bytes, done)
  // So that its writeback doesn't fall into a measurement.
  fs.fsyncSync(fd)
  fs.closeSync(fd)
}
