/**
 * Numbers that look random and follow from a seed, so that whatever they led to can be had again.
 */

/** A 32-bit integer whose bits all depend on all bits of `value`. */
export const mixed = (value: number): number => {
  let bits = value >>> 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad)
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97)
  return (bits ^ (bits >>> 15)) >>> 0
}

/** One seed of several numbers. */
export const seedOf = (...numbers: ReadonlyArray<number>): number =>
  numbers.reduce((seed, number) => mixed(seed ^ mixed(number + 0x9e3779b9)), 0)

/** A stream of choices. */
export class Random {
  private state: number

  constructor(seed: number) {
    this.state = mixed(seed)
  }

  /** From 0 up to, but not including, 1. */
  fraction(): number {
    this.state = (this.state + 0x9e3779b9) >>> 0
    return mixed(this.state) / 2 ** 32
  }

  /** A whole number from 0 up to, but not including, `limit`. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  /** True in so many cases of a hundred. */
  percent(share: number): boolean {
    return this.fraction() * 100 < share
  }

  oneOf<A>(choices: ReadonlyArray<A>): A {
    return choices[this.below(choices.length)]
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256))
  }
}
