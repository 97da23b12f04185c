/**
 * Fibers that read through one page cache, and what happens to its device meanwhile.
 */
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { PageCache } from "../src/file/PageCache.ts"
import type { PageCacheService } from "../src/file/pageCacheService.ts"
import { attempt } from "../src/io/attempt.ts"
import { PageCacheModel } from "../src/testing/models/pageCache.ts"
import {
  afterTurns,
  deviceBytes,
  type DeviceFailed,
  type DeviceOptions,
  TestDevice
} from "./pageCacheDevice.ts"
import { outcomeOf, sameBytes } from "./pageCacheWatch.ts"

export interface Reading {
  /** In thousandths of the device and a bit more. */
  readonly at: number
  readonly length: number
  readonly how: "bytes" | "load" | "now" | "sequence"
}

export interface Reader {
  readonly startsAfter: number
  readonly interruptedAfter: number | undefined
  readonly readings: ReadonlyArray<Reading>
}

export interface Happening {
  readonly after: number
  readonly what: "invalidate" | "write" | "grow" | "fault"
  readonly at: number
  readonly length: number
}

/** A page cache that many read, beside its model. */
export class Crowd {
  readonly model: PageCacheModel
  readonly device: TestDevice
  readonly cache: PageCacheService<DeviceFailed>

  constructor(model: PageCacheModel, device: TestDevice, cache: PageCacheService<DeviceFailed>) {
    this.model = model
    this.device = device
    this.cache = cache
  }

  read(reader: Reader): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      yield* afterTurns(reader.startsAfter)
      for (const reading of reader.readings) yield* this.readOnce(reading)
    })
  }

  happen(happenings: ReadonlyArray<Happening>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { cache, device, model } = this
      for (const { after, at, length, what } of happenings) {
        yield* afterTurns(after)
        const address = this.address(at)
        if (what === "fault") device.faults.push("fails")
        if (what === "grow") model.write(model.size, deviceBytes(length, at))
        if (what === "write") model.write(Math.min(address, model.size), deviceBytes(length, at))
        if (what === "fault" || what === "grow") continue
        model.invalidate(address, length)
        device.invalidated(address, length)
        cache.invalidate(address, length)
      }
    })
  }

  /** All there is, read by one who is alone. */
  readAll(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { cache, device, model } = this
      device.faults.length = 0
      const bytes = yield* cache.getBytes(0, model.size)
      assert.isTrue(model.admits(0, bytes), "what is cached was never there, or was invalidated")
      cache.invalidate(0, model.size)
      sameBytes(yield* cache.getBytes(0, model.size), model.give(0, model.size), "after an invalidation")
    }).pipe(Effect.orDie)
  }

  private address(at: number): number {
    return Math.floor((at * (this.model.size + this.model.pageSize)) / 1000)
  }

  private readOnce({ at, how, length }: Reading): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { device, model } = this
      const address = this.address(at)
      const since = model.now()
      const { size } = model
      const cached = model.pages(address, length).every((page) => {
        const end = Math.min((page + 1) * model.pageSize, address + length)
        return this.cache.isCached(end - 1)
      })
      return Effect.map(outcomeOf(this.bytesOf(address, length, how)), (real) => {
        if ("value" in real) {
          const { bytes, offset } = real.value
          assert.isTrue(model.admits(offset, bytes, since), `${how} gives what was never there`)
          if (how !== "bytes" && how !== "now") return
          assert.deepStrictEqual([offset, bytes.length], [address, length])
        } else if (real.failure === "DeviceFailed") {
          assert.isNotEmpty(device.failed)
        } else if (real.failure === "Unsupported") {
          assert.isTrue(
            how === "now" && !(cached && address + length <= size),
            "what is cached is there at once"
          )
        } else {
          assert.strictEqual(real.failure, "ReadOutOfBounds")
          assert.isAbove(address + length, size, "what was there when the read began can be read")
        }
      })
    })
  }

  private bytesOf(
    address: number,
    length: number,
    how: Reading["how"]
  ): Effect.Effect<{ readonly offset: number; readonly bytes: Uint8Array }, unknown> {
    const { cache } = this
    const here = (bytes: Uint8Array) => ({ offset: address, bytes })
    switch (how) {
      case "bytes":
        return Effect.map(cache.getBytes(address, length), here)
      case "now":
        return Effect.map(
          attempt<Uint8Array, unknown>(() => cache.unsafe.getBytes(address, length)),
          here
        )
      case "load":
        return Effect.map(cache.load(address), (slice) => slice ?? here(new Uint8Array(0)))
      case "sequence": {
        const seen: Array<number> = []
        const all = cache.iterate(address, {}, (byte) => void seen.push(byte))
        return Effect.map(all, () => here(Uint8Array.from(seen)))
      }
    }
  }
}

export interface CrowdOptions extends DeviceOptions {
  readonly pageSize: number
  readonly cacheSize: number
  readonly readAhead: number
  /** The size of the device. */
  readonly size: number
}

export const crowdOf = (options: CrowdOptions): Effect.Effect<Crowd> =>
  Effect.gen(function* () {
    const bytes = deviceBytes(options.size, options.size)
    const model = new PageCacheModel({ pageSize: options.pageSize, bytes })
    const device = new TestDevice(model, options)
    return new Crowd(model, device, yield* PageCache.make({ ...options, map: device.map }))
  }).pipe(Effect.orDie)
