// Module hooks that strip the types of .ts files.
//
// What a text becomes is kept in a cache, by a hash of the text: the programs that are run so are many processes,
// most of which would spend more on stripping than on what they are for.
//
// With LACUNA_MUTANT, a JSON object { file, start, end, text }, that one range of that one file is
// another text: so a program runs with one thing of it broken, and everything else as it is.
import { createHash } from "node:crypto"
import { mkdirSync } from "node:fs"
import { readFile, rename, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"

const require = createRequire(import.meta.url)
const options = { module: "ESNext", target: "ES2022", verbatimModuleSyntax: true }
const cache = fileURLToPath(new URL("../node_modules/.cache/lacuna-typescript/", import.meta.url))
const made = `${require("typescript/package.json").version} ${JSON.stringify(options)}\n`

const mutant = process.env.LACUNA_MUTANT ? JSON.parse(process.env.LACUNA_MUTANT) : undefined

const mutated = (path, text) =>
  mutant !== undefined && path.endsWith(mutant.file)
    ? text.slice(0, mutant.start) + mutant.text + text.slice(mutant.end)
    : text

// Loaded where something is not in the cache: that alone takes longer than most of these programs.
let typescript

const stripped = (text) => {
  typescript ??= require("typescript")
  const compilerOptions = {
    ...options,
    module: typescript.ModuleKind[options.module],
    target: typescript.ScriptTarget[options.target]
  }
  return typescript.transpileModule(text, { compilerOptions }).outputText
}

/** A cache that can't be written is none. */
const keep = async (name, output) => {
  try {
    mkdirSync(cache, { recursive: true })
    // Others may write the same, and nobody reads half of it.
    const temporary = `${cache}${name}.${process.pid}`
    await writeFile(temporary, output)
    await rename(temporary, cache + name)
  } catch {
    return
  }
}

const cached = async (text) => {
  const name = createHash("sha256").update(made).update(text).digest("hex")
  try {
    return await readFile(cache + name, "utf8")
  } catch {
    const output = stripped(text)
    await keep(name, output)
    return output
  }
}

export const load = async (url, context, nextLoad) => {
  if (!url.endsWith(".ts")) return nextLoad(url, context)
  const path = fileURLToPath(url)
  const source = await cached(mutated(path, await readFile(path, "utf8")))
  return { format: "module", source, shortCircuit: true }
}
