#!/usr/bin/env node
/**
 * Collects a git packfile down to what some refs reach, without moving an object.
 *
 *     node examples/git-pack/git-pack.js REPO [--refs main,tags/v1] [--work DIR] [--gc]
 *
 * A pack is an append-only file full of offsets: its index has one for every object, and deltas
 * have one to their base. Here every object that is kept can still be read at the offset that the
 * index has for it. The repository is only read; everything written goes to the work directory.
 *
 * What git knows is asked of git, in gitPacks.js; this file is what an embedder of lacuna writes.
 */
import { spawnSync } from "node:child_process"
import fs from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import { Io, IoNode, SparseFile } from "lacuna"
import { findPacks, listPack, reachableFrom, repackedCopy } from "./gitPacks.js"

const lacunaMain = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url))
const usage = "usage: node git-pack.js REPO [--refs main,tags/v1] [--work DIR] [--gc]"

/** What is kept of one pack: indices into its list of objects, deltas' bases included. */
const choose = (
  /** @type {import("./gitPacks.js").PackList} */ pack,
  /** @type {Set<string>} */ reachable
) => {
  const kept = new Set()
  let wanted = 0
  for (let i = 0; i < pack.names.length; i++) {
    if (!reachable.has(pack.names[i])) continue
    wanted++
    // A delta is nothing without its base, nor that without its own: up the chain, to what is kept already.
    for (let at = i; at !== -1 && !kept.has(at); at = pack.bases[at]) kept.add(at)
  }
  return { kept: Array.from(kept), wanted }
}

/** Compacts one pack, proves the result, and gives the figures. */
const collect = Effect.fnUntraced(
  function* (
    /** @type {string} */ packPath,
    /** @type {import("./gitPacks.js").PackList} */ pack,
    /** @type {Set<string>} */ reachable,
    /** @type {string} */ out
  ) {
    const { kept, wanted } = choose(pack, reachable)
    const extents = kept.map((i) => ({ offset: pack.offsets[i], length: pack.sizes[i] }))

    // The same as text: what `lacuna compact --live` reads.
    const list = fs.createWriteStream(`${out}.live`)
    for (const { length, offset } of extents) list.write(`${offset} ${length}\n`)
    yield* Effect.promise(() => new Promise((resolve) => list.end(() => resolve(undefined))))

    const io = yield* Io
    const source = yield* io.open(packPath, { readonly: true })
    const packBytes = yield* source.size
    const started = performance.now()
    const writer = yield* SparseFile.create(out)
    const added = yield* writer.appendExtents(source, extents)
    yield* writer.close
    const compacted = performance.now()

    const reader = yield* SparseFile.open(out)
    for (const { length, offset } of extents) {
      const [there, here] = [new Uint8Array(length), new Uint8Array(length)]
      source.unsafe.readAt(offset, there)
      reader.unsafe.read(offset, here)
      if (Buffer.compare(there, here) !== 0) throw new Error(`the object at ${offset} came back changed`)
    }
    const proved = performance.now()

    return {
      pack: basename(packPath),
      packBytes,
      objects: pack.names.length,
      reachable: wanted,
      basesKept: kept.length - wanted,
      extents: added.extents,
      dataBytes: reader.dataLength,
      mapBytes: reader.mapBytes,
      mapBytesPerExtent: reader.mapBytes / Math.max(1, added.extents),
      mapBytesPerObject: reader.mapBytes / Math.max(1, kept.length),
      savedBytes: packBytes - reader.dataLength - reader.mapBytes,
      compactSeconds: (compacted - started) / 1000,
      proofSeconds: (proved - compacted) / 1000
    }
  }
)

/** Asks the command line for a second opinion: another process, which also checks every checksum. */
const verifyByCommand = (/** @type {string} */ out, /** @type {string} */ packPath) => {
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    [lacunaMain, "verify", out, "--against", packPath],
    { encoding: "utf8" }
  )
  if (status !== 0) throw new Error(`lacuna verify says: ${stderr.trim()}`)
  return stdout.trim()
}

const count = (/** @type {number} */ value) => value.toLocaleString("en-US")

const show = (/** @type {Effect.Success<ReturnType<typeof collect>>} */ figures) => {
  const percent = ((100 * figures.savedBytes) / figures.packBytes).toFixed(1)
  console.log(`${figures.pack}
  pack        ${count(figures.packBytes)} bytes, ${count(figures.objects)} objects
  reachable   ${count(figures.reachable)} objects, and ${count(figures.basesKept)} more as bases of their deltas
  kept        ${count(figures.dataBytes)} bytes in ${count(figures.extents)} extents
  map         ${count(figures.mapBytes)} bytes: ${figures.mapBytesPerExtent.toFixed(1)} an extent, ${figures.mapBytesPerObject.toFixed(1)} an object
  saved       ${count(figures.savedBytes)} bytes, ${percent} %
  time        ${figures.compactSeconds.toFixed(2)} s to compact, ${figures.proofSeconds.toFixed(2)} s to read every kept object at its old offset: all identical`)
}

const main = async () => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { refs: { type: "string", default: "HEAD" }, work: { type: "string" }, gc: { type: "boolean" } }
  })
  if (positionals.length !== 1) throw new Error(usage)
  const work = values.work ?? fs.mkdtempSync(join(tmpdir(), "lacuna-git-pack-"))
  fs.mkdirSync(work, { recursive: true })
  try {
    const given = findPacks(positionals[0])
    const copy = values.gc === true || given.packs.length === 0
    if (copy) console.log(`Repacking a copy of ${positionals[0]} (the repository itself is only read) …`)
    const { gitDirectory, packs } = copy ? findPacks(repackedCopy(given.gitDirectory, work)) : given
    const refs = values.refs.split(",").filter((ref) => ref !== "")
    const reachable = await reachableFrom(gitDirectory, refs)
    console.log(`${count(reachable.size)} objects can be reached from ${refs.join(", ")}.`)
    for (const packPath of packs) {
      const pack = await listPack(gitDirectory, packPath, work)
      const out = join(work, `${basename(packPath, ".pack")}.sparse`)
      const figures = collect(packPath, pack, reachable, out)
      show(await Effect.runPromise(Effect.scoped(figures).pipe(Effect.provide(IoNode.layer))))
      console.log(`  second view ${verifyByCommand(out, packPath)}`)
    }
    console.log(
      `Peak memory of this script: ${count(Math.round(process.resourceUsage().maxRSS / 1024))} MiB.`
    )
    if (values.work !== undefined) console.log(`Live lists and sparse files are in ${work}.`)
  } finally {
    if (values.work === undefined) fs.rmSync(work, { recursive: true, force: true })
  }
}

main().catch((error) => {
  console.error(`git-pack: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
})
