/**
 * Collections of a store whose data is damaged: what they copy is verified first, so that damage ends them, and never
 * gets a new checksum.
 */
import * as Effect from "effect/Effect"
import { Store } from "../src/store/Store.ts"
import type { DamageVerdict } from "../src/testing/exploreDamage.ts"
import type { DamageCase } from "./damageCases.ts"
import { directory, isActive, type StoreImage } from "./damageStoreImage.ts"
import { Tried } from "./damageStoreLook.ts"

/** Keeps everything. It succeeds only where nothing that it has copied was damaged. */
const collect = (tried: Tried): Promise<DamageVerdict> =>
  tried.world.runLater(
    Effect.gen(function* () {
      const store = yield* Store.open({ directory })
      const live = [...store.extents()]
      yield* store.collect({ live, upTo: store.committedEnd() })
      return { wrong: "a collection has copied it" }
    })
  )

/** The prefix and the sealed chunks, a part of their bits. */
export function* collectingCases(image: StoreImage, effort: number): Generator<DamageCase> {
  for (const [name, bytes] of image.files) {
    if (!/\.(suffix|prefix)$/.test(name) || isActive(image, name)) continue
    yield {
      name: `collecting ${name}`,
      path: `${directory}/${name}`,
      bytes,
      kinds: ["flip", "zero"],
      ranges: [{ from: 0, to: bytes.length, every: effort < 50 ? 211 : 1 }],
      limitBytes: 1 << 25,
      judge: (damaged) => {
        // What a collection leaves is of no use to the next one.
        const tried = new Tried(image)
        tried.put(name, damaged)
        return collect(tried)
      }
    }
  }
}
