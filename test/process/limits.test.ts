/**
 * A process that may not do what it would: its files may not grow beyond a size (`ulimit -f`: a short write, and an
 * error for the rest of it), or it may not open as many as it needs (`ulimit -n`). Both are told by a tag, with the path;
 * without the limit the store is opened, has all that was acknowledged, and goes on.
 */
import { execFileSync } from "node:child_process"
import fs from "node:fs"
import { join } from "node:path"
import { assert, expect } from "vitest"
import { itWith } from "./abilities.ts"
import { startChildren } from "./children.ts"
import { count, type Met } from "./cutSubject.ts"
import { Ledger } from "./ledger.ts"
import type { LimitedMessage, LimitedOrder } from "./limitedWriter.ts"
import { Random, seedOf } from "../../src/testing/random.ts"
import { all, onlyPart, replayCommand, scratchDirectory, seed } from "./runs.ts"
import { Acknowledged, judgeStore } from "./storeJudge.ts"
import type { Failed } from "./storeToil.ts"

const directory = scratchDirectory()
const children = startChildren("limitedWriter.ts", 0)

interface Limit {
  readonly name: string
  /** What `prlimit` is told, of a process that has so many files open. */
  readonly prlimit: (open: number) => string
  readonly code: string
  readonly order: Omit<LimitedOrder, "options" | "mapping" | "seed">
  readonly chunkSize: number | undefined
}

/** No file longer than so many bytes, which is no multiple of a block; control has 131,072. */
const sizes = all ? [140_000, 150_001, 200_000, 262_145, 300_000] : [150_001]
/** Beyond those that Node has open; some are for packages that are loaded when they are needed. */
const descriptors = all ? [8, 10, 12, 14, 16] : [12]

const limits: ReadonlyArray<Limit> = [
  ...sizes.map((bytes): Limit => ({
    ...{
      name: `files of ${bytes} bytes`,
      prlimit: () => `--fsize=${bytes}`,
      code: "EFBIG",
      chunkSize: undefined
    },
    order: { steps: 60, mostBytes: 40_000 }
  })),
  ...descriptors.map((files): Limit => ({
    ...{
      name: `${files} more open files`,
      prlimit: (open) => `--nofile=${open + files}`,
      code: "EMFILE",
      chunkSize: 1000
    },
    order: { steps: 60, mostBytes: 3000 }
  }))
]

const oneLimit = async (
  { chunkSize, code, order, prlimit }: Limit,
  part: number,
  met: Met
): Promise<void> => {
  const options = { directory: join(directory, `${part}`), chunkSize }
  const mapping = part % 2 === 0 ? "auto" : "off"
  const acknowledged = new Acknowledged(new Ledger())
  let failed: ReadonlyArray<Failed> = []
  const child = children.start({})
  child.heard = (message: LimitedMessage) => {
    if (message.told === "ended") failed = message.failed
    else acknowledged.hear(message)
  }
  await child.ready
  const open = fs.readdirSync(`/proc/${child.pid}/fd`).length
  execFileSync("prlimit", [prlimit(open), "--pid", `${child.pid}`])
  child.order({ options, mapping, seed: seedOf(seed, part), ...order } satisfies LimitedOrder)
  const ended = await child.ended
  assert.strictEqual(ended.code, 0, child.complaint)
  assert.isAbove(failed.length, 0, "the limit was met")
  for (const { code: found, operation, path, tag } of failed) {
    count(met, `${code}:${operation}:${tag}`)
    assert.isTrue(path?.startsWith(options.directory), `${operation}: the path is ${path}`)
    assert.include(["IoFailed", "Poisoned", "PendingFlush"], tag, operation)
    if (tag === "IoFailed") assert.strictEqual(found, code, operation)
  }
  count(met, "commits", acknowledged.commits)
  await judgeStore({ options, mapping }, acknowledged, new Random(seedOf(seed, part)), true)
  count(met, code)
}

itWith(
  "limits of a process are told, and lose nothing",
  { needs: ["linux", "prlimit"], timeout: 300_000 },
  async () => {
    const met: Met = {}
    for (const [part, limit] of limits.entries()) {
      if (onlyPart !== undefined && onlyPart !== part) continue
      try {
        await oneLimit(limit, part, met)
      } catch (cause) {
        const reason = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
        throw new Error(`${limit.name}: ${reason}\n\nreplay: ${replayCommand("limits.test.ts", part)}`, {
          cause
        })
      }
    }
    console.log(`limits.test.ts, seed ${seed}: ${JSON.stringify(met)}`)
    if (onlyPart === undefined) expect(met["commits"]).toBeGreaterThan(0)
  }
)
