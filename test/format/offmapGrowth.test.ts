/** How the buffer of an offmap in the making grows, and what happens at its limit, which is small here. */
import { assert, describe, it, vi } from "vitest"
import { MemoryLimit } from "../../src/bytes/errors.ts"
import { Offmap, type OffmapService } from "../../src/file/Offmap.ts"
import type * as Image from "../../src/format/offmapImage.ts"
import { grownBytes } from "../../src/format/offmapWriter.ts"
import { imageOf } from "../file/offmapImages.ts"

const limit = 100_000
const realLimit = 2 ** 31 - 2 ** 16
let current = limit
vi.mock("../../src/format/offmapImage.ts", async (original) => ({
  ...(await original<typeof Image>()),
  get maxImageBytes() {
    return current
  }
}))

const limitMet = (work: () => unknown): MemoryLimit => {
  try {
    work()
  } catch (error) {
    assert.instanceOf(error, MemoryLimit)
    assert.strictEqual(error.limit, limit)
    assert.isAtLeast(error.wanted, limit)
    return error
  }
  return assert.fail("there was room")
}

/** Adds bindings until one finds no room, and gives how many there are. */
const fill = (add: (i: number) => void): number => {
  for (let i = 0; ; i++) {
    try {
      add(i)
    } catch (error) {
      assert.instanceOf(error, MemoryLimit)
      return i
    }
    assert.isBelow(i, limit, "nothing stops it")
  }
}

/** Checks that the map has the bindings 0 to `count - 1`, and no more. */
const checkAll = (map: OffmapService, count: number, at: (i: number) => number): void => {
  assert.strictEqual(map.size, count)
  for (let i = 0; i < count; i++) assert.strictEqual(map.translate(at(i)), 5 * i)
}

describe("the buffer of an offmap in the making", () => {
  it("grows sixteenfold up to 256 MiB, and twofold from there to the limit", () => {
    current = realLimit
    try {
      const [KiB, MiB] = [2 ** 10, 2 ** 20]
      assert.strictEqual(grownBytes(64 * KiB, 64 * KiB + 1), MiB)
      assert.strictEqual(grownBytes(64 * KiB, 16 * MiB), 16 * MiB)
      assert.strictEqual(grownBytes(16 * MiB, 16 * MiB + 1), 256 * MiB)
      assert.strictEqual(grownBytes(256 * MiB, 256 * MiB + 1), 512 * MiB)
      assert.strictEqual(grownBytes(512 * MiB, 1024 * MiB + 1), realLimit)
      assert.strictEqual(grownBytes(1024 * MiB, realLimit), realLimit)
      assert.throws(() => grownBytes(1024 * MiB, realLimit + 1), MemoryLimit)
    } finally {
      current = limit
    }
  })

  it.each<[string, (i: number) => number, number]>([
    ["dense cells", (i) => i * 10, 5],
    ["bindings that wait for a cell", (i) => i * 2 ** 33, 2 ** 32]
  ])("that is full of %s refuses one more, and keeps what it has", (_, at, length) => {
    const builder = Offmap.builder()
    const add = (i: number) => builder.add(at(i), length * i, length)
    const count = fill(add)
    assert.isAbove(count, 1_000)
    assert.strictEqual(builder.size, count)
    // A dense cell, or eight that wait, has room for some more.
    limitMet(() => add(count))
    assert.strictEqual(builder.size, count)
    // The index finds no room either; what was added stays, and so does the answer.
    limitMet(() => builder.build())
    limitMet(() => builder.build())
    assert.strictEqual(builder.size, count)
    limitMet(() => add(count))
  })

  it.each([1_000, 1_003])(
    "with %i bindings makes an image exactly where that is below the limit",
    (count) => {
      const at = (i: number) => i * 100 + (i % 7) * (i % 11)
      const make = () => {
        const builder = Offmap.builder()
        for (let i = 0; i < count; i++) builder.add(at(i), 5 * i, 5)
        return builder
      }
      const { length } = imageOf(make().build())
      try {
        for (const above of [-200, -72, -64, -56, -8, -1, 0, 1, 8]) {
          const builder = make()
          current = length + above
          if (above > 0) checkAll(builder.build(), count, at)
          else {
            assert.throws(() => builder.build(), MemoryLimit)
            assert.throws(() => builder.build(), MemoryLimit)
          }
          current = realLimit
          // Nothing was lost, and more can be added.
          builder.add(at(count), 5 * count, 5)
          checkAll(builder.build(), count + 1, at)
        }
      } finally {
        current = limit
      }
    }
  )
})
