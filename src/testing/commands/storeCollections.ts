/**
 * Collections of a store, as its model stands: legal ones, and such as must be refused.
 */
import type { Extent } from "../../bytes/extent.ts"
import { LawBroken } from "../law.ts"
import type { StoreModel } from "../models/store.ts"
import type { StoreCollectChoice, StoreCollectFault } from "./storeSteps.ts"

/** What a collection is given. */
export interface StoreCollection {
  readonly live: ReadonlyArray<Extent>
  readonly upTo: number
}

/** Extents that touch as one; demands that none is empty and that they ascend. */
export const united = (extents: Iterable<Extent>): Array<Extent> => {
  const runs: Array<Extent> = []
  let end = 0
  for (const { length, offset } of extents) {
    if (!(length > 0)) throw new LawBroken("an extent is empty")
    if (!(offset >= end)) throw new LawBroken("extents don't ascend")
    const last = runs[runs.length - 1]
    if (last !== undefined && end === offset) {
      runs[runs.length - 1] = { offset: last.offset, length: last.length + length }
    } else {
      runs.push({ offset, length })
    }
    end = offset + length
  }
  return runs
}

/** Of all readable bytes the one at so many thousandths, and the run it lies in. */
const placeIn = (runs: ReadonlyArray<Extent>, thousandths: number) => {
  const total = runs.reduce((sum, { length }) => sum + length, 0)
  let left = Math.min(total - 1, Math.floor((total * thousandths) / 1000))
  for (const run of runs) {
    if (left < run.length) return { offset: run.offset + left, end: run.offset + run.length }
    left -= run.length
  }
  return undefined
}

/** A legal collection: bytes that can all be read, some of them perhaps at or beyond `upTo`. */
export const collectionOf = (model: StoreModel, choice: StoreCollectChoice): StoreCollection => {
  const { committedEnd, suffixStart } = model
  const runs = model.extents()
  const live = choice.live.flatMap(({ at, length }) => {
    const place = runs.length === 0 ? undefined : placeIn(runs, at)
    if (place === undefined) return []
    return [{ offset: place.offset, length: Math.min(length, place.end - place.offset) }]
  })
  return { live, upTo: suffixStart + Math.floor(((committedEnd - suffixStart) * choice.upTo) / 1000) }
}

/** An illegal collection; undefined where the store isn't one in which this can go wrong. */
export const illegalCollection = (
  model: StoreModel,
  fault: StoreCollectFault,
  thousandths: number
): StoreCollection | undefined => {
  const { committed, committedEnd, suffixStart } = model
  const live = committed.extents()
  switch (fault) {
    case "beyond":
      return { live, upTo: committedEnd + 1 + Math.floor(thousandths / 10) }
    case "backwards":
      return suffixStart === 0
        ? undefined
        : { live, upTo: Math.floor(((suffixStart - 1) * thousandths) / 1000) }
    case "not an offset":
      return { live, upTo: [-1, 0.5, 2 ** 53][thousandths % 3] }
    case "no extent": {
      const wrong = [
        { offset: -1, length: 1 },
        { offset: 0, length: -1 },
        { offset: 0.5, length: 1 },
        { offset: 2 ** 53 - 1, length: 1 }
      ]
      return { live: [...live, wrong[thousandths % wrong.length]], upTo: committedEnd }
    }
    case "dead": {
      const dead = committed.bytes.flatMap((byte, offset) => (byte < 0 ? [offset] : []))
      const offset = dead[Math.floor(((dead.length - 1) * thousandths) / 1000)]
      return offset === undefined ? undefined : { live: [{ offset, length: 1 }], upTo: committedEnd }
    }
    case "short": {
      const ends = live.map(({ length, offset }) => offset + length).filter((end) => end < committedEnd)
      const end = ends[Math.floor(((ends.length - 1) * thousandths) / 1000)]
      return end === undefined ? undefined : { live: [{ offset: end - 1, length: 2 }], upTo: committedEnd }
    }
  }
}
