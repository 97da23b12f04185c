/**
 * Damage: what storage does to the bytes of a file that lies still, one mutation at a time.
 *
 * Bits flip; a sector of 512 bytes comes back as zeros, in the place of another, or as it was before it was
 * last written; a file ends early, or goes on behind its end. All of that is numbered: a damage has an
 * *address*, by which it can be made again.
 *
 * | address | what it is |
 * |---|---|
 * | `flip:1234:5` | bit 5 (of value 32) of byte 1234 is the other one |
 * | `zero:7` | sector 7, bytes 3584 to 4095, is zeros |
 * | `swap:3:9` | sectors 3 and 9 have changed places |
 * | `stale:2` | sector 2 is as it was in an earlier image of the file |
 * | `cut:100` | the file ends after 100 bytes |
 * | `grow:512:2` | 512 bytes more: 0: zeros, 1: ones, 2: noise, 3: the file's own beginning |
 *
 * What changes nothing is no damage, and is not listed. Pure: nothing here knows of files.
 */
export const damageSectorBytes = 512

export type Damage =
  | { readonly kind: "flip"; readonly byte: number; readonly bit: number }
  | { readonly kind: "zero"; readonly sector: number }
  | { readonly kind: "swap"; readonly sector: number; readonly other: number }
  | { readonly kind: "stale"; readonly sector: number }
  | { readonly kind: "cut"; readonly length: number }
  | { readonly kind: "grow"; readonly length: number; readonly pattern: number }

export type DamageKind = Damage["kind"]
export const damageKinds: ReadonlyArray<DamageKind> = ["flip", "zero", "swap", "stale", "cut", "grow"]

/** Bytes from `from` to before `to`. */
export interface DamageRange {
  readonly from: number
  readonly to: number
  /** Every so many bits one is flipped; a number that is odd comes to all bits of a byte. Default: 1, all of them. */
  readonly every?: number | undefined
}

/** A file, and what of it is to be damaged. */
export interface DamageSubject {
  readonly bytes: Uint8Array
  /** An earlier image of the same file: without one no sector can be stale. */
  readonly stale?: Uint8Array | undefined
  /** Whose bits are flipped. Default: all. */
  readonly ranges?: ReadonlyArray<DamageRange> | undefined
  /** Default: all. */
  readonly kinds?: ReadonlyArray<DamageKind> | undefined
  /** With how many others each sector is swapped, near and far. Default: with all. */
  readonly partners?: number | undefined
  /** Every so many lengths one is tried. Default: 1, all of them. */
  readonly cutEvery?: number | undefined
}

const growths: ReadonlyArray<number> = [1, 7, 8, 64, 512, 4096]
const patterns = 4

export const damageAddress = (damage: Damage): string => {
  switch (damage.kind) {
    case "flip":
      return `flip:${damage.byte}:${damage.bit}`
    case "swap":
      return `swap:${damage.sector}:${damage.other}`
    case "cut":
      return `cut:${damage.length}`
    case "grow":
      return `grow:${damage.length}:${damage.pattern}`
    default:
      return `${damage.kind}:${damage.sector}`
  }
}

/** The damage at an address; undefined where that is none. */
export const damageAt = (address: string): Damage | undefined => {
  const match = /^([a-z]+):(\d{1,15})(?::(\d{1,15}))?$/.exec(address)
  if (match === null) return undefined
  const [kind, first, second] = [match[1], Number(match[2]), Number(match[3])]
  const isPair = match[3] !== undefined
  if (kind === "flip" && isPair && second < 8) return { kind, byte: first, bit: second }
  if (kind === "swap" && isPair) return { kind, sector: first, other: second }
  if (kind === "grow" && isPair && second < patterns) return { kind, length: first, pattern: second }
  if (kind === "cut" && !isPair) return { kind, length: first }
  if ((kind === "zero" || kind === "stale") && !isPair) return { kind, sector: first }
  return undefined
}

/** The bytes of a sector, which of the last one may be fewer. */
const sectorOf = (bytes: Uint8Array, sector: number): Uint8Array =>
  bytes.subarray(sector * damageSectorBytes, (sector + 1) * damageSectorBytes)

const sectorCount = (bytes: Uint8Array): number => Math.ceil(bytes.length / damageSectorBytes)

/** A sector as it was in an earlier image, which had zeros where it had ended; undefined where it was not there. */
const staleSector = (stale: Uint8Array, sector: number): Uint8Array | undefined => {
  const part = sectorOf(stale, sector)
  if (part.length === 0) return undefined
  const whole = new Uint8Array(damageSectorBytes)
  whole.set(part)
  return whole
}

/** Whether what both have is the same. */
const isAlike = (one: Uint8Array, other: Uint8Array): boolean => {
  const length = Math.min(one.length, other.length)
  for (let i = 0; i < length; i++) if (one[i] !== other[i]) return false
  return true
}

function* flips({ bytes, ranges }: DamageSubject): Generator<Damage> {
  for (const { every = 1, from, to } of ranges ?? [{ from: 0, to: bytes.length }]) {
    const end = Math.min(to, bytes.length) * 8
    for (let bit = from * 8; bit < end; bit += every) yield { kind: "flip", byte: bit >>> 3, bit: bit & 7 }
  }
}

