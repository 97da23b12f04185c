/** One source, one version of the object: what is compared, and what is asked of the server. */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { pattern } from "../../src/testing/ioLaw.ts"
import { failureOfRead, objectBytes, read, serve, sourceOf, streamed } from "./httpObject.ts"
import { goodAnswer, type ServedObject, withHeaders } from "./scriptedServer.ts"

const monday = "Mon, 05 Jan 2026 00:00:00 GMT"
const tuesday = "Tue, 06 Jan 2026 00:00:00 GMT"
const otherBytes = pattern(10_000, 5)

const identityOf = (object: ServedObject): Promise<string> =>
  serve(undefined, object).then((server) => Effect.runPromise(sourceOf(server.url).identity!))

const changed = (expected: string, found: string) => ({
  _tag: "SourceChanged",
  source: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/object$/),
  expected,
  found
})

describe("the identity", () => {
  it("is the strong ETag, or the weak one and Last-Modified, with the length, or the length alone", async () => {
    const bytes = objectBytes
    expect(await identityOf({ bytes, etag: '"a"', lastModified: monday })).toBe('etag "a", length 10000')
    expect(await identityOf({ bytes, etag: 'W/"a"', lastModified: monday })).toBe(
      `etag W/"a", last-modified ${monday}, length 10000`
    )
    expect(await identityOf({ bytes, etag: 'W/"a"' })).toBe('etag W/"a", length 10000')
    expect(await identityOf({ bytes, lastModified: monday })).toBe(`last-modified ${monday}, length 10000`)
    expect(await identityOf({ bytes })).toBe("length 10000")
  })
})

describe("a request", () => {
  const conditionOf = async (object: ServedObject): Promise<string | undefined> => {
    const server = await serve(undefined, object)
    await Effect.runPromise(read(sourceOf(server.url), 5, 10))
    return server.seen[1].headers["if-range"]
  }

  it("depends on the strong ETag, or on Last-Modified where there is none; a weak ETag can't be used", async () => {
    const bytes = objectBytes
    expect(await conditionOf({ bytes, etag: '"a"', lastModified: monday })).toBe('"a"')
    expect(await conditionOf({ bytes, lastModified: monday })).toBe(monday)
    expect(await conditionOf({ bytes, etag: 'W/"a"', lastModified: monday })).toBeUndefined()
    expect(await conditionOf({ bytes, etag: "unquoted" })).toBeUndefined()
    expect(await conditionOf({ bytes })).toBeUndefined()
  })
})

