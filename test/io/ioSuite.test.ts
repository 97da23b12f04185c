import { execFileSync } from "node:child_process"
import fs from "node:fs"
import { describe, it } from "vitest"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { IoNode, type IoNodeOptions } from "../../src/io/IoNode.ts"
import type { IoSuiteOptions } from "../../src/testing/ioLaw.ts"
import { ioSuite } from "../../src/testing/ioSuite.ts"
import { failNextSync } from "./faults.ts"
import { scratchDirectory } from "./scratch.ts"

const directory = scratchDirectory()
const providers = IoNode.providers()

const hooks = {
  directory,
  makeLink: (target: string, path: string) => fs.symlinkSync(target, path),
  makeOther: (path: string) => void execFileSync("mkfifo", [path]),
  failNextSync
}

/** A reason to skip, or undefined. */
const missing = (name: string): string | undefined => {
  const provider = providers.find((candidate) => candidate.name === name)
  return provider?.available === true ? undefined : `${name} can't be loaded: ${provider?.reason}`
}

const run = (name: string, options: IoNodeOptions, suite: IoSuiteOptions, skip?: string) =>
  describe(skip === undefined ? name : `${name} (skipped: ${skip})`, () => {
    for (const law of ioSuite(IoNode.layerWith(options), suite))
      it.skipIf(skip !== undefined)(law.name, law.run)
  })

describe("IoMemory", () => {
  for (const law of ioSuite(IoMemory.layer, { directory: "/", mapping: "zeroed" })) it(law.name, law.run)
})

run("IoNode over koffi", { mapping: "koffi" }, { ...hooks, mapping: "zeroed" }, missing("koffi"))
run("IoNode over mmap-io", { mapping: "mmap-io" }, { ...hooks, mapping: "kept" }, missing("mmap-io"))
run("IoNode without mapping", { mapping: "off" }, { ...hooks, mapping: "unsupported" })
run(
  "IoNode without locks",
  { mapping: "off", lock: false },
  { ...hooks, mapping: "unsupported", locks: false }
)
