/**
 * A memory limiter gives out what it has, takes back what it gave, and does neither by halves.
 */
import { describe, expect, it } from "vitest"
import { InvalidArgument, MemoryLimit } from "../../src/bytes/errors.ts"
import { MemoryLimiter } from "../../src/bytes/memoryLimiter.ts"

const notLengths = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]

describe("a memory limiter", () => {
  it("counts what is reserved and released", () => {
    const limiter = MemoryLimiter.make(100)
    limiter.reserve(60)
    limiter.reserve(0)
    expect(limiter.used()).toBe(60)
    limiter.release(20)
    expect(limiter.used()).toBe(40)
    limiter.reserve(60)
    expect([limiter.used(), limiter.limit]).toEqual([100, 100])
  })

  it("refuses what is beyond the limit, says what was wanted, and has reserved none of it", () => {
    const limiter = new MemoryLimiter(100)
    limiter.reserve(70)
    expect(() => limiter.reserve(31)).toThrow(new MemoryLimit({ limit: 100, wanted: 101 }))
    expect(limiter.used()).toBe(70)
    limiter.reserve(30)
  })

  it("of nothing gives nothing", () => {
    const limiter = new MemoryLimiter(0)
    limiter.reserve(0)
    expect(() => limiter.reserve(1)).toThrow(MemoryLimit)
  })

  it("takes no more back than it gave", () => {
    const limiter = new MemoryLimiter(100)
    limiter.reserve(10)
    expect(() => limiter.release(11)).toThrow(InvalidArgument)
    expect(limiter.used()).toBe(10)
  })

  it("keeps exact account up to 2^53-1", () => {
    const limiter = new MemoryLimiter(Number.MAX_SAFE_INTEGER)
    limiter.reserve(Number.MAX_SAFE_INTEGER - 1)
    limiter.reserve(1)
    for (const more of [1, 2, Number.MAX_SAFE_INTEGER]) {
      expect(() => limiter.reserve(more)).toThrow(MemoryLimit)
    }
    limiter.release(Number.MAX_SAFE_INTEGER)
    expect(limiter.used()).toBe(0)
  })

  it("refuses what is no number of bytes", () => {
    const limiter = new MemoryLimiter(100)
    limiter.reserve(50)
    for (const bytes of notLengths) {
      expect(() => new MemoryLimiter(bytes)).toThrow(InvalidArgument)
      expect(() => limiter.reserve(bytes)).toThrow(InvalidArgument)
      expect(() => limiter.release(bytes)).toThrow(InvalidArgument)
    }
    expect(limiter.used()).toBe(50)
  })
})
