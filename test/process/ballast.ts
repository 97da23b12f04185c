/**
 * Leaves a file system so much room and no more, by filling the rest of it.
 */
import fs from "node:fs"

export class Ballast {
  private readonly fd: number
  private readonly root: string
  private bytes = 0

  /** `root` is where the file system is mounted. */
  constructor(root: string) {
    this.root = root
    this.fd = fs.openSync(`${root}/ballast`, "w")
  }

  /** What is free, in bytes, as the system says. */
  get free(): number {
    const { bavail, bsize } = fs.statfsSync(this.root)
    return bavail * bsize
  }

  /** Leaves so many bytes, or as few more or less as the file system can: its own tables take some, too. */
  leave(bytes: number): void {
    for (let attempt = 0; attempt < 4 && this.free !== bytes; attempt++) {
      this.resize(Math.max(0, this.bytes + this.free - bytes))
    }
  }

  /** Gives all room back. */
  drop(): void {
    this.resize(0)
  }

  close(): void {
    fs.closeSync(this.fd)
  }

  private resize(bytes: number): void {
    const zeros = Buffer.alloc(1 << 20)
    try {
      while (this.bytes < bytes) {
        this.bytes += fs.writeSync(this.fd, zeros, 0, Math.min(zeros.length, bytes - this.bytes), this.bytes)
      }
    } catch (failure) {
      if ((failure as { readonly code?: string }).code !== "ENOSPC") throw failure
    }
    if (this.bytes > bytes) fs.ftruncateSync(this.fd, bytes)
    this.bytes = Math.min(this.bytes, bytes)
    // What was freed can be used again once the journal says so.
    fs.fsyncSync(this.fd)
  }
}
