/**
 * Damage to whole stores: every file of a store that was collected twice, with a prefix, sealed chunks and an active
 * one, is damaged in turn; also missing, or another store's, or its own from earlier. Then the store is opened for
 * reading and for writing, read to its end with verification, and checked.
 *
 * The laws: what is read is what was appended, or `Corrupt`. The state is the one that was committed last; where
 * control was damaged, and only then, it may be the one before. Whoever opens for writing and refuses has changed
 * nothing. And `check` finds every change of what is under a checksum, whoever else has passed it over.
 *
 * The bytes of the active chunk are under none, as documented: only its length is tried.
 */
import * as Effect from "effect/Effect"
import type { Extent } from "../src/bytes/extent.ts"
import { Store } from "../src/store/Store.ts"
import { decodeControlSlots, slotOffset } from "../src/format/controlSlots.ts"
import { controlSlotBytes } from "../src/format/controlRecord.ts"
import type { Damage, DamageKind, DamageRange } from "../src/testing/damage.ts"
import { damageKinds } from "../src/testing/damage.ts"
import type { DamageVerdict } from "../src/testing/exploreDamage.ts"
import { type DamageCase, runDamageCases } from "./damageCases.ts"
import { DamageWorld, isSame } from "./damageWorld.ts"
import type { PartFailure, PartOptions, PartReport } from "./part.ts"

const directory = "/store"
const control = "store.control"
const spaceBytes = 16_384

const noise = (seed: number): Uint8Array => {
  let state = seed
  return Uint8Array.from({ length: spaceBytes }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 16
  })
}

type Files = ReadonlyMap<string, Uint8Array>

interface StoreImage {
  /** What was appended, by virtual offset. */
  readonly content: Uint8Array
  readonly files: Files
  /** The files as they were at earlier moments: of the same generation, and of the one before. */
  readonly earlier: Files
  readonly former: Files
  /** What could be read after each commit, the last one last. */
  readonly states: ReadonlyArray<string>
}

const namesIn = (world: DamageWorld): ReadonlyArray<string> => world.run(world.io.list(directory))

const filesOf = (world: DamageWorld): Files =>
  new Map(namesIn(world).map((name) => [name, world.get(`${directory}/${name}`)!.slice()]))

const stateOf = (extents: Iterable<Extent>): string =>
  [...extents].map(({ length, offset }) => `${offset}+${length}`).join(" ")

/** Stores of different seeds differ in every byte that was appended, and in nothing else. */
const makeStore = async (seed: number): Promise<StoreImage> => {
  const world = new DamageWorld()
  const content = noise(seed)
  const states: Array<string> = []
  let earlier: Files = new Map()
  let former: Files = new Map()
  await world.runLater(
    Effect.gen(function* () {
      const store = yield* Store.open({ directory, create: true, chunkSize: 1500 })
      const commit = Effect.fnUntraced(function* (...lengths: ReadonlyArray<number>) {
        for (const length of lengths) {
          const at = store.end()
          yield* store.append(content.subarray(at, at + length))
        }
        yield* store.commit
        states.push(stateOf(store.extents()))
      })
      const collect = Effect.fnUntraced(function* (from: number, upTo: number, every: number) {
        const live: Array<Extent> = [...store.extents()].filter(({ offset }) => offset < from)
        for (let at = from; at + 40 < upTo; at += every) live.push({ offset: at, length: 40 })
        yield* store.collect({ live, upTo })
        states.push(stateOf(store.extents()))
      })
      yield* commit(700, 700)
      yield* commit(700, 500)
      yield* collect(0, 2600, 200)
      yield* commit(800, 600)
      yield* commit(400)
      former = filesOf(world)
      yield* collect(2600, 4400, 150)
      yield* commit(900)
      yield* commit(500, 900)
      earlier = filesOf(world)
      yield* commit(500, 500)
      yield* commit(400)
    })
  )
  return { content, files: filesOf(world), earlier, former, states }
}

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

