/**
 * The typed reads of a page cache: integers of 8 to 64 bits.
 *
 * One that lies on one cached page is read where it lies; any other is brought together first. They are
 * written out one by one, since made from a table all would share one call of what reads them, which
 * could not be inlined.
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import { InvalidArgument } from "../bytes/errors.ts"
import { attempt, thrown } from "../io/attempt.ts"
import type { IntegerGetterName, Integers, PageReadError, UnsafeIntegers } from "./pageCacheService.ts"
import type { PageFrames } from "./pageFrames.ts"
import type { PageReading } from "./pageReading.ts"

const nativeIsLittle = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** A 64-bit integer as a number, from its halves. What a number can't hold is never rounded to what it can. */
const safe = (operation: string, high: number, low: number): number => {
  const value = high * 2 ** 32 + low
  if (Number.isSafeInteger(value)) return value
  const exact = BigInt(high) * 2n ** 32n + BigInt(low)
  throw new InvalidArgument({ operation, reason: `${exact} is beyond what a number can hold, 2^53-1` })
}

/** Gives where in a view the `size` bytes at `address` are. */
type Locate = (operation: IntegerGetterName, address: number, size: number) => number

/** The reads of `view` where `at` says. */
const integersOf = (view: DataView, at: Locate): UnsafeIntegers => {
  const safeInt = (operation: IntegerGetterName, place: number, little: boolean): number => {
    const [high, low] = little ? [place + 4, place] : [place, place + 4]
    return safe(operation, view.getInt32(high, little), view.getUint32(low, little))
  }
  const safeUint = (operation: IntegerGetterName, place: number, little: boolean): number => {
    const [high, low] = little ? [place + 4, place] : [place, place + 4]
    return safe(operation, view.getUint32(high, little), view.getUint32(low, little))
  }
  return {
    getInt8: (address) => view.getInt8(at("getInt8", address, 1)),
    getUint8: (address) => view.getUint8(at("getUint8", address, 1)),
    getInt16LE: (address) => view.getInt16(at("getInt16LE", address, 2), true),
    getInt16BE: (address) => view.getInt16(at("getInt16BE", address, 2), false),
    getInt16NE: (address) => view.getInt16(at("getInt16NE", address, 2), nativeIsLittle),
    getUint16LE: (address) => view.getUint16(at("getUint16LE", address, 2), true),
    getUint16BE: (address) => view.getUint16(at("getUint16BE", address, 2), false),
    getUint16NE: (address) => view.getUint16(at("getUint16NE", address, 2), nativeIsLittle),
    getInt32LE: (address) => view.getInt32(at("getInt32LE", address, 4), true),
    getInt32BE: (address) => view.getInt32(at("getInt32BE", address, 4), false),
    getInt32NE: (address) => view.getInt32(at("getInt32NE", address, 4), nativeIsLittle),
    getUint32LE: (address) => view.getUint32(at("getUint32LE", address, 4), true),
    getUint32BE: (address) => view.getUint32(at("getUint32BE", address, 4), false),
    getUint32NE: (address) => view.getUint32(at("getUint32NE", address, 4), nativeIsLittle),
    getInt64LE: (address) => view.getBigInt64(at("getInt64LE", address, 8), true),
    getInt64BE: (address) => view.getBigInt64(at("getInt64BE", address, 8), false),
    getInt64NE: (address) => view.getBigInt64(at("getInt64NE", address, 8), nativeIsLittle),
    getUint64LE: (address) => view.getBigUint64(at("getUint64LE", address, 8), true),
    getUint64BE: (address) => view.getBigUint64(at("getUint64BE", address, 8), false),
    getUint64NE: (address) => view.getBigUint64(at("getUint64NE", address, 8), nativeIsLittle),
    getSafeInt64LE: (address) => safeInt("getSafeInt64LE", at("getSafeInt64LE", address, 8), true),
    getSafeInt64BE: (address) => safeInt("getSafeInt64BE", at("getSafeInt64BE", address, 8), false),
    getSafeInt64NE: (address) => safeInt("getSafeInt64NE", at("getSafeInt64NE", address, 8), nativeIsLittle),
    getSafeUint64LE: (address) => safeUint("getSafeUint64LE", at("getSafeUint64LE", address, 8), true),
    getSafeUint64BE: (address) => safeUint("getSafeUint64BE", at("getSafeUint64BE", address, 8), false),
    getSafeUint64NE: (address) =>
      safeUint("getSafeUint64NE", at("getSafeUint64NE", address, 8), nativeIsLittle)
  }
}

/** The synchronous forms. */
export const unsafeIntegers = <E>(frames: PageFrames, reading: PageReading<E>): UnsafeIntegers =>
  integersOf(frames.view, (operation, address, size) => {
    const place = frames.place(address, size)
    return place >= 0 ? place : reading.gatherNow(operation, address, size)
  })

/** How many bytes the integer of a name has: two of `getUint16LE`. */
const sizeOf = (name: IntegerGetterName): number => Number(/\d+/.exec(name)) / 8

/** For views whose places are known: what is called an address is the place itself. */
const itself: Locate = (_operation, place) => place

/** The Effects. */
export const effectIntegers = <E>(frames: PageFrames, reading: PageReading<E>): Integers<E> => {
  const cached = integersOf(frames.view, itself)
  // What was brought together is put here, and read in the same step.
  const bytes = new Uint8Array(8)
  const gathered = integersOf(new DataView(bytes.buffer), itself)
  const effectOf = (name: IntegerGetterName) => {
    const size = sizeOf(name)
    const decodeCached: (place: number) => number | bigint = cached[name]
    const decodeGathered: (place: number) => number | bigint = gathered[name]
    const gather = (address: number) =>
      Effect.flatMap(reading.getBytes(name, address, size), (read) =>
        attempt<number | bigint, InvalidArgument>(() => {
          bytes.set(read)
          return decodeGathered(0)
        })
      )
    // A class of its own is evaluated in fewer steps than a closure that is suspended.
    class IntegerRead extends Effectable.Class<number | bigint, PageReadError<E>> {
      readonly address: number
      constructor(address: number) {
        super()
        this.address = address
      }
      override asEffect(): Effect.Effect<number | bigint, PageReadError<E>> {
        const place = frames.place(this.address, size)
        if (place < 0) return gather(this.address)
        try {
          return Effect.succeed(decodeCached(place))
        } catch (cause) {
          return thrown<InvalidArgument>(cause)
        }
      }
    }
    return (address: number): Effect.Effect<number | bigint, PageReadError<E>> => new IntegerRead(address)
  }
  const names = Object.keys(cached) as ReadonlyArray<IntegerGetterName>
  // Each function has the type that its name has in the interface, which no type of a loop can say.
  return Object.fromEntries(names.map((name) => [name, effectOf(name)])) as unknown as Integers<E>
}
