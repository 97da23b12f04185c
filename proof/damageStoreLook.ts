/**
 * Looking at a store in whose directory something is damaged: as a reader, as a writer, and by `check`.
 */
import * as Effect from "effect/Effect"
import { Store } from "../src/store/Store.ts"
import type { DamageVerdict } from "../src/testing/exploreDamage.ts"
import { control, directory, filesOf, namesIn, stateOf, type StoreImage } from "./damageStoreImage.ts"
import { DamageWorld, isSame } from "./damageWorld.ts"

const isCorrupt = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "Corrupt"

/** What one who opens a store gets of it. */
interface Found {
  /** Undefined where opening was refused. */
  readonly state: string | undefined
  /** Reads that were refused. */
  readonly refusals: number
  /** The error of the refusal, whatever it is. */
  readonly error: unknown
  readonly wrong: string | undefined
  /** Whether something was said of damage. */
  readonly noticed: boolean
}

export class Tried {
  readonly world = new DamageWorld()
  /** Whether somebody has opened for writing, and put control right. */
  private wrote = false
  /** Writers that have refused. */
  refusals = 0
  private readonly image: StoreImage

  constructor(image: StoreImage) {
    this.image = image
    for (const [name, bytes] of image.files) this.put(name, bytes)
  }

  /** The directory is there as soon as a file is. */
  put(name: string, bytes: Uint8Array): void {
    if (this.world.run(this.world.io.classify(directory)) === "none") {
      this.world.run(this.world.io.makeDirectory(directory))
    }
    this.world.put(`${directory}/${name}`, bytes)
  }

  remove(name: string): void {
    this.world.remove(`${directory}/${name}`)
  }

  /** Everything as it was, but for what is written over anyway. */
  restore(name: string): void {
    const { files } = this.image
    const there = new Set(namesIn(this.world))
    for (const [other, bytes] of files) {
      const isWritten = other === control && this.wrote
      if (other === name || isWritten || !there.has(other)) this.put(other, bytes)
    }
    this.wrote = false
    for (const other of there) if (!files.has(other)) this.remove(other)
  }

  /** The files that are not what they were, when `name` has these bytes. */
  changed(name: string, bytes: Uint8Array | undefined): ReadonlyArray<string> {
    const now = filesOf(this.world)
    const right = new Map(this.image.files)
    if (bytes === undefined) right.delete(name)
    else right.set(name, bytes)
    const names = new Set([...now.keys(), ...right.keys()])
    names.delete("store.lock")
    return [...names].filter((other) => {
      const [one, two] = [now.get(other), right.get(other)]
      return one === undefined || two === undefined || !isSame(one, two)
    })
  }

  open(readonly: boolean): Found {
    const { content } = this.image
    let refusals = 0
    let wrote = false
    try {
      return this.world.run(
        Effect.gen(function* () {
          const store = yield* Store.open({ directory, readonly, verifyReads: true })
          wrote ||= !readonly
          const noticed = store.stats().recovery?.controlRepaired === true
          let wrong: string | undefined
          let state: string | undefined
          try {
            const extents = [...store.extents()]
            state = stateOf(extents)
            for (const { length, offset } of extents) {
              const buffer = new Uint8Array(length)
              try {
                store.unsafe.readInto(offset, buffer)
              } catch (error) {
                if (!isCorrupt(error)) throw error
                refusals++
                continue
              }
              if (isSame(buffer, content.subarray(offset, offset + length))) continue
              wrong ??= `the ${length} bytes at ${offset} are wrong`
            }
          } catch (error) {
            // The map, at a walk through it.
            if (!isCorrupt(error)) throw error
            refusals++
          }
          return { state, refusals, error: undefined, wrong, noticed }
        })
      )
    } catch (error) {
      return { state: undefined, refusals, error, wrong: undefined, noticed: isCorrupt(error) }
    } finally {
      this.wrote ||= wrote
    }
  }

  /** How many kinds of damage `check` finds; -1 where it says that there is no store. */
  check(): number {
    try {
      return this.world.run(Store.check(directory)).damage.length
    } catch (error) {
      if (typeof error === "object" && error !== null && "_tag" in error && error._tag === "NoSuchFile")
        return -1
      throw error
    }
  }
}

/** A damaged file, and what is demanded of those who look at its store. */
export interface Look {
  readonly name: string
  readonly bytes: Uint8Array | undefined
  /** States that may be found, beside the last. */
  readonly states: ReadonlyArray<string>
  /** Whether `check` must tell. */
  readonly mustTell: boolean
  /** Whether whoever opens it must refuse. */
  readonly mustRefuse: boolean
  readonly readers: boolean
  readonly writers: boolean
  readonly isChecked: boolean
}

/** What is wrong with what somebody found who opened the store. Throws what was thrown, if it isn't `Corrupt`. */
const faultOf = ({ error, state, wrong }: Found, right: string, others: ReadonlyArray<string>) => {
  if (error !== undefined && !isCorrupt(error)) throw error
  if (wrong !== undefined) return wrong
  if (state === undefined || state === right || others.includes(state)) return undefined
  return `a state that was not committed last: ${state}`
}

/** Looks at a store as it lies there. */
export const look = (tried: Tried, image: StoreImage, order: Look): DamageVerdict => {
  const { bytes, isChecked, mustRefuse, mustTell, name, readers, states, writers } = order
  const right = image.states[image.states.length - 1]
  const told = isChecked && tried.check() !== 0
  const found: Array<Found> = []
  if (readers) found.push(tried.open(true))
  if (writers) {
    const writer = tried.open(false)
    found.push(writer)
    // To compare all files costs as much as all the rest: where one writer has refused, the next one does alike.
    const isCompared = writer.error !== undefined && (bytes === undefined || tried.refusals++ % 7 === 0)
    const changed = isCompared ? tried.changed(name, bytes) : []
    if (changed.length > 0) return { wrong: `a writer that refused has changed ${changed.join()}` }
  }
  for (const one of found) {
    const fault = faultOf(one, right, states)
    if (fault !== undefined) return { wrong: fault }
    if (mustRefuse && one.error === undefined) return { wrong: "it was opened" }
  }
  if (isChecked && mustTell && !told) return { wrong: `check finds nothing wrong with ${name}` }
  const noticed = found.some(({ error, noticed, refusals }) => error !== undefined || noticed || refusals > 0)
  if (noticed || told) return "detected"
  if (mustTell) return { wrong: `nobody has noticed what is wrong with ${name}` }
  if (found.every(({ state }) => state === right)) return "harmless"
  return states.length > 0 ? "detected" : { wrong: "an earlier state, without a word" }
}
