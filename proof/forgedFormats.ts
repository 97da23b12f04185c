/**
 * Forged files of every format: each breaks one rule of FORMAT.md, and its checksums hold.
 *
 * The law: `Corrupt` where the rule is broken, or, where the format says so, as if it weren't there. Nothing is
 * believed, nothing goes on for ever, and nobody's number makes memory be asked for.
 */
import { makeStore, type StoreImage } from "./damageStoreImage.ts"
import { guard, installMeter } from "./damageHooks.ts"
import { answerForgeries } from "./forgedAnswers.ts"
import { extentFileForgeries } from "./forgedExtentFiles.ts"
import { extentForgeries } from "./forgedExtents.ts"
import { fileForgeries } from "./forgedFiles.ts"
import { indexForgeries } from "./forgedOffmapIndexes.ts"
import { offmapForgeries } from "./forgedOffmaps.ts"
import { sectionForgeries } from "./forgedSections.ts"
import { storeForgeries } from "./forgedStores.ts"
import { type Forgery, type Met, storyOf } from "./forgery.ts"
import type { PartFailure, PartOptions, PartReport } from "./part.ts"

const limitMillis = 2000
const limitBytes = 1 << 23

const forgeries = (image: StoreImage): ReadonlyArray<Forgery> => [
  ...sectionForgeries(),
  ...extentForgeries(),
  ...extentFileForgeries(),
  ...offmapForgeries(),
  ...indexForgeries(),
  ...fileForgeries(),
  ...storeForgeries(image),
  ...answerForgeries()
]

/** Reads what was forged; undefined where that doesn't end. */
const meet = async ({ read }: Forgery): Promise<Met | undefined> => {
  let met: Met = { given: undefined }
  const ended = guard(() => {
    try {
      met = { given: read() }
    } catch (error) {
      met = { error }
    }
  }, limitMillis)
  if (!ended) return undefined
  if (!("given" in met && met.given instanceof Promise)) return met
  return met.given.then(
    (given: unknown) => ({ given }),
    (error: unknown) => ({ error })
  )
}

const run = async ({ at, cases = "", untilFailure = false }: PartOptions): Promise<PartReport> => {
  const meter = installMeter()
  const failures: Array<PartFailure> = []
  let tried = 0
  for (const forgery of forgeries(await makeStore(1))) {
    const { name } = forgery
    if (at === undefined ? !name.startsWith(cases) : name !== at) continue
    if (untilFailure && failures.length > 0) break
    tried++
    meter.reset()
    const met = await meet(forgery)
    let story = met === undefined ? "reading it did not end" : storyOf(forgery, met)
    if (meter.bytes() > limitBytes) story ??= `${meter.bytes()} bytes of memory were asked for`
    if (story !== undefined) failures.push({ at: name, story: `${name}: ${story}` })
  }
  if (at !== undefined && tried === 0) failures.push({ at, story: "there is no forgery of this name" })
  return { counts: { "forged files": tried }, failures }
}

export const part = { run }
