/**
 * An offmap held against its model: every question, at every offset that is worth asking for.
 */
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import type { Binding } from "../src/bytes/extent.ts"
import { Offmap, type OffmapService } from "../src/file/Offmap.ts"
import { Io } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"
import type { OffmapModel } from "../src/testing/models/offmap.ts"

export const buildAll = (bindings: Iterable<Binding>): OffmapService => {
  const builder = Offmap.builder()
  for (const { length, physical, virtual } of bindings) builder.add(virtual, physical, length)
  return builder.build()
}

/** The image of a map, from a file in memory. */
export const imageOf = (map: OffmapService): Promise<Uint8Array> =>
  Effect.gen(function* () {
    const file = yield* (yield* Io).create("/image", { overwrite: true })
    const bytes = new Uint8Array(yield* Offmap.write(map, file, 0))
    assert.strictEqual(yield* file.size, bytes.length, "the size that was told")
    yield* file.readAt(0, bytes)
    return bytes
  }).pipe(Effect.scoped, Effect.provide(IoMemory.layer), Effect.runPromise)

/** `deepStrictEqual` of bindings, a hundred times as fast where they are equal. */
export const expectBindings = (
  got: ReadonlyArray<Binding>,
  wanted: ReadonlyArray<Binding>,
  what: string
): void => {
  const isSame = (one: Binding, i: number): boolean =>
    one.virtual === wanted[i].virtual &&
    one.physical === wanted[i].physical &&
    one.length === wanted[i].length
  if (got.length !== wanted.length || !got.every(isSame)) assert.deepStrictEqual(got, wanted, what)
}

/** Asks the map and the model everything there is to ask. */
export const compare = (map: OffmapService, model: OffmapModel, asked: Float64Array): void => {
  assert.strictEqual(map.size, model.size, "size")
  expectBindings([...map.entries()], [...model.entries()], "entries")
  const expected = Float64Array.from(asked, (offset) => model.translate(offset))
  for (const [i, offset] of asked.entries()) {
    const is = (got: number | undefined, wanted: number | undefined, what: string) => {
      if (got !== wanted) assert.fail(`${what}(${offset}) is ${got}, not ${wanted}`)
    }
    is(map.translate(offset), expected[i], "translate")
    is(map.find(offset), model.find(offset), "find")
    is(map.next(offset), model.next(offset), "next")
    const got = map.locate(offset)
    const wanted = model.locate(offset)
    is(got?.virtual, wanted?.virtual, "the virtual offset of locate")
    is(got?.physical, wanted?.physical, "the physical offset of locate")
    is(got?.length, wanted?.length, "the length of locate")
  }
  for (const length of [0, 1, 2, 63, 64, 65, 128, asked.length]) {
    if (length > asked.length) continue
    const from = Math.floor((asked.length - length) / 2)
    const out = new Float64Array(length + 3).fill(-7)
    map.translateMany(asked.subarray(from, from + length), out)
    assert.deepStrictEqual([...out.subarray(0, length)], [...expected.subarray(from, from + length)])
    assert.deepStrictEqual([...out.subarray(length)], [-7, -7, -7], "what lies behind the results")
  }
  const inPlace = asked.slice()
  map.translateMany(inPlace, inPlace)
  assert.deepStrictEqual([...inPlace], [...expected], "translateMany in place")
}
