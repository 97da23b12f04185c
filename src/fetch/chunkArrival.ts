/**
 * A chunk that has come from the source or the store, for all who wait for it.
 *
 * Its bytes lie in memory that is used again for the next chunk, so they are copied in the same step, or
 * kept. Those who keep them for the same end share them; who may write to what it gets shares with no stream.
 */

/** Who keeps bytes: callers who get a chunk for themselves, or streams. */
export type ChunkKeeper = "caller" | "stream"

export class ArrivedChunk {
  readonly bytes: Uint8Array
  private readonly canBeKept: boolean
  private readonly kept: { [K in ChunkKeeper]?: Uint8Array } = {}
  private wasKept = false

  /** `canBeKept` where nobody else has the memory; whoever made it looks at `isKept` before using it again. */
  constructor(bytes: Uint8Array, canBeKept: boolean) {
    this.bytes = bytes
    this.canBeKept = canBeKept
  }

  get isKept(): boolean {
    return this.wasKept
  }

  /** The bytes, in memory that stays. */
  keep(keeper: ChunkKeeper): Uint8Array {
    const kept = (this.kept[keeper] ??= this.canBeKept && !this.wasKept ? this.bytes : this.bytes.slice())
    this.wasKept = true
    return kept
  }
}
