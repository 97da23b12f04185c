/**
 * Stores of which a file is missing, or another one is in its place: another store's, its own from earlier, or that of
 * another chunk or generation.
 */
import type { DamageVerdict } from "../src/testing/exploreDamage.ts"
import { control, isActive, type StoreImage } from "./damageStoreImage.ts"
import { look, type Look, Tried } from "./damageStoreLook.ts"
import { isSame } from "./damageWorld.ts"
import type { PartFailure, PartReport } from "./part.ts"

/** A file that is gone, or another in its place. */
interface Replacement {
  readonly at: string
  readonly look: Look
}

function* replacements(image: StoreImage, other: StoreImage): Generator<Replacement> {
  const both = { readers: true, writers: true, isChecked: true }
  for (const [name, bytes] of image.files) {
    // A lock holds nothing.
    if (name === "store.lock") continue
    const strict = { ...both, name, states: [], mustTell: true, mustRefuse: false }
    yield { at: `missing/${name}`, look: { ...strict, bytes: undefined, mustRefuse: true } }
    const sources = [
      ["foreign", other.files],
      ["earlier", image.earlier],
      ["former", image.former]
    ] as const
    for (const [kind, files] of sources) {
      const instead = files.get(name)
      // The bytes of the active chunk are under no checksum.
      if (instead === undefined || isSame(instead, bytes) || (isActive(image, name) && kind === "foreign"))
        continue
      // An older control is a state that was committed: of its own generation, all files of it are there.
      const states = name === control && kind === "earlier" ? image.states : []
      const mustTell = name !== control || kind === "former"
      yield { at: `${kind}/${name}`, look: { ...strict, bytes: instead, states, mustTell } }
    }
    if (isActive(image, name)) continue
    for (const [wrongName, wrong] of image.files) {
      if (wrongName === name || wrong.length === 0) continue
      yield { at: `other:${wrongName}/${name}`, look: { ...strict, bytes: wrong } }
    }
    for (const [wrongName, wrong] of image.former) {
      if (!wrongName.includes("prefix") || !name.includes("prefix")) continue
      if (wrongName.endsWith(".map") !== name.endsWith(".map")) continue
      yield { at: `generation:${wrongName}/${name}`, look: { ...strict, bytes: wrong } }
    }
  }
}

/** Tries all of them, or the one at an address. */
export const replacedFiles = (image: StoreImage, other: StoreImage, at: string | undefined): PartReport => {
  const tried = new Tried(image)
  const counts = { detected: 0, harmless: 0, "replaced files": 0 }
  const failures: Array<PartFailure> = []
  for (const { at: address, look: order } of replacements(image, other)) {
    if (at !== undefined && at !== `replaced/${address}`) continue
    const { bytes, name } = order
    if (bytes === undefined) tried.remove(name)
    else tried.put(name, bytes)
    let verdict: DamageVerdict
    try {
      verdict = look(tried, image, order)
    } catch (error) {
      verdict = { wrong: `it failed with ${String(error)}` }
    }
    tried.restore(name)
    counts["replaced files"]++
    if (verdict === "detected") counts.detected++
    else if (verdict === "harmless") counts.harmless++
    else failures.push({ at: `replaced/${address}`, story: `${address}: ${verdict.wrong}` })
  }
  return { counts, failures }
}
