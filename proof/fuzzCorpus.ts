/**
 * The corpus: inputs that have reached something when they were found. Those of `proof/corpus/` are few, and
 * belong to the repository; what is found since is kept where LACUNA_CORPUS says, or in a cache.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const committed = fileURLToPath(new URL("corpus", import.meta.url))
const cache = fileURLToPath(new URL("../node_modules/.cache/lacuna-corpus", import.meta.url))

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 16)

const readAll = (directory: string): Map<string, Uint8Array> => {
  const names = existsSync(directory) ? readdirSync(directory).sort() : []
  return new Map(names.map((name) => [name, new Uint8Array(readFileSync(join(directory, name)))]))
}

/** The inputs of a target: those that belong to the repository first. */
export const readCorpus = (target: string): ReadonlyArray<Uint8Array> => [
  ...new Map([...readAll(join(committed, target)), ...readAll(join(found(), target))]).values()
]

const found = (): string => process.env["LACUNA_CORPUS"] || cache

const write = (directory: string, bytes: Uint8Array): void => {
  const path = join(directory, hashOf(bytes))
  if (existsSync(path)) return
  mkdirSync(directory, { recursive: true })
  writeFileSync(path, bytes)
}

/** Keeps an input that was found. */
export const keep = (target: string, bytes: Uint8Array): void => write(join(found(), target), bytes)

/** Adds an input to those of the repository. */
export const commit = (target: string, bytes: Uint8Array): void => write(join(committed, target), bytes)
