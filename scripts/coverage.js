/**
 * `npm run coverage`: every branch and every function of the engine's rooms is reached by its tests.
 *
 * Runs their unit tests, and the property tests from one seed, and prints what no test has reached as
 * `file:line:column`. Exits with 1 unless that is nothing. What can't be reached at all is marked in the source by
 * a comment `v8 ignore if -- @preserve …`, which says why; how many of these there are is printed, too.
 */
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync, rmSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const report = join(root, "node_modules/.cache/coverage/coverage-final.json")
const rooms = ["format", "file", "store"]

rmSync(report, { force: true })
const vitest = join(root, "node_modules/vitest/vitest.mjs")
const args = ["run", "--config", "vitest.coverage.config.ts", "--reporter=dot", "--silent=passed-only"]
const run = spawnSync(process.execPath, [vitest, ...args], { cwd: root, stdio: "inherit" })
if (run.status !== 0) process.exit(run.status ?? 1)

const files = Object.values(JSON.parse(readFileSync(report, "utf8")))
const inRoom = (path, room) => relative(root, path).startsWith(join("src", room, "/"))
const missing = []

/** Notes a place of a file, and the line of source there. */
const miss = (path, { start }, what) => {
  const line = readFileSync(path, "utf8").split("\n")[start.line - 1]
  const place = `${relative(root, path)}:${start.line}:${start.column + 1}`
  missing.push(`${place}  ${what}: ${line.trim()}`)
}

for (const room of rooms) {
  const counted = { branches: 0, functions: 0, reached: 0 }
  for (const { b, branchMap, f, fnMap, path } of files.filter((file) => inRoom(file.path, room))) {
    for (const [id, hits] of Object.entries(b)) {
      const { loc, locations, type } = branchMap[id]
      for (const [way, count] of hits.entries()) {
        counted.branches++
        counted.reached += count > 0 ? 1 : 0
        // The place of an `else` that isn't written is that of its `if`.
        const at = locations[way].start.line === undefined ? loc : locations[way]
        if (count === 0) miss(path, at, type === "if" && way === 1 ? "never skipped" : "never taken")
      }
    }
    for (const [id, count] of Object.entries(f)) {
      counted.functions++
      if (count === 0) miss(path, fnMap[id].loc, "never called")
    }
  }
  const share = ((100 * counted.reached) / counted.branches).toFixed(2)
  console.log(
    `src/${room}: ${counted.reached} of ${counted.branches} branches (${share} %), ${counted.functions} functions`
  )
}

const sources = rooms.flatMap((room) =>
  readdirSync(join(root, "src", room))
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(root, "src", room, name))
)
const unmeasured = sources.filter((path) => !files.some((file) => file.path === path))
for (const path of unmeasured) missing.push(`${relative(root, path)}: not measured`)
const argued = sources.map((path) => readFileSync(path, "utf8").match(/v8 ignore (?!stop)/g)?.length ?? 0)
console.log(`${argued.reduce((sum, count) => sum + count, 0)} exceptions are argued in the source`)

if (missing.length > 0) {
  console.error(`\nNo test reaches:\n${missing.join("\n")}`)
  process.exit(1)
}
