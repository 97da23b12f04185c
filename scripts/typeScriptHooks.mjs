// Module hooks that strip the types of .ts files.
//
// With LACUNA_MUTANT, a JSON object { file, start, end, text }, that one range of that one file is
// another text: so a program runs with one thing of it broken, and everything else as it is.
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import typescript from "typescript"

const compilerOptions = {
  module: typescript.ModuleKind.ESNext,
  target: typescript.ScriptTarget.ES2022,
  verbatimModuleSyntax: true
}

const mutant = process.env.LACUNA_MUTANT ? JSON.parse(process.env.LACUNA_MUTANT) : undefined

const mutated = (path, text) =>
  mutant !== undefined && path.endsWith(mutant.file)
    ? text.slice(0, mutant.start) + mutant.text + text.slice(mutant.end)
    : text

export const load = async (url, context, nextLoad) => {
  if (!url.endsWith(".ts")) return nextLoad(url, context)
  const path = fileURLToPath(url)
  const text = mutated(path, await readFile(path, "utf8"))
  const source = typescript.transpileModule(text, { compilerOptions }).outputText
  return { format: "module", source, shortCircuit: true }
}
