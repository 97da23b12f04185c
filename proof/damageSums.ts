/**
 * Damage to block sums and to what they are for: the section by itself, and sparse files, map and data, as they are
 * opened, read with and without verification, and verified.
 *
 * The laws: `verify` finds any change of the map or of the data; what is opened with `verifyReads` gives what was
 * kept, or `Corrupt`; what is opened without it may give changed data, as documented, but finds every change of the
 * map, and never a wrong place.
 */
import * as Effect from "effect/Effect"
import type { Extent } from "../src/bytes/extent.ts"
import { checkedSums } from "../src/file/blockSumsReading.ts"
import { SparseFile } from "../src/file/SparseFile.ts"
import type { SparseFileReaderService } from "../src/file/SparseFileReader.ts"
import {
  blockCount,
  blockSumsBlockBytes,
  blockSumsHeaderBytes,
  decodeBlockSumsHeader,
  encodeBlockSums
} from "../src/format/blockSums.ts"
import { crc32 } from "../src/bytes/crc32.ts"
import { type Damage, damageKinds } from "../src/testing/damage.ts"
import type { DamageVerdict } from "../src/testing/exploreDamage.ts"
import { type DamageCase, runDamageCases } from "./damageCases.ts"
import { DamageWorld, isSame } from "./damageWorld.ts"
import type { PartOptions } from "./part.ts"

const noise = (length: number, seed: number): Uint8Array => {
  let state = seed
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 16
  })
}

/** The section by itself, behind `offset` bytes of something else. */
function* sections({ effort }: PartOptions): Generator<DamageCase> {
  for (const dataLength of [
    0,
    1,
    blockSumsBlockBytes,
    9 * blockSumsBlockBytes + 5,
    700 * blockSumsBlockBytes
  ]) {
    const sums = Uint32Array.from({ length: blockCount(dataLength) }, (_, i) => crc32(Uint8Array.of(i)))
    const bytes = encodeBlockSums(dataLength, sums)
    yield {
      name: `section of ${dataLength}`,
      path: "/sums",
      bytes,
      // A sector is not all of it: nobody could tell an older section that is whole.
      stale:
        bytes.length > 512
          ? encodeBlockSums(
              dataLength,
              sums.map((sum) => sum ^ 1)
            )
          : undefined,
      cutEvery: effort < 50 && bytes.length > 1000 ? 7 : 1,
      judge: (damaged) => {
        const place = { path: "/sums", offset: 0, fileSize: damaged.length }
        const header = decodeBlockSumsHeader(damaged.subarray(0, blockSumsHeaderBytes), place)
        checkedSums(damaged.slice(blockSumsHeaderBytes), header, place)
        return { wrong: "a changed section was believed" }
      }
    }
  }
}

interface SparseFiles {
  readonly extents: ReadonlyArray<Extent>
  readonly source: Uint8Array
  readonly data: Uint8Array
  readonly map: Uint8Array
}

const path = "/sparse"

const makeFiles = (extents: ReadonlyArray<Extent>, source: Uint8Array): SparseFiles => {
  const world = new DamageWorld()
  world.put("/source", source)
  world.run(
    Effect.gen(function* () {
      const file = yield* world.io.open("/source", { readonly: true })
      const writer = yield* SparseFile.create(path, { maxGap: 0 })
      yield* writer.appendExtents(file, extents)
      yield* writer.close
    })
  )
  return { extents, source, data: world.get(path)!, map: world.get(`${path}.map`)! }
}

const isCorrupt = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "Corrupt"

/** Every extent, read: what differs from the source in a way that is not allowed; or whether something was refused. */
const readAll = (
  { extents, source }: SparseFiles,
  reader: SparseFileReaderService,
  mayDiffer: boolean
): DamageVerdict => {
  const buffers = extents.map(({ length }) => new Uint8Array(length))
  let refusals = 0
  for (const [i, { length, offset }] of extents.entries()) {
    try {
      reader.unsafe.read(offset, buffers[i])
    } catch (error) {
      if (!isCorrupt(error)) throw error
      if (++refusals > 2) break
      continue
    }
    if (mayDiffer || isSame(buffers[i], source.subarray(offset, offset + length))) continue
    return { wrong: `the ${length} bytes at ${offset} are wrong` }
  }
  return refusals > 0 ? "detected" : "harmless"
}

/** How a pair of files is looked at. */
type Look = "verify" | "verifyReads" | "reads" | "remote"

/** A file that is read by ranges, and waited for. */
export const remoteOf = (world: DamageWorld, name: string) => {
  const bytes = world.get(name)!
  return {
    name,
    length: Effect.succeed(bytes.length),
    readAt: (offset: number, buffer: Uint8Array) =>
      Effect.sync(() => {
        const part = bytes.subarray(offset, offset + buffer.length)
        buffer.set(part)
        return part.length
      })
  }
}

