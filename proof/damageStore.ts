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
import { controlSlotBytes } from "../src/format/controlRecord.ts"
import { decodeControlSlots, slotOffset } from "../src/format/controlSlots.ts"
import { type Damage, type DamageKind, damageKinds, type DamageRange } from "../src/testing/damage.ts"
import { type DamageCase, runDamageCases } from "./damageCases.ts"
import { collectingCases } from "./damageStoreCollecting.ts"
import { replacedFiles } from "./damageStoreFiles.ts"
import { control, directory, makeStore, type StoreImage } from "./damageStoreImage.ts"
import { look, Tried } from "./damageStoreLook.ts"
import type { PartOptions, PartReport } from "./part.ts"

/** What is under checksums of a file, and what of it is tried. */
interface Subject {
  readonly kinds: ReadonlyArray<DamageKind>
  readonly ranges: ReadonlyArray<DamageRange>
  readonly partners: number
  readonly cutEvery: number
  readonly mustTell: (damage: Damage) => boolean
  /** Whether whoever opens the store must refuse. */
  readonly mustRefuse: (damage: Damage) => boolean
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
    mustRefuse: ({ kind }) => kind === "cut" || kind === "grow",
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
  // A chunk may be longer than what was committed of it; every other length is told by another file.
  const isChunk = name.endsWith(".suffix")
  const mustRefuse = ({ kind }: Damage): boolean => kind === "cut" || (kind === "grow" && !isChunk)
  const all = { partners: 12, cutEvery: 1, mustTell: () => true, mustRefuse }
  const isData = isChunk || name.endsWith(".prefix")
  if (name === active) {
    return { ...all, kinds: ["cut", "grow"], ranges: [], mustTell: ({ kind }) => kind === "cut" }
  }
  const every = isData && effort < 50 ? 29 : 1
  return {
    ...all,
    kinds: damageKinds,
    ranges: [{ from: 0, to: bytes.length, every }],
    cutEvery: isData && effort < 50 ? 23 : 1,
    mustTell: ({ kind }) => kind !== "grow" || !isChunk
  }
}

/** Whose turn it is to look at a damage; undefined where all do. */
const turnOf = (damage: Damage): number | undefined => {
  if (damage.kind === "flip") return (damage.byte + damage.bit) % 3
  return damage.kind === "cut" ? damage.length % 3 : undefined
}

const paths = (image: StoreImage): ReadonlyArray<string> =>
  [...image.files.keys()].map((name) => `${directory}/${name}`)

function* cases(image: StoreImage, other: StoreImage, { effort }: PartOptions): Generator<DamageCase> {
  const tried = new Tried(image)
  const previous = image.states[image.states.length - 2]
  for (const [name, bytes] of image.files) {
    if (bytes.length === 0) continue
    const { mustRefuse, mustTell, ...subject } = subjectOf(image, name, effort)
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
        // All three see a file through the same code: they take turns. Of control damageControl.ts tries every bit.
        const turn = effort < 5 ? turnOf(damage) : undefined
        const hasTurn = (whose: number): boolean => turn === undefined || turn === whose
        const states = name === control ? [previous] : []
        // A reader takes a slot that is damaged for one that is being written.
        const isSilent = name === control && turn === 1
        try {
          return look(tried, image, {
            ...{
              name,
              bytes: damaged,
              states,
              mustRefuse: mustRefuse(damage),
              mustTell: mustTell(damage) && !isSilent
            },
            ...{ isChecked: hasTurn(0), readers: hasTurn(1), writers: hasTurn(2) }
          })
        } finally {
          tried.restore(name)
        }
      }
    }
  }
  yield* collectingCases(image, effort)
}

export const part = {
  run: async (options: PartOptions): Promise<PartReport> => {
    const { at, cases: begin = "", untilFailure } = options
    const image = await makeStore(1)
    const other = await makeStore(2)
    const isReplacement = (at ?? begin).startsWith("replaced")
    const files =
      isReplacement || (at === undefined && begin === "")
        ? replacedFiles(image, other, at)
        : { counts: {}, failures: [] }
    if (isReplacement || (untilFailure === true && files.failures.length > 0)) return files
    const damaged = await runDamageCases(cases(image, other, options), options)
    const counts: Record<string, number> = { ...damaged.counts }
    for (const [what, count] of Object.entries(files.counts)) counts[what] = (counts[what] ?? 0) + count
    return { counts, failures: [...files.failures.slice(0, 8), ...damaged.failures] }
  }
}
