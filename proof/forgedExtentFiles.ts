/** Extent files whose data is not what the record, whole as it is, makes of it. */
import * as Effect from "effect/Effect"
import { crc32 } from "../src/bytes/crc32.ts"
import { ExtentFile } from "../src/file/ExtentFile.ts"
import { extentEntryKind as kind } from "../src/format/extentRecord.ts"
import { DamageWorld } from "./damageWorld.ts"
import { entry, recordOf } from "./forgedExtents.ts"
import { type Forgery, forgedPath as path } from "./forgery.ts"

const recordPath = `${path}.extents`
const data = Uint8Array.from({ length: 200 }, (_, i) => 1 + (i % 250))
const damaged = data.map((byte, i) => (i === 10 ? byte ^ 1 : byte))

const worldOf = (bytes: Uint8Array, record: Uint8Array | undefined): DamageWorld => {
  const world = new DamageWorld()
  world.put(path, bytes)
  if (record !== undefined) world.put(recordPath, record)
  return world
}

const mark = (tidy: number): Uint8Array => entry(kind.mark, tidy, 0, 0)
const created = entry(kind.create, crc32(data.subarray(0, 100)), 0, 100)

/** What is read of the extents that are found, and what lies in the data where none of them is. */
const look = (world: DamageWorld): string =>
  world.run(
    Effect.gen(function* () {
      const file = yield* ExtentFile.open(path)
      const found: Array<string> = []
      let end = 0
      for (const { length, offset } of file.extents()) {
        const bytes = yield* file.readExtent(offset)
        found.push(`${offset}+${length}: ${bytes.length} of ${crc32(bytes)}`)
        end = Math.max(end, offset + length)
      }
      const rest = world.get(path)!.subarray(end)
      return `${found.join(", ")}; ${rest.every((byte) => byte === 0) ? "zeros" : "bytes of nobody"}`
    })
  )

const expect = (name: string, right: string, make: () => DamageWorld): Forgery => ({
  name: `extent files: ${name}`,
  read: () => look(make()),
  expected: (given) => given === right
})

const whole = `0+100: 100 of ${crc32(data.subarray(0, 100))}`
const half = `0+50: 50 of ${crc32(data.subarray(0, 50))}`

/** A piece of which an extent holds a part, and no mark behind. */
const cut = recordOf({
  frames: [{ entries: [created] }, { entries: [mark(0)] }, { entries: [entry(kind.extent, 0, 0, 50)] }]
})

const fresh = recordOf({ frames: [{ entries: [created] }] })
const closed = recordOf({ frames: [{ entries: [created] }, { entries: [mark(1)] }] })
const held = data.map((byte, i) => (i < 100 ? byte : 0))

export const extentFileForgeries = (): ReadonlyArray<Forgery> => [
  {
    name: "extent files: data without a record",
    read: () => look(worldOf(data, undefined)),
    expected: { tag: "Incomplete", path }
  },
  {
    name: "extent files: a directory for a record",
    read: () => {
      const world = worldOf(data, undefined)
      world.run(world.io.makeDirectory(recordPath))
      return look(world)
    },
    expected: { tag: "NotAFile", path: recordPath }
  },
  expect("a piece that nobody has marked", `${whole}; zeros`, () => worldOf(data, fresh)),
  expect("a piece that nobody has marked, and that is wrong", "; zeros", () => worldOf(damaged, fresh)),
  expect("a piece that is cut", `${half}; zeros`, () => worldOf(data, cut)),
  expect("a piece that is cut, and that is wrong", "; zeros", () => worldOf(damaged, cut)),
  expect("a tidy record", `${whole}; zeros`, () => worldOf(held, closed)),
  // The frame behind the mark may have been the first of a change.
  expect("a tidy record, and a torn frame behind it", `${whole}; zeros`, () => {
    const longer = new Uint8Array(closed.length + 40).fill(0x55)
    longer.set(closed)
    return worldOf(data, longer)
  }),
  expect("a piece behind the end of the data", "; zeros", () => worldOf(data.subarray(0, 99), closed))
]
