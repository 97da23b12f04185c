/**
 * What the process that works on single files is ordered, and what it tells.
 */
import type { CutOrder } from "./cutMoment.ts"
import type { Placed } from "./ledger.ts"
import type { RecordId } from "./records.ts"

export type CutSubject = "append-only file" | "sparse files" | "extent file"

export interface CutFilesOrder {
  readonly subject: CutSubject
  readonly directory: string
  readonly seed: number
  readonly round: number
  /** Of an append-only file: where it ends, as acknowledged. */
  readonly end: number
  readonly mapping: "auto" | "off"
  readonly cut?: CutOrder | undefined
}

export type CutFilesMessage =
  /** These are to be appended, flushed and synced. */
  | { readonly told: "appending"; readonly records: ReadonlyArray<Placed> }
  | { readonly told: "synced"; readonly end: number }
  | { readonly told: "making"; readonly index: number }
  | { readonly told: "made"; readonly index: number }
  /** An extent is to be replaced, or, without a record, deleted. */
  | { readonly told: "changing"; readonly slot: number; readonly record: RecordId | null }
  | { readonly told: "flushed" }

/** Of an extent file: where extents start, and how many there are at most. */
export const slotBytes = 32_768
export const slots = 24
