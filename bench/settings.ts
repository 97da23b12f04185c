/** What a case is told: how much work to do, and where its files may lie. */
export interface Settings {
  readonly rounds: number
  readonly quick: boolean
  /** A directory of the bench's own, removed at its end. */
  readonly directory: string
}
