/**
 * `npm run build`: makes dist anew. With `--if-old`, only where it is missing or older than its
 * sources, for tests and examples that run the built command line.
 */
import { build, ensureBuilt } from "./built.js"

try {
  if (process.argv.includes("--if-old")) ensureBuilt()
  else build()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
