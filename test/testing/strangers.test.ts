/**
 * lacuna as a stranger has it: packed, in a project with `effect` and nothing else, without a test runner and without
 * fast-check. The suites run under node:test, and all types check, those of declarations included.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const root = join(import.meta.dirname, "../..")
const project = mkdtempSync(join(tmpdir(), "lacuna-stranger-"))
afterAll(() => rmSync(project, { recursive: true, force: true }))

/** Extents in a map: right, and nothing more. */
const program = `
import { describe, it } from "node:test"
import * as Effect from "effect/Effect"
import { ByteSource, IoMemory, type ExtentStore } from "lacuna"
import {
  byteSourceSuite,
  extentStoreSuite,
  ioSuite,
  type Law,
  offmapSetup,
  type OffmapEngine,
  type StoreEngine
} from "lacuna/testing"

const hold = (what: string, laws: ReadonlyArray<Law>) =>
  describe(what, () => {
    for (const law of laws) it(law.name, law.run)
  })

const myStore = (): ExtentStore<never> => {
  const extents = new Map<number, Uint8Array>()
  return {
    createExtent: (offset, bytes) =>
      Effect.sync(() => {
        for (const [start, older] of extents) {
          const from = Math.max(start, offset)
          const to = Math.min(start + older.length, offset + bytes.length)
          if (from < to) older.set(bytes.subarray(from - offset, to - offset), from - start)
        }
        if (bytes.length === 0) extents.delete(offset)
        else extents.set(offset, bytes.slice())
      }),
    readExtent: (offset) => Effect.sync(() => extents.get(offset)?.slice() ?? new Uint8Array(0)),
    deleteExtent: (offset) => Effect.sync(() => void extents.delete(offset))
  }
}

hold("Io", ioSuite(IoMemory.layer))
hold("ByteSource", byteSourceSuite((bytes) => Effect.succeed(ByteSource.fromBytes(bytes))))
hold("ExtentStore", extentStoreSuite(() => Effect.sync(myStore)))

/** Whatever way an engine answers. */
export const maps: OffmapEngine = {
  begin: async () => ({
    add: ({ length }) => (length < 0 ? Effect.fail("no") : undefined),
    build: () => ({ translate: () => Effect.succeed(-1), find: async () => undefined })
  })
}
export const setup = offmapSetup(maps)
export const stores: StoreEngine = {
  open: async () => ({ append: async () => 0, commit: () => Effect.void, read: async () => new Uint8Array(0) })
}
`

const settings = {
  compilerOptions: {
    target: "ES2022",
    module: "NodeNext",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    // Effect's declarations speak of CryptoKey.
    lib: ["ES2023", "DOM"],
    types: ["node"],
    outDir: "out"
  },
  include: ["*.ts"]
}

/** What the project has besides lacuna: `fast-check` and `vitest` aren't there to be found. */
const packages = ["effect", "@types/node", "undici-types"]

beforeAll(() => {
  execFileSync(process.execPath, [join(root, "scripts", "build.js"), "--if-old"], { stdio: "inherit" })
  const pack = ["pack", "--ignore-scripts", "--silent", "--pack-destination", project]
  execFileSync("npm", pack, { cwd: root, stdio: ["ignore", "ignore", "inherit"] })
  const tarball = readdirSync(project).find((name) => name.endsWith(".tgz"))
  mkdirSync(join(project, "node_modules", "lacuna"), { recursive: true })
  mkdirSync(join(project, "node_modules", "@types"))
  const unpack = ["-xzf", tarball ?? "", "--strip-components=1", "-C", "node_modules/lacuna"]
  execFileSync("tar", unpack, { cwd: project })
  for (const name of packages) {
    if (existsSync(join(root, "node_modules", name))) {
      symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name))
    }
  }
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module", private: true }))
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify(settings))
  writeFileSync(join(project, "suites.test.ts"), program)
}, 120_000)

describe("a stranger's project", () => {
  it("checks its types, and those of lacuna, without fast-check", () => {
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc")
    const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", "."], {
      cwd: project,
      encoding: "utf8"
    })
    assert.strictEqual(stdout, "")
    assert.strictEqual(status, 0)
  })

  it("runs the suites under node:test", () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      ["--test", "--test-reporter=tap", "out/suites.test.js"],
      {
        cwd: project,
        encoding: "utf8",
        // Node's runner takes a variable of this name for a sign that it runs within itself.
        env: { ...process.env, NODE_TEST_CONTEXT: undefined }
      }
    )
    assert.strictEqual(status, 0, stdout)
    const count = (what: string) => Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(stdout)?.[1])
    assert.isAbove(count("pass"), 70)
    assert.strictEqual(count("fail"), 0)
  })

  it("finds everything that docs/testing.md speaks of", () => {
    const names = [
      "ioSuite",
      "byteSourceSuite",
      "extentStoreSuite",
      "appendOnlyFileCommands",
      "offmapCommands"
    ]
    names.push("sparseFileCommands", "storeCommands", "exploreCrashes", "exploreFaults", "exploreDamage")
    const code = `import * as testing from "lacuna/testing"
      console.log(${JSON.stringify(names)}.filter((name) => typeof testing[name] !== "function").join())`
    const printed = execFileSync(process.execPath, ["--input-type=module", "-e", code], {
      cwd: project,
      encoding: "utf8"
    })
    assert.strictEqual(printed, "\n")
    assert.isTrue(existsSync(join(project, "node_modules", "lacuna", "docs", "testing.md")))
  })
})
