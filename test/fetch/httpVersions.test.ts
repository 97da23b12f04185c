/** One source, one version of the object: what is compared, and what is asked of the server. */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { pattern } from "../../src/testing/ioLaw.ts"
import { failureOfRead, objectBytes, read, serve, sourceOf, streamed } from "./httpObject.ts"
import { goodAnswer, type SeenRequest, type ServedObject, withHeaders } from "./scriptedServer.ts"

const monday = "Mon, 05 Jan 2026 00:00:00 GMT"
const tuesday = "Tue, 06 Jan 2026 00:00:00 GMT"
const wednesday = "Wed, 07 Jan 2026 00:00:00 GMT"
const otherBytes = pattern(10_000, 5)

/** What a server hears that ignores If-Range. */
const withoutCondition = (request: SeenRequest): SeenRequest => ({
  ...request,
  headers: { ...request.headers, "if-range": undefined }
})

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
    expect(await conditionOf({ bytes, lastModified: monday, date: tuesday })).toBe(monday)
    expect(await conditionOf({ bytes, etag: 'W/"a"', lastModified: monday })).toBeUndefined()
    expect(await conditionOf({ bytes, etag: "unquoted" })).toBeUndefined()
    expect(await conditionOf({ bytes })).toBeUndefined()
  })

  it("depends on no Last-Modified within which the object may have changed once more", async () => {
    const at = (date: string | undefined) => conditionOf({ bytes: objectBytes, lastModified: monday, date })
    expect(await at("Mon, 05 Jan 2026 00:01:00 GMT")).toBe(monday)
    expect(await at("Mon, 05 Jan 2026 00:00:59 GMT")).toBeUndefined()
    expect(await at(monday)).toBeUndefined()
    expect(await at("Sun, 04 Jan 2026 00:00:00 GMT")).toBeUndefined()
    expect(await at("some day")).toBeUndefined()
    expect(await at(undefined)).toBeUndefined()
  })
})

