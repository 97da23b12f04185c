/**
 * Brings node_modules and dist up to date, doing only what is missing. Needs nothing but Node.
 */
import { spawnSync } from "node:child_process"
import fs from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** What the build and the command line cannot do without. Optional packages are not among it. */
const neededPackages = [
  "effect",
  "@effect/platform-node",
  "fs-native-extensions",
  "typescript",
  "@types/node"
]

const distMain = join(root, "dist", "cli", "main.js")
/** As deep as dist, since source maps lead from there to src. */
const stagingName = "dist.new"
const lockPath = join(root, "node_modules", ".lacuna-build.lock")
const staleLockMillis = 300_000

/**
 * Runs a command in the repository's root and ends the process with its status when it fails.
 * @param {string} command
 * @param {ReadonlyArray<string>} args
 */
const run = (command, args) => {
  const { error, status } = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] })
  if (error) throw error
  if (status !== 0) throw new Error(`${[command, ...args].join(" ")} ended with status ${status}`)
}

/** Installs the packages of the lock file where one that is needed is missing. */
export const ensureInstalled = () => {
  const missing = neededPackages.filter(
    (name) => !fs.existsSync(join(root, "node_modules", name, "package.json"))
  )
  if (missing.length === 0) return
  console.log(`Installing what is missing (${missing.join(", ")}) …`)
  const install = ["ci", "--no-audit", "--no-fund", "--loglevel=error"]
  const npm = process.env.npm_execpath
  if (npm !== undefined) run(process.execPath, [npm, ...install])
  else run(process.platform === "win32" ? "npm.cmd" : "npm", install)
}

/**
 * The time of the last change of anything under `path`, directories included.
 * @param {string} path
 * @returns {number}
 */
const lastChangeMillis = (path) => {
  const stat = fs.statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...fs.readdirSync(path).map((name) => lastChangeMillis(join(path, name))))
}

const isBuilt = () => {
  if (!fs.existsSync(distMain)) return false
  const sources = ["src", "package.json", "tsconfig.json", "tsconfig.build.json"]
  return (
    fs.statSync(distMain).mtimeMs >= Math.max(...sources.map((path) => lastChangeMillis(join(root, path))))
  )
}

/** Builds where dist is missing or older than its sources. Several processes may ask at once. */
export const ensureBuilt = () => {
  if (isBuilt()) return
  withLock(() => {
    if (isBuilt()) return // by whoever held the lock
    console.log("Building …")
    makeDist()
  })
}

/** Builds in any case. */
export const build = () => withLock(makeDist)

/**
 * Makes dist anew beside the old one, whose place it takes when it is whole: nothing of modules that
 * were moved stays, and a build that fails or is killed leaves no part of a dist. What it leaves is
 * older than the sources, or missing, and so noticed.
 */
const makeDist = () => {
  const since = new Date()
  const made = join(root, stagingName)
  fs.rmSync(made, { recursive: true, force: true })
  const tsc = join("node_modules", "typescript", "bin", "tsc")
  try {
    run(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", stagingName])
    // What is changed while it is being built is newer than the result.
    fs.utimesSync(join(made, "cli", "main.js"), since, since)
    // main.js goes first: a dist that is half removed does not pass for one that is built.
    fs.rmSync(distMain, { force: true })
    fs.rmSync(join(root, "dist"), { recursive: true, force: true })
    fs.renameSync(made, join(root, "dist"))
  } finally {
    fs.rmSync(made, { recursive: true, force: true })
  }
}

/** @param {() => void} body */
const withLock = (body) => {
  while (!tryLock()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  try {
    body()
  } finally {
    fs.rmSync(lockPath, { recursive: true, force: true })
  }
}

const tryLock = () => {
  try {
    fs.mkdirSync(lockPath)
    return true
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error
    const since = fs.statSync(lockPath, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
    if (Date.now() - since > staleLockMillis) fs.rmSync(lockPath, { recursive: true, force: true })
    return false
  }
}
