/**
 * `npm run demo`: installs what is missing, builds what is old, and runs `lacuna demo`.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { ensureBuilt, ensureInstalled, root } from "./built.js"

try {
  ensureInstalled()
  ensureBuilt()
  const { status } = spawnSync(process.execPath, [join(root, "dist", "cli", "main.js"), "demo"], {
    stdio: "inherit"
  })
  process.exitCode = status ?? 1
} catch (error) {
  console.error(`The demonstration could not be started: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
