/**
 * A file of which only what was synced is sure: at any moment a test can look at everything that a
 * power cut would leave, piece by piece of what was written since.
 */
import * as Effect from "effect/Effect"
import type { IoFile, IoService } from "../../src/io/Io.ts"

/** A power cut keeps or loses each of these on its own. */
const pieceBytes = 16

interface Piece {
  readonly offset: number
  readonly bytes: Uint8Array
}

export class UnsyncedFile {
  /** What the device holds for certain. */
  durable: Uint8Array
  private pieces: Array<Piece> = []

  constructor(durable: Uint8Array) {
    this.durable = durable.slice()
  }

  written(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      this.pieces.push({ offset: offset + at, bytes: bytes.slice(at, at + pieceBytes) })
    }
  }

  synced(): void {
    this.durable = this.after(this.pieces)
    this.pieces = []
  }

  /** Whatever a power cut can leave now. */
  *afterCut(): IterableIterator<Uint8Array> {
    const open = this.pieces.filter(({ bytes, offset }) =>
      bytes.some((byte, i) => byte !== this.durable[offset + i])
    )
    for (let kept = 0; kept < 2 ** open.length; kept++) {
      yield this.after(open.filter((_, i) => (kept >> i) & 1))
    }
  }

  private after(pieces: ReadonlyArray<Piece>): Uint8Array {
    const bytes = this.durable.slice()
    for (const piece of pieces) bytes.set(piece.bytes, piece.offset)
    return bytes
  }
}

/** An Io whose files are all `file`, as far as its content goes; `look` is called after every change. */
export const crashingIo = (io: IoService, file: UnsyncedFile, look: () => void): IoService => ({
  ...io,
  open: (path, options) => Effect.map(io.open(path, options), (inner) => crashingFile(inner, file, look))
})

const crashingFile = (inner: IoFile, file: UnsyncedFile, look: () => void): IoFile => ({
  ...inner,
  writeAt: (offset, bytes) =>
    Effect.tap(inner.writeAt(offset, bytes), () =>
      Effect.sync(() => {
        file.written(offset, bytes)
        look()
      })
    ),
  sync: Effect.tap(inner.sync, () =>
    Effect.sync(() => {
      file.synced()
      look()
    })
  )
})
