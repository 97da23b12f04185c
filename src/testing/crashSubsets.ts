/**
 * Which of the pending pieces survive: all subsets where they are few, and samples where they are many.
 */
import { Random } from "./random.ts"

export interface SubsetOptions {
  readonly pieces: number
  /** Only subsets that keep one of the last so many: all others were there before. `undefined`: all subsets. */
  readonly fresh: number | undefined
  /** Up to so many pieces, all subsets are given. */
  readonly exhaustivePieces: number
  /** How many subsets are given of more pieces. */
  readonly samples: number
  readonly random: Random
}

/** How likely a piece survives, in samples at random. */
const densities = [0.1, 0.5, 0.9]

/** Each is a byte for every piece, 1 where it survives; the same array is given again and again. */
export function* subsets(options: SubsetOptions): Generator<Uint8Array> {
  const { exhaustivePieces, fresh, pieces } = options
  if (pieces > exhaustivePieces) return yield* sampled(options)
  const kept = new Uint8Array(pieces)
  for (let mask = fresh === undefined ? 0 : 2 ** (pieces - fresh); mask < 2 ** pieces; mask++) {
    for (let i = 0; i < pieces; i++) kept[i] = (mask >> i) & 1
    yield kept
  }
}

/** All, none, every beginning, all but one, one alone, and whatever chance gives. */
function* sampled({ pieces, random, samples }: SubsetOptions): Generator<Uint8Array> {
  const kept = new Uint8Array(pieces)
  yield kept
  yield kept.fill(1)
  for (let left = samples - 2; left > 0; left--) {
    const one = random.below(pieces)
    switch (random.below(6)) {
      case 0:
        kept.fill(1, 0, one).fill(0, one)
        break
      case 1:
        kept.fill(1)
        kept[one] = 0
        break
      case 2:
        kept.fill(0)
        kept[one] = 1
        break
      default: {
        const density = densities[random.below(densities.length)]
        for (let i = 0; i < pieces; i++) kept[i] = random.fraction() < density ? 1 : 0
      }
    }
    yield kept
  }
}

/** A subset in letters: hexadecimal, the oldest piece in the lowest bit. */
export const subsetName = (kept: Uint8Array): string => {
  let mask = 0n
  for (let i = kept.length - 1; i >= 0; i--) mask = mask * 2n + BigInt(kept[i])
  return mask.toString(16)
}

export const subsetOf = (name: string, pieces: number): Uint8Array => {
  const kept = new Uint8Array(pieces)
  let mask = BigInt(`0x${name}`)
  for (let i = 0; i < pieces; i++) {
    kept[i] = Number(mask & 1n)
    mask >>= 1n
  }
  return kept
}
