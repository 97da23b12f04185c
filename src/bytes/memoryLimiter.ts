/**
 * A budget of memory in bytes, which many may share.
 *
 * It only counts: who holds memory reserves it before, and releases it after.
 */
import { InvalidArgument, MemoryLimit } from "./errors.ts"
import { checkOffset } from "./offset.ts"

export class MemoryLimiter {
  /** How many bytes may be reserved at any one time. */
  readonly limit: number
  private reserved = 0

  /** A budget of `limit` bytes, an integer from 0 to 2^53-1. Throws `InvalidArgument`. */
  constructor(limit: number) {
    checkOffset("MemoryLimiter", "limit", limit)
    this.limit = limit
  }

  static make(limit: number): MemoryLimiter {
    return new MemoryLimiter(limit)
  }

  /** How many bytes are reserved now. */
  used(): number {
    return this.reserved
  }

  /** Reserves so many bytes more, or throws `MemoryLimit` and reserves none. */
  reserve(bytes: number): void {
    checkOffset("MemoryLimiter.reserve", "bytes", bytes)
    const wanted = this.reserved + bytes
    if (wanted > this.limit) throw new MemoryLimit({ limit: this.limit, wanted })
    this.reserved = wanted
  }

  /** Gives so many bytes back. More than are reserved is `InvalidArgument`. */
  release(bytes: number): void {
    checkOffset("MemoryLimiter.release", "bytes", bytes)
    if (bytes > this.reserved) {
      const reason = `${bytes} bytes can't be given back: ${this.reserved} are reserved`
      throw new InvalidArgument({ operation: "MemoryLimiter.release", reason })
    }
    this.reserved -= bytes
  }
}
