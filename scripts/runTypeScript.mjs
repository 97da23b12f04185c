// Runs a TypeScript module in a process of its own: `node runTypeScript.mjs module.ts arguments…`.
// Node 20 can't by itself, and the workers of a test runner share what these tests must not share.
import { register } from "node:module"
import { pathToFileURL } from "node:url"

register("./typeScriptHooks.mjs", import.meta.url)

try {
  const module = await import(pathToFileURL(process.argv[2]).href)
  await module.main(process.argv.slice(3))
  process.exit()
} catch (error) {
  console.error(error)
  process.exit(1)
}
