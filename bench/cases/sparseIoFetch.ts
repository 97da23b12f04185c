/**
 * Fetching a whole object into a file of extents: from a local file, against `cp`; and over HTTP from nginx on
 * loopback, against `curl`. Then a hundredth of it in small reads at random: what the server sent, against the
 * chunks that were touched. nginx and curl are used where they are installed.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawnSync } from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import { ByteSource } from "../../src/fetch/ByteSource.ts"
import { SparseIo } from "../../src/fetch/SparseIo.ts"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import type { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { nginxProgram, startNginx } from "../../test/fetch/nginx.ts"
import { expect } from "../expect.ts"
import { makeRandom } from "../random.ts"
import type { Row } from "../result.ts"
import { compare, type Side } from "../rounds.ts"
import type { Settings } from "../settings.ts"
import { randomBytes, writeWarmFile } from "./randomFile.ts"

const readBytes = 4096
const mebibyte = 2 ** 20

/** The milliseconds that a program takes from its start to its end. */
const timed = (command: string, args: ReadonlyArray<string>): number => {
  const start = performance.now()
  const { error, status, stderr } = spawnSync(command, args, { encoding: "utf8" })
  expect(`${command} works (${error?.message ?? stderr})`, status === 0)
  return performance.now() - start
}

const isInstalled = (command: string): boolean => spawnSync(command, ["--version"]).error === undefined

/** The sources that come with lacuna, of either kind. */
type AnySource = Effect.Success<ReturnType<typeof ByteSource.fromHttp | typeof ByteSource.fromFile>>
type Opening = Effect.Effect<AnySource, unknown, Io | Scope.Scope>

/** Opens a source and a new file, fetches everything, and gives the milliseconds until all of it is written. */
const fetchAll = (opening: Opening, target: string): Promise<number> =>
  Effect.gen(function* () {
    const start = performance.now()
    const source = yield* opening
    const store = yield* ExtentFile.open(target)
    const io = yield* SparseIo.make<unknown, unknown>({ source, store })
    yield* io.prefetch({ offset: 0, length: yield* io.length })
    return performance.now() - start
  }).pipe(Effect.scoped, Effect.provide(IoNode.layer), Effect.runPromise)

interface Comparison {
  readonly variant: string
  readonly opening: Opening
  /** What is compared with: it copies to the path it is given. */
  readonly other: { readonly name: string; readonly run: (target: string) => number }
}

export const sparseIoFetchCase = Effect.fnUntraced(function* (settings: Settings) {
  const objectBytes = settings.quick ? 2 ** 24 : 2 ** 30
  const object = path.join(settings.directory, "object")
  const target = path.join(settings.directory, "target")
  const content = randomBytes(objectBytes, 72)
  writeWarmFile(object, content)
  const clean = (): void => {
    for (const name of [target, `${target}.extents`]) fs.rmSync(name, { force: true })
  }
  const measure = ({ opening, other, variant }: Comparison) => {
    const sides: ReadonlyArray<Side> = [
      {
        name: "prefetch",
        goal: { most: 2, of: "ratio", to: other.name },
        run: async () => {
          const millis = await fetchAll(opening, target)
          expect("all of it is there", fs.readFileSync(target).equals(content))
          clean()
          return millis
        }
      },
      {
        name: other.name,
        run: () => {
          const millis = other.run(target)
          clean()
          return millis
        }
      }
    ]
    const { rounds } = settings
    return Effect.promise(() =>
      compare({ case: "sparse-fetch", variant, unit: "ms", rounds, rehearsed: true, sides })
    )
  }
  const size = `${objectBytes / mebibyte} MiB`
  const rows = [
    ...(yield* measure({
      variant: `${size} from a local file`,
      opening: ByteSource.fromFile(object),
      other: { name: "cp", run: (to) => timed("cp", [object, to]) }
    }))
  ]
  if (nginxProgram === undefined) return [...rows, skipped("nginx")]
  const nginx = yield* Effect.acquireRelease(
    Effect.promise(() => startNginx(settings.directory)),
    (running) => Effect.promise(() => running.close())
  )
  const url = `${nginx.url}object`
  if (isInstalled("curl")) {
    const other = { name: "curl", run: (to: string) => timed("curl", ["-sS", "-f", "-o", to, url]) }
    const variant = `${size} by HTTP on loopback`
    rows.push(...(yield* measure({ variant, opening: ByteSource.fromHttp(url), other })))
  } else {
    rows.push(skipped("curl"))
  }
  const before = yield* Effect.promise(() => nginx.bytesSent())
  const touched = yield* readHundredth(url, target, objectBytes)
  const sent = (yield* Effect.promise(() => nginx.bytesSent())) - before
  rows.push({
    case: "sparse-fetch",
    variant: `a hundredth of ${size} at random, ${readBytes} bytes each`,
    side: "read",
    value: sent / touched,
    unit: "bytes sent a byte of the chunks touched",
    goal: { most: 1.2, of: "value" }
  })
  return rows
})

const skipped = (what: string): Row => ({
  case: "sparse-fetch",
  variant: `not measured: ${what} is not installed here`,
  side: what,
  value: Number.NaN,
  unit: ""
})

/** Reads a hundredth of an object at random, and gives the bytes of the chunks that were touched. */
const readHundredth = (url: string, target: string, objectBytes: number) =>
  Effect.gen(function* () {
    const source = yield* ByteSource.fromHttp(url)
    const store = yield* ExtentFile.open(target)
    const io = yield* SparseIo.make({ source, store })
    const draw = makeRandom(72)
    const buffer = new Uint8Array(readBytes)
    const chunks = new Set<number>()
    for (let read = 0; read < objectBytes / 100; read += readBytes) {
      const offset = draw.below(objectBytes - readBytes)
      expect("a read is whole", (yield* io.read(offset, buffer)) === readBytes)
      chunks.add(Math.floor(offset / io.chunkSize))
      chunks.add(Math.floor((offset + readBytes - 1) / io.chunkSize))
    }
    return chunks.size * io.chunkSize
  }).pipe(Effect.scoped)
