// Module hooks that strip the types of .ts files.
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import typescript from "typescript"

const compilerOptions = {
  module: typescript.ModuleKind.ESNext,
  target: typescript.ScriptTarget.ES2022,
  verbatimModuleSyntax: true
}

export const load = async (url, context, nextLoad) => {
  if (!url.endsWith(".ts")) return nextLoad(url, context)
  const text = await readFile(fileURLToPath(url), "utf8")
  const source = typescript.transpileModule(text, { compilerOptions }).outputText
  return { format: "module", source, shortCircuit: true }
}
