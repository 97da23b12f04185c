/** A directory for the tests of one file, removed after them. */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { afterAll } from "vitest"

export const scratchDirectory = (): string => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "lacuna-io-"))
  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))
  return directory
}
