/**
 * What a store must contain: the pieces of records that were committed and not collected.
 *
 * The process that is killed and the one that judges keep the same ledger, from the same messages
 * and by the same rules; it goes from one to the other as numbers.
 */
import type { Extent } from "../../src/bytes/extent.ts"
import { mixed, seedOf } from "../../src/testing/random.ts"
import { recordBytes, type RecordId } from "./records.ts"

/** A record at its place. */
export interface Placed extends RecordId {
  readonly offset: number
}

/** What of a record can be read: a collection may have taken what lay before its `upTo`. */
export interface Piece {
  readonly record: Placed
  readonly from: number
  readonly to: number
}

/** Which records a collection keeps: a share of them, by hash. */
export interface CollectRule {
  readonly upTo: number
  readonly percent: number
  readonly salt: number
}

const isKept = ({ percent, salt }: CollectRule, { counter, round }: RecordId): boolean =>
  mixed(seedOf(round, counter, salt)) % 100 < percent

export const pieceBytes = ({ from, record, to }: Piece): Uint8Array =>
  recordBytes(record).subarray(from - record.offset, to - record.offset)

export class Ledger {
  /** Ascending. */
  pieces: Array<Piece> = []
  /** The end of what is committed. */
  end = 0
  generation = 0
  suffixStart = 0

  get readableBytes(): number {
    return this.pieces.reduce((sum, { from, to }) => sum + to - from, 0)
  }

  commit(record: Placed): void {
    if (record.offset !== this.end) {
      throw new Error(`a record was committed at ${record.offset}, and the end is ${this.end}`)
    }
    this.end += record.length
    this.pieces.push({ record, from: record.offset, to: this.end })
  }

  /** The extents that a collection keeps, those that straddle `upTo` as they are. */
  live(rule: CollectRule): Array<Extent> {
    return this.pieces
      .filter(({ from, record }) => from < rule.upTo && isKept(rule, record))
      .map(({ from, to }) => ({ offset: from, length: to - from }))
  }

  collect(rule: CollectRule): void {
    const { upTo } = rule
    this.pieces = this.pieces.flatMap((piece) => {
      const { from, record, to } = piece
      if (from >= upTo || isKept(rule, record)) return [piece]
      return to > upTo ? [{ record, from: upTo, to }] : []
    })
    this.generation++
    this.suffixStart = upTo
  }

  /** What can be read, runs that touch as one. */
  extents(): Array<Extent> {
    return united(this.pieces.map(({ from, to }) => ({ offset: from, length: to - from })))
  }

  toNumbers(): Array<number> {
    const pieces = this.pieces.flatMap(({ from, record, to }) => [
      ...[from, to, record.offset, record.length],
      ...[record.round, record.counter]
    ])
    return [this.end, this.generation, this.suffixStart, ...pieces]
  }

  static fromNumbers(numbers: ReadonlyArray<number>): Ledger {
    const ledger = new Ledger()
    ;[ledger.end, ledger.generation, ledger.suffixStart] = numbers
    for (let i = 3; i < numbers.length; i += 6) {
      const [from, to, offset, length, round, counter] = numbers.slice(i, i + 6)
      ledger.pieces.push({ record: { offset, length, round, counter, doomed: false }, from, to })
    }
    return ledger
  }
}

/** Ascending extents, those that touch as one. */
export const united = (extents: Iterable<Extent>): Array<Extent> => {
  const runs: Array<Extent> = []
  for (const { length, offset } of extents) {
    const last = runs[runs.length - 1]
    if (last !== undefined && last.offset + last.length === offset) {
      runs[runs.length - 1] = { offset: last.offset, length: last.length + length }
    } else if (length > 0) {
      runs.push({ offset, length })
    }
  }
  return runs
}
