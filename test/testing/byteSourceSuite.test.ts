/** The laws about sources of bytes catch what they are there for: sources that break one, and no more. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { expect, it } from "vitest"
import { ByteSource } from "../../src/fetch/ByteSource.ts"
import { byteSourceSuite, type ByteSourceSuiteOptions } from "../../src/testing/byteSourceSuite.ts"

/** The names of the laws that a source breaks. */
const brokenBy = async (
  make: (bytes: Uint8Array) => ByteSource<unknown>,
  options: ByteSourceSuiteOptions = {}
): Promise<ReadonlyArray<string>> => {
  const broken: Array<string> = []
  for (const law of byteSourceSuite((bytes) => Effect.succeed(make(bytes)), {
    chunkSize: 4096,
    ...options
  })) {
    await law.run().catch(() => broken.push(law.name))
  }
  return broken
}

/** A source like that of the bytes, of which a part is replaced. */
const spoiled =
  (change: (good: ByteSource<unknown>, bytes: Uint8Array) => Partial<ByteSource<unknown>>) =>
  (bytes: Uint8Array): ByteSource<unknown> => {
    const { identity, length, name, readAt, stream } = ByteSource.fromBytes(bytes)
    const good = { identity, length, name, readAt, stream }
    return { ...good, ...change(good, bytes) }
  }

it("a good source breaks none", async () => {
  expect(await brokenBy(spoiled(() => ({})))).toEqual([])
})

it("a source that wipes what lies around the buffer, or the rest of it, is caught", async () => {
  const around = spoiled((good) => ({
    readAt: (offset, buffer) => {
      new Uint8Array(buffer.buffer).fill(0)
      return good.readAt(offset, buffer)
    }
  }))
  expect(await brokenBy(around)).toContain("one read gives all of the object, and a larger buffer no more")
  const rest = spoiled((good) => ({
    readAt: (offset, buffer) =>
      Effect.map(good.readAt(offset, buffer), (count) => {
        buffer.fill(0, count)
        return count
      })
  }))
  expect(await brokenBy(rest)).toContain("at the end and beyond there are 0 bytes")
})

it("a source that takes every number for an offset is caught, as is one that dies of some", async () => {
  const law = "a read at what is no offset is a failure, and leaves its buffer alone"
  const lenient = spoiled((_, bytes) => ({
    readAt: (offset, buffer) =>
      Effect.sync(() => {
        const found = bytes.subarray(offset, offset + buffer.length)
        buffer.set(found)
        return found.length
      })
  }))
  expect(await brokenBy(lenient)).toEqual([law])
  const dying = spoiled((good) => ({
    readAt: (offset, buffer) =>
      Number.isSafeInteger(offset) && offset >= 0
        ? good.readAt(offset, buffer)
        : Effect.die(new RangeError("no offset"))
  }))
  expect(await brokenBy(dying)).toEqual([law])
  const streaming = spoiled((_, bytes) => ({
    stream: (offset, length) => Stream.make(bytes.slice(offset, offset + length))
  }))
  expect(await brokenBy(streaming)).toEqual(["a stream from what is no offset is a failure"])
})

it("a stream that is wrong about a chunk's edge is caught", async () => {
  const short = spoiled((good) => ({
    stream: (offset, length) => good.stream!(offset, offset === 4097 && length === 4095 ? length - 1 : length)
  }))
  expect(await brokenBy(short)).toEqual(["around the edges of chunks a stream gives what reads give"])
})

it("an identity that rests on the length alone is caught, unless the source says so", async () => {
  const law = "an object that was changed, and is as long as before, has another identity"
  const byLength = spoiled((_, bytes) => ({ identity: Effect.succeed(`${bytes.length}`) }))
  const change = (make: (bytes: Uint8Array) => ByteSource<unknown>) => ({
    change: (_: ByteSource<unknown>, bytes: Uint8Array) => Effect.succeed(make(bytes))
  })
  expect(await brokenBy(byLength)).toEqual([])
  expect(await brokenBy(byLength, change(byLength))).toEqual([law])
  const honest = spoiled((_, bytes) => ({
    identity: Effect.succeed(`${bytes.length}`),
    isVersioned: Effect.succeed(false)
  }))
  expect(await brokenBy(honest, change(honest))).toEqual([])
  const good = spoiled(() => ({}))
  expect(await brokenBy(good, change(good))).toEqual([])
})
