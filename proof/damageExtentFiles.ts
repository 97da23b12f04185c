/** Extent files to be damaged: an object of which pieces were kept, in all kinds of entries, and how it ended. */
import * as Effect from "effect/Effect"
import type { Extent } from "../src/bytes/extent.ts"
import { ExtentFile } from "../src/file/ExtentFile.ts"
import { DamageWorld } from "./damageWorld.ts"

export const path = "/object"
export const recordPath = "/object.extents"
export const objectBytes = 40_000
const object = Uint8Array.from({ length: objectBytes }, (_, i) => 1 + ((i * 13 + (i >> 7)) % 255))
export const pieceOf = (offset: number, length: number): Uint8Array =>
  object.subarray(offset, offset + length)

export interface ExtentFiles {
  readonly name: string
  readonly data: Uint8Array
  readonly record: Uint8Array
  /** The record as it was some changes before. */
  readonly stale: Uint8Array
  /** What was flushed, and not touched since. */
  readonly kept: ReadonlyArray<Extent>
}

/** A history of so many rounds, with all kinds of entries, that ends in one of these ways. */
export const makeFiles = (
  name: string,
  end: "closed" | "flushed" | "killed",
  rounds: number
): ExtentFiles => {
  const world = new DamageWorld()
  let stale = new Uint8Array(0)
  let kept: ReadonlyArray<Extent> = []
  const images = (): { data: Uint8Array; record: Uint8Array } => ({
    data: world.get(path)!,
    record: world.get(recordPath)!
  })
  const live = world.run(
    Effect.gen(function* () {
      const file = yield* ExtentFile.open(path)
      yield* file.pin({ identity: "v1", length: objectBytes }, "the object")
      for (let round = 0; round < rounds; round++) {
        const at = round * 2000
        yield* file.createExtent(at, pieceOf(at, 900))
        yield* file.createExtent(at + 1200, pieceOf(at + 1200, 300))
        yield* file.createExtent(at + 1600, pieceOf(at + 1600, 7))
        yield* file.flush
        stale = images().record.slice()
        yield* file.createExtent(at + 500, pieceOf(at + 500, 600))
        yield* file.deleteExtent(at + 1200)
        yield* file.flush
      }
      kept = file.extents().map((extent) => ({ ...extent }))
      yield* file.createExtent(rounds * 2000, pieceOf(rounds * 2000, 100))
      yield* file.createExtent(rounds * 2000 + 60, pieceOf(rounds * 2000 + 60, 100))
      if (end === "killed") return images()
      yield* file.flush
      kept = file.extents().map((extent) => ({ ...extent }))
      return end === "flushed" ? images() : undefined
    })
  )
  return { name, stale, kept, ...(live ?? images()) }
}
