/**
 * Random numbers that are the same on every machine and in every run: xoshiro128** on 32-bit words,
 * seeded by splitmix32. Math.random can't be seeded, and a data set that changes can't be compared.
 */

export interface Random {
  /** A number from 0 up to but excluding 1, of 32 bits. */
  readonly unit: () => number
  /** An integer from 0 up to but excluding `limit`, which may be as large as 2^53. */
  readonly below: (limit: number) => number
  /** A draw from the standard normal distribution. */
  readonly normal: () => number
  /** A draw from the exponential distribution with this mean. */
  readonly exponential: (mean: number) => number
}

const rotateLeft = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))

const splitmix = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return z ^ (z >>> 15)
  }
}

/** The sequence of 32-bit words that belongs to `seed`. */
export const randomWords = (seed: number): (() => number) => {
  const start = splitmix(seed)
  let a = start()
  let b = start()
  let c = start()
  let d = start()
  return () => {
    const word = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9)
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotateLeft(d, 11)
    return word >>> 0
  }
}

export const makeRandom = (seed: number): Random => {
  const word = randomWords(seed)
  const unit = (): number => word() * 2 ** -32
  /** Never 0, so that it has a logarithm. */
  const open = (): number => (word() + 0.5) * 2 ** -32
  return {
    unit,
    below: (limit) => Math.floor(((word() >>> 5) * 2 ** 26 + (word() >>> 6)) * 2 ** -53 * limit),
    normal: () => Math.sqrt(-2 * Math.log(open())) * Math.cos(2 * Math.PI * unit()),
    exponential: (mean) => -mean * Math.log(open())
  }
}
