/**
 * The files that a store in a given state has, and those that are there.
 */
import fs from "node:fs"
import { join } from "node:path"
import type { StoreStats } from "../../src/store/storeService.ts"

/** Exactly the names that belong to a store that was opened for writing, and is at rest. */
export const expectedFiles = ({ chunks, generation }: StoreStats): Array<string> => {
  const names = ["store.control", "store.lock"]
  for (const { number, sealed } of chunks) {
    names.push(`store.${number}.suffix`)
    if (sealed) names.push(`store.${number}.suffix.sum`)
  }
  if (generation > 0) names.push(`store.${generation}.prefix`, `store.${generation}.prefix.map`)
  return names.sort()
}

export const filesOf = (directory: string): Array<string> => fs.readdirSync(directory).sort()

/** The lengths of all files together. */
export const fileBytes = (directory: string): number =>
  filesOf(directory).reduce((sum, name) => sum + fs.statSync(join(directory, name)).size, 0)

/** What all files together take on the device. */
export const deviceBytes = (directory: string): number =>
  filesOf(directory).reduce((sum, name) => sum + fs.statSync(join(directory, name)).blocks * 512, 0)
