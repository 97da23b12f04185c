/** Many measures of one kind, and what share of them is how large. */

/** Samples in memory that is taken beforehand, so that taking one allocates nothing. */
export class Samples {
  readonly #values: Float64Array
  #count = 0

  constructor(most: number) {
    this.#values = new Float64Array(most)
  }

  add(value: number): void {
    this.#values[this.#count++] = value
  }

  clear(): void {
    this.#count = 0
  }

  ascending(): Float64Array {
    return this.#values.slice(0, this.#count).sort()
  }
}

/** Of ascending values, at least one, that which this share of them does not exceed. */
const percentile = (ascending: Float64Array, share: number): number =>
  ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)]

/** The samples of some rounds, those of each apart. */
export class SampleRounds {
  readonly #rounds: Array<Float64Array> = []

  /** Takes a round's samples. A quick one may have none, and so no percentiles either. */
  add(samples: Samples): void {
    const ascending = samples.ascending()
    if (ascending.length > 0) this.#rounds.push(ascending)
  }

  get empty(): boolean {
    return this.#rounds.length === 0
  }

  /** The percentile of all rounds together, and that of each. */
  at(share: number): { readonly value: number; readonly rounds: ReadonlyArray<number> } {
    const all = new Float64Array(this.#rounds.reduce((sum, round) => sum + round.length, 0))
    let at = 0
    for (const round of this.#rounds) {
      all.set(round, at)
      at += round.length
    }
    return {
      value: percentile(all.sort(), share),
      rounds: this.#rounds.map((round) => percentile(round, share))
    }
  }
}
