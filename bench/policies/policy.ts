/** A replacement policy, simulated: page numbers, and whether they would have been in. */

/** Asks for a page, which is in from then on. Says whether it was before. */
export type Lookup = (page: number) => boolean

export interface Policy {
  readonly name: string
  /** An empty cache of so many pages. */
  readonly make: (slots: number) => Lookup
}
