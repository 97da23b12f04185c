/**
 * Memory that one piece after the other is read to: as much as the largest of them needed, at most 1 MiB.
 */
import { maxPieceBytes } from "../format/extentRecord.ts"

const firstBytes = 4_096

export class ExtentPieceBuffer {
  private bytes = new Uint8Array(0)

  /** Room for `length` bytes, in any state; what was given before is the same memory. */
  of(length: number): Uint8Array {
    if (length > this.bytes.length) {
      this.bytes = new Uint8Array(Math.min(maxPieceBytes, Math.max(firstBytes, 2 * length)))
    }
    return this.bytes.subarray(0, length)
  }
}
