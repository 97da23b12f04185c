/**
 * A frame of the record of an extent file, under construction: entries are encoded as they are added.
 *
 * Whoever adds one has checked it: lengths are those that extentRecord.ts lets a reader find.
 */
import {
  type ExtentEntries,
  extentEntryBytes,
  extentEntryKind,
  extentFrameCrc,
  extentFrameHeaderBytes,
  maxExtentFrameBytes,
  paddedIdentityBytes,
  setUint53
} from "./extentRecord.ts"

/** Most frames have an entry or two. */
const firstFrameBytes = 256

const text = new TextEncoder()

/** An identity as a pin holds it. */
export const encodeIdentity = (identity: string): Uint8Array => text.encode(identity)

/** A frame under construction. Its memory is used again for the next one. */
export class ExtentFrame implements ExtentEntries {
  private bytes = new Uint8Array(firstFrameBytes)
  private view = new DataView(this.bytes.buffer)
  private used = extentFrameHeaderBytes
  /** The checksum of the frame as it was sealed, which the next one continues. */
  crc = 0

  /** Whether no entry was added since the last `begin`. */
  get isEmpty(): boolean {
    return this.used === extentFrameHeaderBytes
  }

  /** Whether there is room for one more entry that is no pin. */
  get hasRoom(): boolean {
    return this.used + extentEntryBytes <= maxExtentFrameBytes
  }

  begin(): void {
    this.used = extentFrameHeaderBytes
  }

  create(offset: number, length: number, sum: number): void {
    this.put(extentEntryKind.create, sum, offset, length)
  }

  piece(offset: number, length: number, sum: number): void {
    this.put(extentEntryKind.piece, sum, offset, length)
  }

  extent(offset: number, length: number): void {
    this.put(extentEntryKind.extent, 0, offset, length)
  }

  split(at: number, leftSum: number, rightSum: number): void {
    this.put(extentEntryKind.split, leftSum, at, rightSum)
  }

  void(offset: number, length: number): void {
    this.put(extentEntryKind.void, 0, offset, length)
  }

  forget(offset: number): void {
    this.put(extentEntryKind.forget, 0, offset, 0)
  }

  pin(length: number, identity: string): void {
    const encoded = encodeIdentity(identity)
    this.put(extentEntryKind.pin, encoded.length, 0, length)
    this.makeRoom(paddedIdentityBytes(encoded.length))
    this.bytes.fill(0, this.used, this.used + paddedIdentityBytes(encoded.length))
    this.bytes.set(encoded, this.used)
    this.used += paddedIdentityBytes(encoded.length)
  }

  clear(): void {
    this.put(extentEntryKind.clear, 0, 0, 0)
  }

  mark(tidy: boolean): void {
    this.put(extentEntryKind.mark, tidy ? 1 : 0, 0, 0)
  }

  unsure(): void {
    this.put(extentEntryKind.unsure, 0, 0, 0)
  }

  /** The frame's bytes, for a place behind a frame with the checksum `before`: valid until the next change. */
  seal(before: number): Uint8Array {
    const { bytes, used, view } = this
    view.setUint32(4, used, true)
    this.crc = extentFrameCrc(bytes, 0, used, before)
    view.setUint32(0, this.crc, true)
    return bytes.subarray(0, used)
  }

  private makeRoom(more: number): void {
    if (this.used + more <= this.bytes.length) return
    const before = this.bytes
    this.bytes = new Uint8Array(Math.min(maxExtentFrameBytes, 2 * (this.used + more)))
    this.bytes.set(before)
    this.view = new DataView(this.bytes.buffer)
  }

  private put(kind: number, value: number, offset: number, length: number): void {
    this.makeRoom(extentEntryBytes)
    const { used, view } = this
    view.setUint32(used, kind, true)
    view.setUint32(used + 4, value, true)
    setUint53(view, used + 8, offset)
    setUint53(view, used + 16, length)
    this.used = used + extentEntryBytes
  }
}