function* swaps({ bytes, partners = Infinity }: DamageSubject): Generator<Damage> {
  const count = sectorCount(bytes)
  for (let sector = 0; sector < count; sector++) {
    const left = count - 1 - sector
    const few = Math.min(partners, left)
    for (let i = 1; i <= few; i++) {
      // All of them, or the nearest, the farthest, and some between.
      const distance = few === left ? i : 1 + Math.floor(((i - 1) * (left - 1)) / Math.max(1, few - 1))
      const other = sector + distance
      if (!isAlike(sectorOf(bytes, sector), sectorOf(bytes, other))) yield { kind: "swap", sector, other }
    }
  }
}

function* sectors({ bytes, stale }: DamageSubject, kind: "zero" | "stale"): Generator<Damage> {
  const zeros = new Uint8Array(damageSectorBytes)
  for (let sector = 0; sector < sectorCount(bytes); sector++) {
    const other = kind === "zero" ? zeros : stale === undefined ? undefined : staleSector(stale, sector)
    if (other !== undefined && !isAlike(sectorOf(bytes, sector), other)) yield { kind, sector }
  }
}

/** All damage that can be done to a subject, or that of it which was asked for. */
export function* damagesOf(subject: DamageSubject): Generator<Damage> {
  const { bytes, cutEvery = 1, kinds = damageKinds } = subject
  if (kinds.includes("flip")) yield* flips(subject)
  if (kinds.includes("zero")) yield* sectors(subject, "zero")
  if (kinds.includes("swap")) yield* swaps(subject)
  if (kinds.includes("stale")) yield* sectors(subject, "stale")
  if (kinds.includes("cut")) {
    for (let length = 0; length < bytes.length; length += cutEvery) yield { kind: "cut", length }
  }
  if (kinds.includes("grow")) {
    for (const length of growths) {
      for (let pattern = 0; pattern < patterns; pattern++) yield { kind: "grow", length, pattern }
    }
  }
}

const garbage = (bytes: Uint8Array, length: number, pattern: number): Uint8Array => {
  if (pattern < 2) return new Uint8Array(length).fill(pattern === 0 ? 0 : 0xff)
  let noise = 0x9e3779b9
  return Uint8Array.from({ length }, (_, i) => {
    if (pattern === 3) return bytes.length === 0 ? 0 : bytes[i % bytes.length]
    noise = (Math.imul(noise ^ (noise >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0
    return noise >>> 24
  })
}

/**
 * A copy of a file's bytes that is damaged and made whole again in place, so that a million damages of a large
 * file don't copy it a million times.
 */
export class DamagedBytes {
  /** What was given, for as long as nothing is done to it. */
  private readonly bytes: Uint8Array
  private readonly original: Uint8Array
  private readonly stale: Uint8Array | undefined
  /** From where to before where the bytes are not the original ones. */
  private dirty: ReadonlyArray<readonly [number, number]> = []

  constructor({ bytes, stale }: Pick<DamageSubject, "bytes" | "stale">) {
    this.original = bytes
    this.bytes = bytes.slice()
    this.stale = stale
  }

  /** The damaged bytes, until `restore`. Throws where there is no such byte or sector. */
  apply(damage: Damage): Uint8Array {
    const { bytes, original } = this
    switch (damage.kind) {
      case "flip":
        if (damage.byte >= bytes.length) throw new RangeError(`there is no byte ${damage.byte}`)
        this.dirty = [[damage.byte, damage.byte + 1]]
        bytes[damage.byte] ^= 1 << damage.bit
        return bytes
      case "zero":
        this.sector(damage.sector).fill(0)
        return bytes
      case "stale": {
        const target = this.sector(damage.sector)
        const former = this.stale === undefined ? undefined : staleSector(this.stale, damage.sector)
        if (former === undefined) throw new RangeError("there is no earlier image of this sector")
        target.set(former.subarray(0, target.length))
        return bytes
      }
      case "swap": {
        const target = this.sector(damage.sector)
        const { dirty } = this
        const other = this.sector(damage.other)
        this.dirty = [...dirty, ...this.dirty]
        target.set(sectorOf(original, damage.other).subarray(0, target.length))
        other.set(sectorOf(original, damage.sector).subarray(0, other.length))
        return bytes
      }
      case "cut":
        if (damage.length > bytes.length) throw new RangeError(`the file has ${bytes.length} bytes`)
        return bytes.subarray(0, damage.length)
      case "grow": {
        const grown = new Uint8Array(bytes.length + damage.length)
        grown.set(bytes)
        grown.set(garbage(original, damage.length, damage.pattern), bytes.length)
        return grown
      }
    }
  }

  /** Takes back what `apply` did. */
  restore(): void {
    for (const [from, to] of this.dirty) this.bytes.set(this.original.subarray(from, to), from)
    this.dirty = []
  }

  /** Whether the bytes are what they were, now that nothing is damaged: whoever reads them must not write. */
  get isWhole(): boolean {
    return isAlike(this.bytes, this.original)
  }

  private sector(sector: number): Uint8Array {
    const target = sectorOf(this.bytes, sector)
    if (target.length === 0) throw new RangeError(`there is no sector ${sector}`)
    this.dirty = [[sector * damageSectorBytes, sector * damageSectorBytes + target.length]]
    return target
  }
}

/** The bytes of a subject with this damage: a copy. */
export const damagedBytes = (subject: Pick<DamageSubject, "bytes" | "stale">, damage: Damage): Uint8Array =>
  new DamagedBytes(subject).apply(damage).slice()