class Tried {
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
interface Look {
  readonly name: string
  readonly bytes: Uint8Array | undefined
  /** States that may be found, beside the last. */
  readonly states: ReadonlyArray<string>
  /** Whether `check` must tell. */
  readonly mustTell: boolean
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
const look = (tried: Tried, image: StoreImage, order: Look): DamageVerdict => {
  const { bytes, isChecked, mustTell, name, readers, states, writers } = order
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
  }
  if (isChecked && mustTell && !told) return { wrong: `check finds nothing wrong with ${name}` }
  const noticed = found.some(({ error, noticed, refusals }) => error !== undefined || noticed || refusals > 0)
  if (noticed || told) return "detected"
  if (mustTell) return { wrong: `nobody has noticed what is wrong with ${name}` }
  if (found.every(({ state }) => state === right)) return "harmless"
  return states.length > 0 ? "detected" : { wrong: "an earlier state, without a word" }
}

/** What is under checksums of a file, and what of it is tried. */
interface Subject {
  readonly kinds: ReadonlyArray<DamageKind>
  readonly ranges: ReadonlyArray<DamageRange>
  readonly partners: number
  readonly cutEvery: number
  readonly mustTell: (damage: Damage) => boolean
}

const recordBytes = (bytes: Uint8Array, slot: 0 | 1): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(slotOffset(slot) + 12, true)

const controlSubject = (bytes: Uint8Array, effort: number): Subject => {
  const used = ([0, 1] as const).map((slot) => recordBytes(bytes, slot))
  const heads = ([0, 1] as const).map((slot) => ({
    from: slotOffset(slot),
    to: slotOffset(slot) + used[slot]
  }))
  const slack = { from: 0, to: bytes.length, every: effort < 50 ? 4001 : 1 }
  return {
    kinds: damageKinds,
    ranges: [...heads, slack],
    partners: effort < 50 ? 2 : Infinity,
    cutEvery: effort < 50 ? 1009 : 1,
    mustTell: (damage) =>
      damage.kind === "cut" ||
      damage.kind === "grow" ||
      (damage.kind === "flip" &&
        damage.byte % controlSlotBytes < used[damage.byte < controlSlotBytes ? 0 : 1])
  }
}

const subjectOf = (image: StoreImage, name: string, effort: number): Subject => {
  const bytes = image.files.get(name)!
  if (name === control) return controlSubject(bytes, effort)
  const { record } = decodeControlSlots(image.files.get(control)!, control)
  const active = `store.${record.firstChunk + record.chunkLengths.length - 1}.suffix`
  const all = { partners: 12, cutEvery: 1, mustTell: () => true }
  const isData = name.endsWith(".suffix") || name.endsWith(".prefix")
  if (name === active) {
    return { ...all, kinds: ["cut", "grow"], ranges: [], mustTell: ({ kind }) => kind === "cut" }
  }
  const every = isData && effort < 50 ? 29 : 1
  return {
    ...all,
    kinds: damageKinds,
    ranges: [{ from: 0, to: bytes.length, every }],
    cutEvery: isData && effort < 50 ? 23 : 1,
    // A chunk may be longer than what was committed of it.
    mustTell: ({ kind }) => kind !== "grow" || !name.endsWith(".suffix")
  }
}

const paths = (image: StoreImage): ReadonlyArray<string> =>
  [...image.files.keys()].map((name) => `${directory}/${name}`)

function* cases(image: StoreImage, other: StoreImage, { effort }: PartOptions): Generator<DamageCase> {
  const tried = new Tried(image)
  const previous = image.states[image.states.length - 2]
  for (const [name, bytes] of image.files) {
    if (bytes.length === 0) continue
    const { mustTell, ...subject } = subjectOf(image, name, effort)
    const stale = name === control ? image.earlier.get(name) : other.files.get(name)
    yield {
      name,
      path: paths(image),
      bytes,
      stale,
      ...subject,
      limitBytes: 1 << 25,
      judge: (damaged, damage) => {
        tried.put(name, damaged)
        // All but control are opened alike by both: they take turns.
        const turn =
          effort < 5 && name !== control && damage.kind === "flip" ? (damage.byte + damage.bit) % 2 : 2
        const states = name === control ? [previous] : []
        try {
          return look(tried, image, {
            ...{ name, bytes: damaged, states, mustTell: mustTell(damage) },
            ...{ readers: turn !== 1, writers: turn !== 0, isChecked: turn !== 1 }
          })
        } finally {
          tried.restore(name)
        }
      }
    }
  }
}

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
    const strict = { ...both, name, states: [], mustTell: true }
    yield { at: `missing/${name}`, look: { ...strict, bytes: undefined } }
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

/** The bytes of the active chunk are under no checksum. */
const isActive = (image: StoreImage, name: string): boolean =>
  name.endsWith(".suffix") && !image.files.has(`${name}.sum`)

const replaced = (image: StoreImage, other: StoreImage, at: string | undefined): PartReport => {
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

export const part = {
  run: async (options: PartOptions): Promise<PartReport> => {
    const { at } = options
    const image = await makeStore(1)
    const other = await makeStore(2)
    const isReplacement = at?.startsWith("replaced/") === true
    const files =
      at === undefined || isReplacement ? replaced(image, other, at) : { counts: {}, failures: [] }
    if (isReplacement) return files
    const damaged = await runDamageCases(cases(image, other, options), options)
    const counts: Record<string, number> = { ...damaged.counts }
    for (const [what, count] of Object.entries(files.counts)) counts[what] = (counts[what] ?? 0) + count
    return { counts, failures: [...files.failures.slice(0, 8), ...damaged.failures] }
  }
}
