#!/usr/bin/env node
/**
 * Reads zip archives of any size in a mebibyte of memory.
 *
 *     node examples/zip/zip.js list ARCHIVE|URL
 *     node examples/zip/zip.js extract ARCHIVE|URL MEMBER [--out FILE]
 *     node examples/zip/zip.js demo [--size BYTES] [--zip64] [--out FILE]
 *
 * A zip archive is read from its end: the last record tells where the directory is, the directory
 * where a member is. All of that are small numbers at odd places of a large file, which is what a
 * PageCache is for. Behind a URL, a SparseIo fetches the chunks around them, each once. How they are read is in zipArchive.js and zipMember.js; this file is the command line.
 */
import fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { ByteSource, ExtentFile, Io, IoNode, SparseIo } from "lacuna"
import { findMember, members, openArchive, openArchiveIn } from "./zipArchive.js"
import { printable } from "./zipErrors.js"
import { extract } from "./zipMember.js"
import { deflated, stored } from "./zipRecords.js"
import { makeArchive } from "./zipWriter.js"

const usage =
  "usage: node zip.js list ARCHIVE|URL | extract ARCHIVE|URL MEMBER [--out FILE] | demo [--size BYTES] [--zip64] [--out FILE]"
const defaultSize = 5 * 2 ** 30

const count = (/** @type {number} */ value) => value.toLocaleString("en-US")
const millis = (/** @type {number} */ since) => `${(performance.now() - since).toFixed(1)} ms`

const open = Effect.fnUntraced(function* (/** @type {string} */ path) {
  const io = yield* Io
  return yield* io.open(path, { readonly: true })
})

/** What is fetched at a time of an archive behind a URL. */
const chunkSize = 65_536

/** Fetched to a file that is removed at the end: a program that comes back would keep it. */
const openUrl = Effect.fnUntraced(function* (/** @type {string} */ url) {
  const work = yield* Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "lacuna-zip-"))),
    (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
  )
  const source = yield* ByteSource.fromHttp(url)
  const store = yield* ExtentFile.open(join(work, "archive"))
  return yield* openArchiveIn(yield* SparseIo.make({ source, store, chunkSize }), url)
})

