/**
 * Mutations of an input: a few small changes, one upon the other, of the kinds that have broken decoders.
 */

/** Numbers that follow from a seed. */
export class Random {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** From 0 to before `limit`. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }

  /** Once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0
  }

  of<A>(values: ReadonlyArray<A>): A {
    return values[this.below(values.length)]
  }

  /** Spread over the orders of magnitude. */
  magnitude(bits: number): number {
    return Math.floor(2 ** (this.below(bits * 16) / 16))
  }
}

const interesting = [
  0, 1, 2, 7, 8, 63, 64, 65, 127, 128, 255, 256, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff
]

/** An integer of 64 bits, little-endian. */
const setWide = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, value % 2 ** 32, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}

const insert = (bytes: Uint8Array, at: number, more: Uint8Array): Uint8Array => {
  const grown = new Uint8Array(bytes.length + more.length)
  grown.set(bytes.subarray(0, at))
  grown.set(more, at)
  grown.set(bytes.subarray(at), at + more.length)
  return grown
}

const remove = (bytes: Uint8Array, at: number, length: number): Uint8Array => {
  const left = new Uint8Array(bytes.length - length)
  left.set(bytes.subarray(0, at))
  left.set(bytes.subarray(at + length), at)
  return left
}

export interface MutationContext {
  readonly random: Random
  /** Another input, to take parts of. */
  readonly other: Uint8Array
  /** Pieces that mean something. */
  readonly dictionary: ReadonlyArray<Uint8Array>
  /** What most changes are aligned to: the width of a field. */
  readonly align: number
}

const changeNumber = (bytes: Uint8Array, { align, random }: MutationContext): void => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // What claims most stands in front.
  const reach = random.once(3) ? Math.min(bytes.length, 128) : bytes.length
  const at = Math.floor(random.below(reach) / align) * align
  const room = bytes.length - at
  const value = random.once(2) ? random.of(interesting) : random.magnitude(53)
  if (room >= 8 && random.once(3)) setWide(view, at, random.once(2) ? value : value * 2 ** random.below(21))
  else if (room >= 8 && random.once(4))
    view.setFloat64(at, random.of([value, -value, value / 2, Infinity, NaN]), true)
  else if (room >= 4 && random.once(2))
    view.setUint32(at, (view.getUint32(at, true) + random.below(33) - 16) >>> 0, true)
  else if (room >= 4) view.setUint32(at, value % 2 ** 32, true)
  else bytes[at] = value
}

/** One change; the bytes that are given may be changed, too. */
const changed = (bytes: Uint8Array, context: MutationContext): Uint8Array => {
  const { align, dictionary, other, random } = context
  if (bytes.length === 0) return other.slice(0, 1 + random.below(64))
  const at = random.below(bytes.length)
  const aligned = at - (at % align)
  const length = 1 + random.below(Math.min(random.once(4) ? 512 : 16, bytes.length - aligned))
  switch (random.below(dictionary.length > 0 ? 12 : 10)) {
    case 0:
    case 1:
      bytes[at] ^= 1 << random.below(8)
      return bytes
    case 2:
      bytes[at] = random.below(256)
      return bytes
    case 3:
    case 4:
    case 5:
      changeNumber(bytes, context)
      return bytes
    case 6:
      return remove(bytes, aligned, length)
    case 7:
      return insert(bytes, aligned, bytes.slice(aligned, aligned + length))
    case 8: {
      const from = random.below(bytes.length)
      bytes.copyWithin(aligned, from - (from % align), from - (from % align) + length)
      return bytes
    }
    case 9: {
      // The beginning of one and the end of another.
      const cut = random.below(other.length + 1)
      return insert(bytes.slice(0, aligned), aligned, other.subarray(cut - (cut % align)))
    }
    default:
      return insert(bytes, at, random.of(dictionary))
  }
}

/** A few changes, one upon the other. */
export const mutated = (bytes: Uint8Array, context: MutationContext): Uint8Array => {
  let current: Uint8Array = bytes.slice()
  for (let left = 1 << context.random.below(3); left > 0; left--) current = changed(current, context)
  return current
}
