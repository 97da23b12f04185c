/**
 * Reading 128 bytes at random virtual offsets of a sparse file, warm and mapped: `unsafe.read`,
 * lookup and checks included, against C's pread at the physical offsets, which C is simply told.
 */
import * as Effect from "effect/Effect"
import fs from "node:fs"
import path from "node:path"
import { Io } from "../../src/io/Io.ts"
import { SparseFile } from "../../src/file/SparseFile.ts"
import type { SparseFileReader } from "../../src/file/SparseFileReader.ts"
import { expect, expectSame } from "../expect.ts"
import { loadNative } from "../native.ts"
import { makeRandom } from "../random.ts"
import { compare, nanosEach } from "../rounds.ts"
import type { Side } from "../rounds.ts"
import type { Settings } from "../settings.ts"
import { writeSource } from "./source.ts"
import type { Source } from "./source.ts"

const readBytes = 128
const checkedReads = 20_000

type Reader = SparseFileReader["Service"]

const readEach = (reader: Reader, offsets: Float64Array, buffer: Uint8Array): void => {
  for (let i = 0; i < offsets.length; i++) reader.unsafe.read(offsets[i], buffer)
}

/** Random offsets from which 128 bytes are live. */
const readableOffsets = (source: Source, count: number, seed: number): Float64Array => {
  const random = makeRandom(seed)
  const offsets = new Float64Array(count)
  for (let i = 0; i < count;) {
    const { length, offset } = source.live[random.below(source.live.length)]
    if (length >= readBytes) offsets[i++] = offset + random.below(length - readBytes + 1)
  }
  return offsets
}

export const readCase = Effect.fnUntraced(function* (settings: Settings) {
  const count = settings.quick ? 100_000 : 1_000_000
  const source = writeSource(settings)
  const target = path.join(settings.directory, "sparse")
  const io = yield* Io
  const from = yield* io.open(source.path, { readonly: true })
  const writer = yield* SparseFile.create(target)
  yield* writer.appendExtents(from, source.live)
  yield* writer.close
  fs.rmSync(source.path)
  const reader = yield* SparseFile.open(target)
  const buffer = new Uint8Array(readBytes)
  const native = loadNative()
  const fd = fs.openSync(target, "r")

  let drawn: { round: number; virtuals: Float64Array; physicals: Float64Array } | undefined
  const offsetsIn = (round: number) => {
    if (drawn?.round !== round) {
      const virtuals = readableOffsets(source, count, 500 + round)
      drawn = { round, virtuals, physicals: virtuals.map((virtual) => reader.offmap.translate(virtual)) }
    }
    return drawn
  }
  const sides: Array<Side> = [
    {
      name: "unsafe.read",
      goal: { most: 1, of: "ratio", to: "C" },
      run: (round) => {
        const { virtuals } = offsetsIn(round)
        return nanosEach(count, () => readEach(reader, virtuals, buffer))
      }
    }
  ]
  if (typeof native !== "string") {
    sides.push({
      name: "C",
      note: "pread at the physical offset",
      run: (round) => {
        const { physicals } = offsetsIn(round)
        return nanosEach(count, () =>
          expect("C read", native.readEach(fd, physicals, count, buffer, 0) === 0)
        )
      }
    })
    const { physicals, virtuals } = offsetsIn(0)
    const found = new Uint8Array(checkedReads * readBytes)
    const wanted = new Uint8Array(checkedReads * readBytes)
    for (let i = 0; i < checkedReads; i++) {
      reader.unsafe.read(virtuals[i], found.subarray(i * readBytes, (i + 1) * readBytes))
    }
    native.readEach(fd, physicals, checkedReads, wanted, readBytes)
    expectSame("what was read", found, wanted)
  }
  const rows = yield* Effect.promise(() =>
    compare({
      case: "read",
      variant: `${readBytes} bytes at random, ${source.live.length} extents`,
      unit: "ns",
      rounds: settings.rounds,
      sides
    })
  )
  fs.closeSync(fd)
  return rows
})