const openAny = Effect.fnUntraced(function* (/** @type {string} */ place) {
  if (/^https?:\/\//.test(place)) return yield* openUrl(place)
  return yield* openArchive(yield* open(place))
})

const list = Effect.fnUntraced(function* (/** @type {string} */ place) {
  const archive = yield* openAny(place)
  const methods = new Map([
    [stored, "stored"],
    [deflated, "deflated"]
  ])
  yield* Stream.runForEach(members(archive), ({ encrypted, memberBytes, method, name, packedBytes }) =>
    Effect.sync(() => {
      const how = encrypted ? "encrypted" : (methods.get(method) ?? `method ${method}`)
      const sizes = [memberBytes, packedBytes].map((bytes) => count(bytes).padStart(15)).join(" ")
      console.log(`${sizes}  ${how.padEnd(9)}  ${printable(name)}`)
    })
  )
})

const extractTo = Effect.fnUntraced(
  function* (/** @type {string} */ place, /** @type {string} */ name, /** @type {string | undefined} */ out) {
    const archive = yield* openAny(place)
    const member = yield* findMember(archive, name)
    if (out === undefined) return yield* extract(archive, member, process.stdout)
    const io = yield* Io
    const file = yield* io.create(out, { overwrite: false })
    const write = async (/** @type {AsyncIterable<Uint8Array>} */ source) => {
      let at = 0
      for await (const piece of source) {
        file.unsafe.writeAt(at, piece)
        at += piece.length
      }
    }
    // Where it succeeds the file is the whole member, proved by its checksum; where it fails there is none.
    yield* extract(archive, member, write).pipe(Effect.onError(() => Effect.ignore(io.remove(out))))
  }
)

/** Numbered lines with something in them that does not repeat, so that deflating them is some work. */
const linesOfText = (/** @type {number} */ lines) => {
  let state = 1
  const line = (/** @type {unknown} */ _, /** @type {number} */ number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return `line ${number + 1}: ${state.toString(16)}\n`
  }
  return Buffer.from(Array.from({ length: lines }, line).join(""))
}

/** A hole of `size` bytes between many small members, and a larger one. */
const demoMembers = function* (/** @type {number} */ size, /** @type {Buffer} */ report) {
  yield { name: "README.txt", bytes: Buffer.from("What lies behind disk.img is at offsets beyond it.\n") }
  yield { name: "disk.img", zeroBytes: size }
  for (let i = 1; i <= 2000; i++) yield { name: `logs/${i}.txt`, bytes: linesOfText(i % 50) }
  yield { name: "report.txt", bytes: report }
}

/**
 * The file, and what is read of it.
 * @param {import("lacuna").IoFile} file
 */
const watched = (file) => {
  const seen = { calls: 0, bytes: 0 }
  const note = (/** @type {number} */ bytes) => {
    seen.calls += 1
    seen.bytes += bytes
    return bytes
  }
  /** @type {import("lacuna").IoFile} */
  const watching = {
    ...file,
    readSomeAt: (offset, buffer) => Effect.map(file.readSomeAt(offset, buffer), note),
    unsafe: {
      ...file.unsafe,
      readSomeAt: (offset, buffer) => note(file.unsafe.readSomeAt(offset, buffer))
    }
  }
  return { file: watching, seen }
}

/**
 * @typedef {object} DemoOptions
 * @property {number} size bytes of the hole
 * @property {boolean} zip64 Zip64 records in any case
 */

/** Makes an archive at `path`, lists it, and extracts the member that lies last. */
const demo = Effect.fnUntraced(function* (
  /** @type {string} */ path,
  /** @type {DemoOptions} */ { size, zip64 }
) {
  const making = performance.now()
  const report = linesOfText(400_000)
  const bytes = yield* Effect.scoped(makeArchive(path, demoMembers(size, report), { zip64 }))
  const onDisk = fs.statSync(path).blocks * 512
  console.log(`made       ${count(bytes)} bytes, of which ${count(onDisk)} on the disk, in ${millis(making)}`)

  const { file, seen } = watched(yield* open(path))
  const opening = performance.now()
  const archive = yield* openArchive(file)
  const { cache } = archive
  console.log(`cache      ${count(cache.cacheSize)} pages of ${count(cache.pageSize)} bytes`)
  /** What was done since the last time this was asked. */
  const sinceThen = () => {
    const share = ((100 * seen.bytes) / bytes).toPrecision(2)
    const shown = `${count(seen.calls)} calls, ${count(seen.bytes)} bytes: ${share} % of the archive`
    seen.calls = seen.bytes = 0
    return shown
  }
  console.log(`opened     ${millis(opening)}, ${sinceThen()}`)

  const listing = performance.now()
  const found = yield* Stream.runCollect(members(archive))
  console.log(`listed     ${count(found.length)} members in ${millis(listing)}, ${sinceThen()}`)

  const extracting = performance.now()
  const member = yield* findMember(archive, "report.txt")
  /** @type {Array<Uint8Array>} */
  const got = []
  yield* extract(archive, member, async (/** @type {AsyncIterable<Uint8Array>} */ source) => {
    for await (const piece of source) got.push(piece)
  })
  if (!Buffer.concat(got).equals(report)) throw new Error("report.txt came back changed")
  console.log(
    `extracted  report.txt, ${count(member.memberBytes)} bytes, deflated to ${count(member.packedBytes)} at ${count(member.headerOffset)},
           in ${millis(extracting)}, ${sinceThen()}
pages      ${count(cache.cacheHit())} times there, ${count(cache.cacheMiss())} times not`
  )
})

/**
 * @param {string | undefined} out where to keep the archive
 * @param {DemoOptions} options
 */
const runDemo = (out, options) => {
  if (out !== undefined) return run(demo(out, options))
  const work = fs.mkdtempSync(join(tmpdir(), "lacuna-zip-"))
  process.once("exit", () => fs.rmSync(work, { recursive: true, force: true }))
  process.once("SIGINT", () => process.exit(130))
  return run(demo(join(work, "demo.zip"), options))
}

/**
 * @template A, E
 * @param {Effect.Effect<A, E, Io | import("effect/Scope").Scope>} program
 */
const run = (program) => Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(IoNode.layer)))

const main = async () => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { out: { type: "string" }, size: { type: "string" }, zip64: { type: "boolean", default: false } }
  })
  const [command, path, name] = positionals
  const { out, zip64 } = values
  const size = values.size === undefined ? defaultSize : Number(values.size)
  const forDemo = values.size !== undefined || zip64
  const given = `${command} ${positionals.length - 1}`
  if (given === "list 1" && !forDemo && out === undefined) await run(list(path))
  else if (given === "extract 2" && !forDemo) await run(extractTo(path, name, out))
  else if (given === "demo 0" && Number.isSafeInteger(size) && size >= 0) await runDemo(out, { size, zip64 })
  else throw new Error(usage)
}

/** What Node says of arguments may be several lines. */
const oneLine = (/** @type {string} */ text) => text.replace(/\s*\n\s*/g, " ").trim()

const abort = (/** @type {unknown} */ error) => {
  // Whoever reads only the first lines of a list has what they wanted.
  const enough = error instanceof Error && "code" in error && error.code === "EPIPE"
  if (!enough) console.error(`zip: ${oneLine(error instanceof Error ? error.message : `${error}`)}`)
  process.exit(1)
}

process.stdout.on("error", abort)
main().catch(abort)
