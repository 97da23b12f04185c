/**
 * What git knows of its packs, asked of git's own commands.
 *
 * Nothing here writes to a repository: where git has to write, it does so in a copy.
 */
import { spawn, spawnSync } from "node:child_process"
import fs from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"

/**
 * A pack's objects, by index, in the order of their names.
 * @typedef {object} PackList
 * @property {Array<string>} names
 * @property {Float64Array} offsets where each begins
 * @property {Float64Array} sizes the bytes it takes in the pack, its header included
 * @property {Int32Array} bases the index of the object that it is a delta against, or -1
 */

/** The environment of every git command: no replaced objects, and no questions. */
const environment = { ...process.env, GIT_NO_REPLACE_OBJECTS: "1", GIT_TERMINAL_PROMPT: "0", LC_ALL: "C" }

/**
 * Runs git and gives its output.
 * @param {ReadonlyArray<string>} args
 */
const git = (args) => {
  const { error, status, stderr, stdout } = spawnSync("git", args, { encoding: "utf8", env: environment })
  if (error) throw new Error(`git could not be started: ${error.message}`)
  if (status !== 0) throw new Error(stderr.trim().split("\n")[0])
  return stdout.trim()
}

/**
 * Runs git and gives its output line by line: lists of millions of objects don't fit one string.
 * @param {ReadonlyArray<string>} args
 * @param {{ readonly env?: NodeJS.ProcessEnv, readonly stdin?: number }} [options]
 */
async function* gitLines(args, options = {}) {
  const child = spawn("git", args, {
    env: { ...environment, ...options.env },
    stdio: [options.stdin ?? "ignore", "pipe", "pipe"]
  })
  let complaint = ""
  child.stderr.setEncoding("utf8").on("data", (text) => (complaint += complaint.length < 1000 ? text : ""))
  const ended = new Promise((resolve, reject) => child.on("error", reject).on("close", resolve))
  yield* createInterface({ input: child.stdout, crlfDelay: Infinity })
  if ((await ended) !== 0) throw new Error(complaint.trim().split("\n")[0])
}

/**
 * The git directory and the packs of the repository at `path`: a work tree, or bare.
 * @param {string} path
 */
export const findPacks = (path) => {
  const gitDirectory = git(["-C", path, "rev-parse", "--path-format=absolute", "--git-common-dir"])
  const objects = git(["-C", path, "rev-parse", "--path-format=absolute", "--git-path", "objects"])
  const directory = join(objects, "pack")
  const names = fs.existsSync(directory) ? fs.readdirSync(directory) : []
  return {
    gitDirectory,
    packs: names.filter((name) => name.endsWith(".pack")).map((name) => join(directory, name))
  }
}

/**
 * A copy of the repository, in `work`, with all its objects in one pack, those that nothing reaches
 * included: they are what there is to collect.
 * @param {string} gitDirectory
 * @param {string} work
 */
export const repackedCopy = (gitDirectory, work) => {
  const copy = join(work, "copy.git")
  // --no-hardlinks: what git does to the copy's files must not show in the original's.
  git(["clone", "--quiet", "--mirror", "--no-hardlinks", gitDirectory, copy])
  git(["-C", copy, "repack", "-a", "-d", "-q", "--keep-unreachable"])
  return copy
}

/**
 * The names of all objects that can be reached from `refs`.
 * @param {string} gitDirectory
 * @param {ReadonlyArray<string>} refs
 */
export const reachableFrom = async (gitDirectory, refs) => {
  const names = new Set()
  const args = ["--git-dir", gitDirectory, "rev-list", "--objects", "--no-object-names", ...refs, "--"]
  for await (const name of gitLines(args)) names.add(name)
  return /** @type {Set<string>} */ (names)
}

/**
 * Lists the pack at `packPath`.
 * @param {string} gitDirectory
 * @param {string} packPath
 * @param {string} work
 * @returns {Promise<PackList>}
 */
export const listPack = async (gitDirectory, packPath, work) => {
  const { names, offsets } = await readIndex(packPath)
  const bases = await readBases(gitDirectory, packPath, names, work)
  return { names, offsets, bases, sizes: sizesOf(offsets, packPath, names[0]?.length ?? 40) }
}

/** @param {string} packPath */
const readIndex = async (packPath) => {
  /** @type {Array<string>} */
  const names = []
  /** @type {Array<number>} */
  const offsets = []
  const index = fs.openSync(packPath.replace(/\.pack$/, ".idx"), "r")
  try {
    // Each line is `offset name (crc)`; the index, and so the list, is in the order of the names.
    for await (const line of gitLines(["show-index"], { stdin: index })) {
      const [offset, name] = line.split(" ", 2)
      offsets.push(Number(offset))
      names.push(name)
    }
  } finally {
    fs.closeSync(index)
  }
  return { names, offsets: Float64Array.from(offsets) }
}

/**
 * The bytes each object takes: up to the next one, or to the checksum that ends the pack.
 * @param {Float64Array} offsets
 * @param {string} packPath
 * @param {number} nameDigits
 */
const sizesOf = (offsets, packPath, nameDigits) => {
  const ascending = Float64Array.from(offsets).sort()
  const end = fs.statSync(packPath).size - nameDigits / 2
  /** @type {Map<number, number>} */
  const ends = new Map()
  ascending.forEach((offset, i) => ends.set(offset, i + 1 < ascending.length ? ascending[i + 1] : end))
  return offsets.map((offset) => /** @type {number} */ (ends.get(offset)) - offset)
}

/**
 * The bases of deltas. git is shown an object store with this pack alone, so that what it says of
 * an object that lies in several packs is about this one.
 * @param {string} gitDirectory
 * @param {string} packPath
 * @param {ReadonlyArray<string>} names
 * @param {string} work
 */
const readBases = async (gitDirectory, packPath, names, work) => {
  const alone = fs.mkdtempSync(join(work, "alone-"))
  try {
    fs.mkdirSync(join(alone, "pack"))
    for (const extension of ["pack", "idx"]) {
      const name = `pack/pack-${"0".repeat(40)}.${extension}`
      fs.symlinkSync(packPath.replace(/pack$/, extension), join(alone, name))
    }
    const indexOf = new Map(names.map((name, i) => [name, i]))
    const bases = new Int32Array(names.length).fill(-1)
    const format = "--batch-check=%(objectname) %(deltabase)"
    const args = ["--git-dir", gitDirectory, "cat-file", "--batch-all-objects", format]
    for await (const line of gitLines(args, { env: { GIT_OBJECT_DIRECTORY: alone } })) {
      const [name, base] = line.split(" ", 2)
      const at = indexOf.get(name)
      if (at !== undefined) bases[at] = indexOf.get(base) ?? -1
    }
    return bases
  } finally {
    fs.rmSync(alone, { recursive: true, force: true })
  }
}