/** From far away, with verification: the first thing that is wrong, or refused. */
const lookFromAfar = (world: DamageWorld, { extents, source }: SparseFiles) =>
  Effect.gen(function* () {
    const [data, map] = [remoteOf(world, path), remoteOf(world, `${path}.map`)]
    const reader = yield* SparseFile.openRemote(data, map, { verifyReads: true })
    for (const { length, offset } of extents) {
      const buffer = new Uint8Array(length)
      yield* reader.read(offset, buffer)
      if (!isSame(buffer, source.subarray(offset, offset + length))) {
        return { wrong: `the ${length} bytes at ${offset} are wrong from afar` }
      }
    }
    return "harmless" as const
  })

const lookAt = (world: DamageWorld, files: SparseFiles, look: Look, isData: boolean): DamageVerdict =>
  world.run(
    Effect.gen(function* () {
      if (look === "verify") {
        yield* SparseFile.verify(path)
        return "harmless" as const
      }
      if (look === "remote") return yield* lookFromAfar(world, files)
      const reader = yield* SparseFile.open(path, { verifyReads: look === "verifyReads" })
      return readAll(files, reader, isData && look === "reads")
    })
  )

const sparseJudge = (
  world: DamageWorld,
  files: SparseFiles,
  which: "data" | "map",
  { effort, looks }: { readonly effort: number; readonly looks: ReadonlyArray<Look> }
) => {
  const target = which === "data" ? path : `${path}.map`
  return (bytes: Uint8Array, damage: Damage): DamageVerdict => {
    world.put(path, files.data)
    world.put(`${path}.map`, files.map)
    world.put(target, bytes)
    // What a reader gives is judged before it is known what `verify` finds. For one bit, they take turns.
    const turn =
      damage.kind === "flip" && effort < 5 ? [looks[(damage.byte + damage.bit) % looks.length]] : looks
    for (const look of turn) {
      try {
        const verdict = lookAt(world, files, look, which === "data")
        if (typeof verdict === "object") return verdict
        // All of a map is looked at on the way, and of the data its length. A map of one sector that is an older one
        // is whole: the sums of the data tell.
        const isLength = damage.kind === "cut" || damage.kind === "grow"
        const isSeen = isLength || (which === "map" && damage.kind !== "stale")
        if (isSeen && verdict === "harmless") return { wrong: `the change was passed over (${look})` }
      } catch (error) {
        if (!isCorrupt(error)) throw error
        // A file that was refused by one who looks less closely is refused by all.
        if (look === "reads") break
      }
    }
    lookAt(world, files, "verify", which === "data")
    return { wrong: `the change (${damage.kind}) of the ${which} was not found by verify` }
  }
}

const near = ["reads", "verifyReads"] as const

function* pairs({ effort }: PartOptions): Generator<DamageCase> {
  const small = Array.from({ length: 24 }, (_, i) => ({ offset: 10 + i * 90 + (i % 5), length: 30 + i }))
  const large = Array.from({ length: 3 }, (_, i) => ({ offset: i * 70_000 + 7, length: 60_000 }))
  const sets = [
    { name: "small", extents: small, size: 3000 },
    { name: "large", extents: large, size: 250_000 }
  ]
  for (const { extents, name, size } of sets) {
    const files = makeFiles(extents, noise(size, 1))
    const before = makeFiles(extents, noise(size, 2))
    for (const mapping of [true, false]) {
      const world = new DamageWorld({ mapping })
      const how = mapping ? "mapped" : "read"
      for (const which of ["map", "data"] as const) {
        const isSampled = (which === "data" || name === "large" || !mapping) && effort < 50
        const bits = which === "data" ? Math.round((files.data.length * 8) / 400) : 9
        // A large file takes a millisecond, and blocks that are read are the blocks that are mapped.
        const isFlipped = isSampled && name === "large" && !mapping
        yield {
          name: `${which} ${name} ${how}`,
          path: [path, `${path}.map`],
          bytes: files[which],
          stale: before[which],
          ranges: [{ from: 0, to: files[which].length, every: isSampled ? bits | 1 : 1 }],
          kinds: isFlipped ? ["flip", "cut"] : damageKinds,
          partners: isSampled && which === "data" ? 1 : 12,
          cutEvery: isSampled ? (which === "data" ? bits | 1 : 7) : 1,
          limitBytes: (1 << 21) + 16 * files.data.length,
          // Nothing is mapped from far away: there the same is tried.
          judge: sparseJudge(world, files, which, { effort, looks: mapping ? near : [...near, "remote"] })
        }
      }
    }
  }
}

function* cases(options: PartOptions): Generator<DamageCase> {
  yield* sections(options)
  yield* pairs(options)
}

export const part = { run: (options: PartOptions) => runDamageCases(cases(options), options) }