describe("an object that changes is SourceChanged, and nothing of it is given", () => {
  /** Reads, replaces the object, and reads again. `honoured`: whether the server heeds If-Range. */
  const readAcross = async (before: ServedObject, after: ServedObject, honoured: boolean) => {
    const object = { ...before }
    const server = await serve((request, good) => {
      return good(honoured ? request : withoutCondition(request))
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
        { bytes: objectBytes, lastModified: monday, date: wednesday },
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

  it("by another Last-Modified, where the first was too fresh to be a condition", async () => {
    const failures = await readAcross(
      { bytes: objectBytes, lastModified: monday, date: monday },
      { bytes: otherBytes, lastModified: tuesday },
      true
    )
    expect(failures).toMatchObject([{ _tag: "SourceChanged" }, { _tag: "SourceChanged" }])
  })

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
      [416, "bytes */500", "length 500"]
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

  const changedBehindFirst = async (headers: Readonly<Record<string, string>>, status: number) => {
    const server = await serve(
      (_, __, number) =>
        number === 0 ? undefined : { status, headers: { "content-length": "10", ...headers } },
      { bytes: objectBytes, etag: '"a"' }
    )
    return failureOfRead(sourceOf(server.url))
  }

  it("by 416 with another ETag, whether it tells a length or not", async () => {
    const expected = changed('etag "a", length 10000', expect.stringMatching(/^etag "b"/))
    expect(await changedBehindFirst({ etag: '"b"' }, 416)).toMatchObject(expected)
    const same = { etag: '"b"', "content-range": "bytes */10000" }
    expect(await changedBehindFirst(same, 416)).toMatchObject(expected)
  })

  it("also where it now comes encoded, or with a range that makes no sense", async () => {
    for (const status of [200, 206]) {
      const encoded = { etag: '"b"', "content-encoding": "gzip" }
      expect(await changedBehindFirst(encoded, status)).toMatchObject({
        _tag: "SourceChanged",
        found: expect.stringContaining('etag "b"')
      })
    }
    const odd = { etag: '"b"', "content-range": "bytes 1000-1099/none" }
    expect(await changedBehindFirst(odd, 206)).toMatchObject(changed('etag "a", length 10000', 'etag "b"'))
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

describe("a validator that only later answers have", () => {
  /** Answers with these headers, one after the other, and at last with the last ones. */
  const servedWith = (...all: ReadonlyArray<Readonly<Record<string, string | undefined>>>) =>
    serve(
      (request, _, number) =>
        withHeaders(
          goodAnswer({ bytes: objectBytes }, withoutCondition(request)),
          all[Math.min(number, all.length - 1)]
        ),
      { bytes: objectBytes }
    )

  it("is compared from the first one on: no mixture of two versions is given", async () => {
    const dated = { "last-modified": monday, date: wednesday }
    for (const beside of [{}, dated]) {
      const server = await servedWith(beside, { ...beside, etag: '"one"' }, { ...beside, etag: '"two"' })
      const source = sourceOf(server.url)
      const identity = await Effect.runPromise(source.identity!)
      expect(await Effect.runPromise(read(source, 0, 100))).toEqual(objectBytes.subarray(0, 100))
      expect(await failureOfRead(source)).toMatchObject(
        changed('etag "one", length 10000', 'etag "two", length 10000')
      )
      expect(await Effect.runPromise(source.identity!)).toBe(identity)
    }
  })

  it("is compared too where it is a Last-Modified, or a weak ETag beside one", async () => {
    for (const [first, second, third] of [
      [{}, { "last-modified": monday }, { "last-modified": tuesday }],
      [
        { etag: 'W/"x"' },
        { etag: 'W/"x"', "last-modified": monday },
        { etag: 'W/"x"', "last-modified": tuesday }
      ],
      [
        { "last-modified": monday },
        { etag: 'W/"x"', "last-modified": monday },
        { etag: 'W/"y"', "last-modified": monday }
      ]
    ]) {
      const source = sourceOf((await servedWith(first, second, third)).url)
      await Effect.runPromise(read(source, 0, 100))
      expect(await failureOfRead(source)).toMatchObject({ _tag: "SourceChanged" })
    }
  })

  it("of two answers at once is that of the one that was first", async () => {
    const server = await servedWith({}, { etag: '"one"' }, { etag: '"two"' })
    const source = sourceOf(server.url)
    await Effect.runPromise(source.length)
    const results = await Effect.runPromise(
      Effect.all([Effect.exit(read(source, 0, 100)), Effect.exit(read(source, 200, 100))], { concurrency: 2 })
    )
    expect(results.map(({ _tag }) => _tag).toSorted()).toEqual(["Failure", "Success"])
  })

  it("is no condition, since not every server of the object may know it", async () => {
    const server = await servedWith(
      { "last-modified": monday, date: wednesday },
      { etag: '"one"', "last-modified": monday }
    )
    const source = sourceOf(server.url)
    for (let i = 0; i < 3; i++) await Effect.runPromise(read(source, 5, 10))
    const conditions = server.seen.map(({ headers }) => headers["if-range"])
    expect(conditions).toEqual([undefined, monday, undefined, undefined])
  })

  it("must be told again, unless what the first answer told is", async () => {
    const dated = { "last-modified": monday, date: wednesday }
    const bare = sourceOf((await servedWith({}, { etag: '"one"' }, {})).url)
    await Effect.runPromise(read(bare, 0, 100))
    expect(await failureOfRead(bare)).toMatchObject({
      _tag: "SourceFailed",
      reason: "the server no longer says which version it sends (ETag)"
    })
    const source = sourceOf((await servedWith(dated, { ...dated, etag: '"one"' }, dated)).url)
    await Effect.runPromise(read(source, 0, 100))
    expect(await Effect.runPromise(read(source, 5, 10))).toEqual(objectBytes.subarray(5, 15))
  })

  it("of an answer that is refused is not kept", async () => {
    const server = await serve(
      (request, good, number) =>
        number === 1
          ? withHeaders(good(request), { etag: '"of-a-stranger"', "content-range": "bytes 1-2/10000" })
          : undefined,
      { bytes: objectBytes }
    )
    const source = sourceOf(server.url)
    expect(await failureOfRead(source)).toMatchObject({ _tag: "SourceFailed" })
    expect(await Effect.runPromise(read(source, 5, 10))).toEqual(objectBytes.subarray(5, 15))
  })
})

describe("whether the identity tells versions apart", () => {
  it("is so where the first answer has a validator, and stays so", async () => {
    const isVersioned = async (object: ServedObject) => {
      const server = await serve(
        (request, good, number) =>
          number === 0 ? undefined : withHeaders(good(request), { etag: object.etag ?? '"later"' }),
        object
      )
      const source = sourceOf(server.url)
      const first = await Effect.runPromise(source.isVersioned!)
      await Effect.runPromise(read(source, 5, 10))
      expect(await Effect.runPromise(source.isVersioned!)).toBe(first)
      return first
    }
    const bytes = objectBytes
    expect(await isVersioned({ bytes, etag: '"a"' })).toBe(true)
    expect(await isVersioned({ bytes, etag: 'W/"a"' })).toBe(true)
    expect(await isVersioned({ bytes, lastModified: monday })).toBe(true)
    expect(await isVersioned({ bytes })).toBe(false)
  })
})

describe("what is no change", () => {
  it("the same object encoded, whose ETag is weak for that: it is refused as encoded", async () => {
    for (const status of [200, 206]) {
      const server = await serve(
        (_, __, number) =>
          number === 0
            ? undefined
            : { status, headers: { etag: 'W/"a"', "content-encoding": "gzip", "content-length": "10" } },
        { bytes: objectBytes, etag: '"a"' }
      )
      expect(await failureOfRead(sourceOf(server.url))).toMatchObject({
        _tag: "SourceFailed",
        reason: expect.stringContaining("encoded (gzip)")
      })
    }
  })

  it("another Last-Modified beside the same strong ETag, as mirrors send it", async () => {
    const server = await serve(
      (request, good, number) =>
        withHeaders(good(request), { "last-modified": number === 0 ? monday : tuesday }),
      { bytes: objectBytes, etag: '"a"', lastModified: monday }
    )
    expect(await Effect.runPromise(read(sourceOf(server.url), 5, 10))).toEqual(objectBytes.subarray(5, 15))
  })

  it("a part without Last-Modified, when it was sent under the condition that it is the same", async () => {
    const object: ServedObject = { bytes: objectBytes, lastModified: monday, date: wednesday }
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
