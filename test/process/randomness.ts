/**
 * Numbers that look random and are always the same for the same seed, in whatever process.
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

/** A stream of random choices. */
export class Random {
  private state: number

  constructor(seed: number) {
    this.state = mixed(seed)
  }

  /** An integer from 0 to `limit - 1`. */
  below(limit: number): number {
    this.state = (this.state + 0x9e3779b9) >>> 0
    return Math.floor((mixed(this.state) / 2 ** 32) * limit)
  }

  /** True in so many cases of a hundred. */
  percent(share: number): boolean {
    return this.below(100) < share
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  oneOf<A>(choices: ReadonlyArray<A>): A {
    return choices[this.below(choices.length)]
  }
}
