/** What a case reports: one row for every side it measured, with the goal it was to reach. */

/** A goal, and what it is held against: the ratio to a named side, or the value itself. */
export interface Goal {
  readonly most: number
  readonly of: "ratio" | "value"
  /** With "ratio": the side compared with. */
  readonly to?: string
}

export interface Row {
  readonly case: string
  readonly variant: string
  readonly side: string
  /** The median of the rounds. */
  readonly value: number
  readonly unit: string
  readonly rounds?: ReadonlyArray<number>
  /** The median of the ratios of each round to the side the goal names, or to C. */
  readonly ratio?: number
  readonly goal?: Goal
  readonly note?: string
}

/** Whether the row's goal is reached; undefined without a goal, or with nothing to compare with. */
export const reached = (row: Row): boolean | undefined => {
  if (row.goal === undefined) return undefined
  const held = row.goal.of === "ratio" ? row.ratio : row.value
  return held === undefined ? undefined : held <= row.goal.most
}
