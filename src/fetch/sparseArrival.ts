/**
 * A chunk that has come from the source or the store, for all who wait for it.
 *
 * Its bytes lie in memory that is used again for the next chunk, so they are copied in the same step, or
 * kept: those who keep them share them.
 */
export class ArrivedChunk {
  readonly bytes: Uint8Array
  private readonly canBeKept: boolean
  private kept: Uint8Array | undefined

  /** `canBeKept` where nobody else has the memory; whoever made it looks at `isKept` before using it again. */
  constructor(bytes: Uint8Array, canBeKept: boolean) {
    this.bytes = bytes
    this.canBeKept = canBeKept
  }

  get isKept(): boolean {
    return this.kept !== undefined
  }

  /** The bytes, in memory that stays. */
  keep(): Uint8Array {
    return (this.kept ??= this.canBeKept ? this.bytes : this.bytes.slice())
  }
}
