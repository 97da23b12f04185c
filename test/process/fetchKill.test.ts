/**
 * Kill -9 in the middle of a fetch, again and again: what had come is there, is never asked for again, and
 * the file is the object in the end.
 */
import { spawn } from "node:child_process"
import fs from "node:fs"
import http from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, it } from "vitest"
import type { Extent } from "../../src/bytes/extent.ts"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { build, main } from "../cli/lacuna.ts"
import { Random, seedOf } from "../../src/testing/random.ts"
import { replayCommand, runs, scratchDirectory, seed } from "./runs.ts"

const rounds = Math.max(2, Math.round(8 * runs))
const chunkBytes = 131_072
const objectBytes = 48 * (1 << 20) + 12_345
/** Each answer comes in such pieces, some milliseconds apart: with four at once 16 MiB a second, which any client can take. */
const pieceBytes = 16_384
const pauseMillis = 4
/**
 * What may come again: of each of four requests a chunk that was unfinished and as much on its way; and what a
 * client that has to wait for a processor for a quarter of a second leaves in the system's buffers.
 */
const inFlightBytes = 4 * 2 * chunkBytes + (4 << 20)

const directory = scratchDirectory()
const object = Buffer.alloc(objectBytes)
for (let i = 0; i < objectBytes; i++) object[i] = (Math.imul(i + 1, 2_654_435_761) >>> 13) & 255

/** What was asked for in this round, what was sent, and what happens when so much was. */
let asked: Array<Extent> = []
let sentBytes = 0
let limitBytes = Infinity
let atLimit = (): void => {}

const answer = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")!.map(Number)
  const length = last - first + 1
  if (length > 1) asked.push({ offset: first, length })
  response.writeHead(206, {
    "content-range": `bytes ${first}-${last}/${objectBytes}`,
    "content-length": length,
    etag: '"the only version"'
  })
  for (let at = first; at <= last && !response.destroyed; at += pieceBytes) {
    const piece = object.subarray(at, Math.min(last + 1, at + pieceBytes))
    if (length > 1) sentBytes += piece.length
    if (sentBytes >= limitBytes) atLimit()
    response.write(piece)
    do await new Promise((resolve) => setTimeout(resolve, pauseMillis))
    while (response.writableLength > 0 && !response.destroyed)
  }
  response.end()
}

const server = http.createServer((request, response) => void answer(request, response))
beforeAll(async () => {
  build()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
}, 120_000)
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const out = join(directory, "object")

/** Runs a fetch, killed once so many bytes were sent. Gives its status, or null where it was killed. */
const fetch = (bytes: number): Promise<number | null> =>
  new Promise((resolve, reject) => {
    const { port } = server.address() as AddressInfo
    const child = spawn(process.execPath, [main, "fetch", `http://127.0.0.1:${port}/object`, "--out", out], {
      stdio: ["ignore", "ignore", "inherit"]
    })
    ;[asked, sentBytes, limitBytes, atLimit] = [[], 0, bytes, () => child.kill("SIGKILL")]
    child.on("error", reject)
    child.on("close", (status) => resolve(status))
  })

const coverage = (): Promise<ReadonlyArray<Extent>> =>
  fs.existsSync(`${out}.extents`)
    ? ExtentFile.report(out).pipe(
        Effect.map((report) => report.coverage),
        Effect.provide(IoNode.layer),
        Effect.runPromise
      )
    : Promise.resolve([])

const bytesOf = (extents: ReadonlyArray<Extent>): number =>
  extents.reduce((sum, { length }) => sum + length, 0)

const overlap = (a: Extent, b: Extent): number =>
  Math.max(0, Math.min(a.offset + a.length, b.offset + b.length) - Math.max(a.offset, b.offset))

/** Throws unless a round left what was there, and fetched nothing of it. */
const judge = async (there: ReadonlyArray<Extent>): Promise<void> => {
  const now = await coverage()
  const fd = fs.openSync(out, "r")
  for (const { length, offset } of now) {
    const data = Buffer.alloc(length)
    fs.readSync(fd, data, 0, length, offset)
    assert.isTrue(data.equals(object.subarray(offset, offset + length)), `the bytes at ${offset}`)
  }
  fs.closeSync(fd)
  const again = asked.filter((range) => there.some((kept) => overlap(range, kept) > 0))
  assert.deepStrictEqual(again, [], "what was there is asked for again")
  const gained = bytesOf(now) - bytesOf(there)
  assert.isAtLeast(gained, 0, "something that was there is lost")
  assert.isAtMost(sentBytes - gained, inFlightBytes, "more is lost than what was under way")
}

it(`a fetch that is killed ${rounds} times goes on where it was; ${replayCommand("fetchKill.test.ts")}`, async () => {
  const random = new Random(seedOf(seed, 0))
  let kills = 0
  for (let round = 0; round < rounds; round++) {
    const there = await coverage()
    const status = await fetch(random.between(1, Math.floor((objectBytes - bytesOf(there)) / 2)))
    await judge(there)
    assert.isNull(status, "it ended before it was killed")
    kills++
  }
  const there = await coverage()
  assert.isBelow(bytesOf(there), objectBytes)
  assert.strictEqual(await fetch(Infinity), 0)
  await judge(there)
  assert.isTrue(fs.readFileSync(out).equals(object), "the file is the object")
  assert.strictEqual(kills, rounds)
})
