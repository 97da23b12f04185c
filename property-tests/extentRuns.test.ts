/**
 * The law of uniting: it keeps the set of bytes that was given, as disjoint extents in order.
 */
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { extentRuns } from "../src/bytes/extentRuns.ts"
import { runProperty } from "./runs.ts"

/** The bytes that any of `extents` covers, as a set. */
const bytesOf = (extents: Iterable<readonly [number, number]>): Set<number> => {
  const bytes = new Set<number>()
  for (const [offset, length] of extents) for (let at = offset; at < offset + length; at++) bytes.add(at)
  return bytes
}

const someExtents = fc.array(fc.tuple(fc.nat({ max: 100 }), fc.integer({ min: 1, max: 20 })), {
  maxLength: 30
})

it("uniting keeps exactly the bytes that were given, each once, ascending, and counts what it dropped", async () => {
  await runProperty(
    fc.property(someExtents, (extents) => {
      const runs = extentRuns()
      for (const [offset, length] of extents) runs.add(offset, length)
      const united = runs.unite()
      const list = Array.from(united, ({ length, offset }) => [offset, length] as const)
      const bytes = bytesOf(extents)
      expect(bytesOf(list)).toEqual(bytes)
      expect(united.bytes).toBe(bytes.size)
      expect(list.reduce((sum, [, length]) => sum + length, 0)).toBe(bytes.size)
      for (let i = 1; i < list.length; i++) {
        expect(list[i][0]).toBeGreaterThanOrEqual(list[i - 1][0] + list[i - 1][1])
      }
      expect(united.duplicates).toBe(extents.length - new Set(extents.map(String)).size)
      expect(united.count).toBe(list.length)
      expect(united.count + united.duplicates + united.overlaps).toBe(extents.length)
    }),
    { runs: 10_000 }
  )
})