describe("an object that changes is SourceChanged, and nothing of it is given", () => {
  /** Reads, replaces the object, and reads again. `honoured`: whether the server heeds If-Range. */
  const readAcross = async (before: ServedObject, after: ServedObject, honoured: boolean) => {
    const object = { ...before }
    const server = await serve((request, good) => {
      const heard = honoured
        ? request
        : { ...request, headers: { ...request.headers, "if-range": undefined } }
      return good(heard)
    }, object)
    const source = sourceOf(server.url)
    expect(await Effect.runPromise(read(source, 0, 10))).toEqual(before.bytes.subarray(0, 10))
    Object.assign(object, { etag: undefined, lastModified: undefined }, after)
    const requests = server.seen.length
    const buffer = new Uint8Array(100)
    const failures = [
      await Effect.runPromise(Effect.flip(source.readAt(50, buffer))),
      await Effect.runPromise(Effect.flip(streamed(source, 0, 100)))
    ]
    expect(buffer).toEqual(new Uint8Array(100))
    // Never tried again: it would not change back.
    expect(server.seen.length - requests).toBe(2)
    return failures
  }

  for (const honoured of [true, false]) {
    const how = honoured ? "where If-Range is honoured" : "where If-Range is ignored"
    it(`by another ETag, ${how}`, async () => {
      const failures = await readAcross(
        { bytes: objectBytes, etag: '"a"' },
        { bytes: otherBytes, etag: '"b"' },
        honoured
      )
      const expected = changed('etag "a", length 10000', 'etag "b", length 10000')
      expect(failures).toMatchObject([expected, expected])
    })

    it(`by another Last-Modified, ${how}`, async () => {
      const failures = await readAcross(
        { bytes: objectBytes, lastModified: monday },
        { bytes: otherBytes, lastModified: tuesday },
        honoured
      )
      const expected = changed(
        `last-modified ${monday}, length 10000`,
        `last-modified ${tuesday}, length 10000`
      )
      expect(failures).toMatchObject([expected, expected])
    })
  }

  it("by another weak ETag, or the same one with another Last-Modified", async () => {
    const before = { bytes: objectBytes, etag: 'W/"a"', lastModified: monday }
    for (const after of [
      { bytes: otherBytes, etag: 'W/"b"', lastModified: monday },
      { bytes: otherBytes, etag: 'W/"a"', lastModified: tuesday }
    ]) {
      const [failure] = await readAcross(before, after, true)
      expect(failure).toMatchObject({ _tag: "SourceChanged" })
    }
  })

  it("by another length, even if the server tells nothing else", async () => {
    const [failure] = await readAcross({ bytes: objectBytes }, { bytes: objectBytes.subarray(1) }, true)
    expect(failure).toMatchObject(changed("length 10000", "length 9999"))
  })

  it("by an ETag that was strong and is weak", async () => {
    const [failure] = await readAcross(
      { bytes: objectBytes, etag: '"a"' },
      { bytes: otherBytes, etag: 'W/"a"' },
      false
    )
    expect(failure).toMatchObject({ _tag: "SourceChanged" })
  })

  it("by status 412, and by 416 of an object of another length", async () => {
    for (const [status, range, found] of [
      [412, undefined, "another version (status 412)"],
      [416, "bytes */500", 'etag "a", length 500']
    ] as const) {
      const server = await serve(
        (request) =>
          request.headers["range"] === "bytes=0-0"
            ? undefined
            : { status, headers: { "content-range": range, "content-length": "0" } },
        { bytes: objectBytes, etag: '"a"' }
      )
      expect(await failureOfRead(sourceOf(server.url))).toMatchObject(
        changed('etag "a", length 10000', found)
      )
    }
  })

  it("in the middle of a stream that broke off: no mixture of two versions is given", async () => {
    const object: ServedObject = { bytes: objectBytes, etag: '"a"' }
    const server = await serve((request, good) => {
      const answer = good(request)
      if (request.headers["range"] !== "bytes=0-9999") return undefined
      Object.assign(object, { bytes: otherBytes, etag: '"b"' })
      return { ...answer, body: answer.body!.subarray(0, 4000), then: "reset" }
    }, object)
    const source = sourceOf(server.url)
    const buffer = new Uint8Array(10_000)
    const failure = await Effect.runPromise(Effect.flip(source.readAt(0, buffer)))
    expect(failure).toMatchObject(changed('etag "a", length 10000', 'etag "b", length 10000'))
    const came = buffer.findLastIndex((byte) => byte !== 0) + 1
    expect(came).toBeLessThanOrEqual(4000)
    expect(buffer.subarray(0, came)).toEqual(objectBytes.subarray(0, came))
  })
})

describe("what is no change", () => {
  it("another Last-Modified beside the same strong ETag, as mirrors send it", async () => {
    const server = await serve(
      (request, good, number) =>
        withHeaders(good(request), { "last-modified": number === 0 ? monday : tuesday }),
      { bytes: objectBytes, etag: '"a"', lastModified: monday }
    )
    expect(await Effect.runPromise(read(sourceOf(server.url), 5, 10))).toEqual(objectBytes.subarray(5, 15))
  })

  it("a part without Last-Modified, when it was sent under the condition that it is the same", async () => {
    const object: ServedObject = { bytes: objectBytes, lastModified: monday }
    const server = await serve(
      (request) =>
        request.headers["if-range"] === undefined
          ? undefined
          : withHeaders(goodAnswer(object, request), { "last-modified": undefined }),
      object
    )
    expect(await Effect.runPromise(read(sourceOf(server.url), 5, 10))).toEqual(objectBytes.subarray(5, 15))
  })
})
