/**
 * A part of the proof: one kind of trouble, one subject. Each runs in a process of its own.
 */

export interface PartOptions {
  /** What a part does at random follows from this number alone. */
  readonly seed: number
  /** 1: what every test run does, in a share of two minutes. 5 and 50: as many times as much. */
  readonly effort: number
  /** Replays one case alone: the `at` of a failure. */
  readonly at: string | undefined
  /** Ends at the first failure: for whoever asks whether there is one. */
  readonly untilFailure?: boolean | undefined
  /** Only cases, or decoders, whose names begin so. */
  readonly cases?: string | undefined
}

/** A case in which the engine did what it must not. */
export interface PartFailure {
  /** Names the case: with the part and the seed, it is all that is needed to see it again. */
  readonly at: string
  /** What happened, in words. */
  readonly story: string
}

export interface PartReport {
  /** What was tried, in its own words and numbers: `distinct states`, `fault positions`, `flipped bits`. */
  readonly counts: Readonly<Record<string, number>>
  /** The first few, and whether there were more. */
  readonly failures: ReadonlyArray<PartFailure>
}

export interface Part {
  readonly run: (options: PartOptions) => Promise<PartReport>
}
