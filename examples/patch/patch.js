#!/usr/bin/env node
/**
 * Changes ten thousand places of a large file without copying it, and without writing to it.
 *
 *     node examples/patch/patch.js demo [--file FILE] [--size BYTES] [--patches N] [--out FILE]
 *
 * The file is opened read-only and becomes the backing of an OffloadedFile, which refers to the whole
 * of it and holds nothing but the patches in memory. Then everything is read back, and written out as
 * a real file; both are compared with what patches.js says must be there.
 */
import fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import { Io, IoNode, OffloadedFile } from "lacuna"
import { makePatches, patched } from "./patches.js"

const usage = "usage: node patch.js demo [--file FILE] [--size BYTES] [--patches N] [--out FILE]"
const pieceBytes = 1 << 20

const count = (/** @type {number} */ value) => value.toLocaleString("en-US")
const millis = (/** @type {number} */ value) => `${value.toFixed(value < 10 ? 2 : 0)} ms`

const show = (/** @type {string} */ what, /** @type {string} */ how) =>
  console.log(`${what.padEnd(14)}${how}`)

/**
 * The milliseconds that an effect takes.
 * @template E, R
 * @param {Effect.Effect<void, E, R>} effect
 */
const timed = (effect) =>
  Effect.suspend(() => {
    const start = performance.now()
    return Effect.map(effect, () => performance.now() - start)
  })

/** A file to patch: each mebibyte is numbers of its own, but every fourth one is left as a hole. */
const makeFile = Effect.fnUntraced(function* (/** @type {string} */ path, /** @type {number} */ size) {
  const file = yield* (yield* Io).create(path, { overwrite: false })
  yield* file.truncate(size)
  const words = new Uint32Array(pieceBytes / 4)
  for (let offset = 0; offset < size; offset += pieceBytes) {
    const piece = offset / pieceBytes
    if (piece % 4 === 3) continue
    for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + 1, 2654435761) ^ piece
    yield* file.writeAt(offset, new Uint8Array(words.buffer, 0, Math.min(pieceBytes, size - offset)))
  }
  yield* file.close
})

/**
 * @typedef {object} Comparison
 * @property {string} name what errors call it
 * @property {(offset: number, buffer: Uint8Array) => Effect.Effect<number, unknown>} readAt
 * @property {import("lacuna").IoFile} backing
 * @property {import("./patches.js").Patches} patches
 */

/**
 * Reads all of a file, compares it with the backing as it must be after the patches, and gives the
 * milliseconds that the reading took. Two pieces are all that is in memory of them.
 */
const compare = Effect.fnUntraced(function* (/** @type {Comparison} */ { backing, name, patches, readAt }) {
  const size = yield* backing.size
  const [found, expected] = [new Uint8Array(pieceBytes), new Uint8Array(pieceBytes)]
  let readMillis = 0
  for (let offset = 0; offset < size; offset += pieceBytes) {
    const start = performance.now()
    const length = yield* readAt(offset, found)
    readMillis += performance.now() - start
    const there = expected.subarray(0, yield* backing.readSomeAt(offset, expected))
    patched(there, offset, patches)
    if (Buffer.compare(found.subarray(0, length), there) !== 0) {
      return yield* Effect.fail(new Error(`${name} differs between ${offset} and ${offset + there.length}`))
    }
  }
  if ((yield* readAt(size, found)) !== 0) return yield* Effect.fail(new Error(`${name} is too long`))
  return readMillis
})

/** Writes all patches, at once: what the synchronous twins throw is put where errors belong. */
const writePatches = (
  /** @type {import("lacuna").OffloadedFileService} */ file,
  /** @type {import("./patches.js").Patches} */ patches
) =>
  Effect.try({
    try: () => {
      for (const { bytes, offset } of patches.list) file.unsafe.writeAt(offset, bytes)
    },
    catch: (error) => error
  })

const rate = (/** @type {number} */ bytes, /** @type {number} */ took) =>
  `${millis(took)}, ${(bytes / took / 1e6).toFixed(2)} GB/s`

/**
 * @typedef {object} DemoOptions
 * @property {string} path the file to patch
 * @property {string} out where the result is to be
 * @property {number} patchCount
 */

const demo = Effect.fnUntraced(function* (/** @type {DemoOptions} */ { out, patchCount, path }) {
  const io = yield* Io
  const backing = yield* io.open(path, { readonly: true })
  const size = yield* backing.size
  if (size === 0) return yield* Effect.fail(new Error(`${path} is empty: there is nothing to patch`))
  show("backing", `${count(size)} bytes, open read-only`)

  const file = yield* OffloadedFile.make({ backing })
  const referred = yield* timed(file.writeAt(0, { backingOffset: 0, length: size }))
  show("referred to", `all of it in ${millis(referred)}, ${count(file.memoryBytes())} bytes in memory`)

  const patches = makePatches({ count: patchCount, fileBytes: size })
  const took = yield* timed(writePatches(file, patches))
  const each = `${((1000 * took) / Math.max(1, patchCount)).toFixed(2)} µs each`
  show("patched", `${count(patchCount)} places, ${count(patches.bytes)} bytes, in ${millis(took)}: ${each}`)
  show("consists of", `${count(file.extents().length)} extents, ${count(file.memoryBytes())} bytes in memory`)

  const readMillis = yield* compare({ name: "what was read back", readAt: file.readAt, backing, patches })
  show("read back", `${rate(size, readMillis)}: every byte as it must be`)

  const made = yield* timed(file.materialise(out))
  const onDisk = count(fs.statSync(out).blocks * 512)
  show("materialised", `${rate(size, made)}, durable: ${onDisk} bytes on the disk`)

  const real = yield* io.open(out, { readonly: true })
  yield* compare({ name: "what was materialised", readAt: real.readSomeAt, backing, patches })
  show("compared", "the real file: every byte as it must be")
})

/** A count of bytes or patches as it was given. */
const numberOf = (/** @type {string | undefined} */ text, /** @type {number} */ otherwise) => {
  const value = text === undefined ? otherwise : Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(usage)
  return value
}

const main = async () => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      file: { type: "string" },
      size: { type: "string" },
      patches: { type: "string" },
      out: { type: "string" }
    }
  })
  const size = numberOf(values.size, 2 ** 30)
  const patchCount = numberOf(values.patches, 10_000)
  const twice = values.file !== undefined && values.size !== undefined
  if (positionals.join(" ") !== "demo" || twice) throw new Error(usage)
  const work = fs.mkdtempSync(join(tmpdir(), "lacuna-patch-"))
  process.once("exit", () => fs.rmSync(work, { recursive: true, force: true }))
  process.once("SIGINT", () => process.exit(130))
  const path = values.file ?? join(work, "file")
  const out = values.out ?? join(work, "patched")
  const making = values.file === undefined ? Effect.scoped(makeFile(path, size)) : Effect.void
  const program = Effect.andThen(making, Effect.scoped(demo({ path, out, patchCount })))
  await Effect.runPromise(Effect.provide(program, IoNode.layer))
  const peak = Math.round(process.resourceUsage().maxRSS / 1024)
  show("peak memory", `${count(peak)} MiB, of this whole process`)
}

/** What Node says of arguments may be several lines. */
const oneLine = (/** @type {string} */ text) => text.replace(/\s*\n\s*/g, " ").trim()

main().catch((error) => {
  console.error(`patch: ${oneLine(error instanceof Error ? error.message : `${error}`)}`)
  process.exitCode = 1
})
