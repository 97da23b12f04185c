/**
 * Files of one kind that are cut off from their disk again and again: what their writer is ordered, what it has told,
 * and the judgement of what is found when the power is back.
 */
import type { CutOrder } from "./cutMoment.ts"
import type { Random } from "../../src/testing/random.ts"

/** What the cuts met, counted. */
export type Met = Record<string, number>

export const count = (met: Met, name: string, times: boolean | number = 1): void => {
  met[name] = (met[name] ?? 0) + Number(times)
}

export interface Round {
  readonly round: number
  readonly seed: number
  readonly cut: CutOrder | undefined
}

/** Files of one kind, through any number of cuts. */
export interface Subject {
  readonly program: "killedWriter.ts" | "cutFiles.ts"
  readonly order: (round: Round) => object
  /** With `late`, what the message acknowledges does not count. */
  readonly hear: (message: never, late?: boolean) => void
  /** Throws where what is there is not what it may be. Counts what it met. */
  readonly judge: (random: Random, met: Met) => Promise<void>
}
