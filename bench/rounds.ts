/**
 * Rounds: each side runs once in every round, so that whatever else the machine does meanwhile
 * falls on all of them. What is compared is the median of the rounds' ratios, not two medians.
 */
import type { Goal, Row } from "./result.ts"

export interface Side {
  readonly name: string
  readonly goal?: Goal
  readonly note?: string
  /** Does the work once and gives the measure, smaller being better. Round 0 is for warming up; the last call of a round counts. */
  readonly run: (round: number) => number | Promise<number>
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Nanoseconds for each of `count` pieces of work that `work` does. */
export const nanosEach = (count: number, work: () => void): number => {
  const start = performance.now()
  work()
  return ((performance.now() - start) * 1e6) / count
}

const warmingRounds = 1

/** Runs the sides in turn, the order reversed every other round, and gives each one's measures. */
const interleave = async (
  rounds: number,
  sides: ReadonlyArray<Side>,
  rehearsed: boolean
): Promise<Array<Array<number>>> => {
  const measures: Array<Array<number>> = sides.map(() => [])
  for (let round = 0; round < warmingRounds + rounds; round++) {
    const order = sides.map((_, i) => (round % 2 === 0 ? i : sides.length - 1 - i))
    for (const i of order) {
      if (rehearsed) await sides[i].run(round)
      const measure = await sides[i].run(round)
      if (round >= warmingRounds) measures[i].push(measure)
    }
  }
  return measures
}

/** Interleaves the sides and reports each, with its ratio to the side named by its goal, or by `to`, or C. */
export const compare = async (options: {
  readonly case: string
  readonly variant: string
  readonly unit: string
  readonly rounds: number
  readonly to?: string
  /**
   * Each measured run comes right after an unmeasured one of the same side, for work that takes
   * hundreds of megabytes of memory or page cache: a virtual machine that gives free memory back to
   * its host gets it anew at a third of the speed, and what the other side happened to leave behind
   * would decide.
   */
  readonly rehearsed?: boolean
  readonly sides: ReadonlyArray<Side>
}): Promise<ReadonlyArray<Row>> => {
  const { rounds, sides, unit, variant } = options
  const measures = await interleave(rounds, sides, options.rehearsed ?? false)
  return sides.map((side, i) => {
    const against = side.goal?.to ?? options.to ?? "C"
    const other = sides.findIndex(({ name }) => name === against)
    const ratio =
      other === -1 || other === i ? undefined : median(measures[i].map((m, r) => m / measures[other][r]))
    return {
      case: options.case,
      variant,
      side: side.name,
      value: median(measures[i]),
      unit,
      rounds: measures[i],
      ...(ratio === undefined ? {} : { ratio }),
      ...(side.goal === undefined ? {} : { goal: side.goal }),
      ...(side.note === undefined ? {} : { note: side.note })
    }
  })
}
