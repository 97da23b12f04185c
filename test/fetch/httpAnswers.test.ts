/** What a source does with each kind of answer: one rule, one tag. */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { pattern } from "../../src/testing/ioLaw.ts"
import { failureOfRead, objectBytes, objectEtag, read, serve, sourceOf, streamed } from "./httpObject.ts"
import {
  type Answer,
  chunked,
  goodAnswer,
  gzipped,
  type Script,
  type SeenRequest,
  type ServedObject,
  withHeaders
} from "./scriptedServer.ts"

const isFirst = (request: SeenRequest) => request.headers["range"] === "bytes=0-0"

/** Answers what comes behind the first request. */
const later =
  (change: (good: Answer, request: SeenRequest) => Answer | "stall" | "reset"): Script =>
  (request, good) =>
    isFirst(request) ? undefined : change(good(request), request)

const always =
  (change: (good: Answer, request: SeenRequest) => Answer): Script =>
  (request, good) =>
    change(good(request), request)

const whole = (length: number | undefined, etag: string | undefined = objectEtag): Answer => ({
  status: 200,
  headers: { etag, "content-length": length === undefined ? undefined : `${length}` },
  body: objectBytes
})

const failed = (words: string) => ({
  _tag: "SourceFailed",
  offset: 1000,
  reason: expect.stringContaining(words)
})

describe("an answer to a range request that is refused, and not asked for again", () => {
  const cases: ReadonlyArray<[string, (good: Answer) => Answer, string]> = [
    [
      "a wrong start",
      (good) => withHeaders(good, { "content-range": "bytes 999-1098/10000" }),
      "sends 999-1098"
    ],
    [
      "a wrong end",
      (good) => withHeaders(good, { "content-range": "bytes 1000-1098/10000" }),
      "sends 1000-1098"
    ],
    [
      "a later end",
      (good) => withHeaders(good, { "content-range": "bytes 1000-1100/10000" }),
      "sends 1000-1100"
    ],
    [
      "no Content-Range",
      (good) => withHeaders(good, { "content-range": undefined }),
      "doesn't say which part"
    ],
    [
      "no range in it",
      (good) => withHeaders(good, { "content-range": "bytes */10000" }),
      "doesn't say which part"
    ],
    [
      "nonsense in it",
      (good) => withHeaders(good, { "content-range": "bytes ten-20/x" }),
      "makes no sense: bytes ten"
    ],
    [
      "an end before its start",
      (good) => withHeaders(good, { "content-range": "bytes 9-3/10000" }),
      "makes no sense"
    ],
    [
      "an end beyond its total",
      (good) => withHeaders(good, { "content-range": "bytes 9-10000/10000" }),
      "makes no sense"
    ],
    [
      "a total of 2^60",
      (good) => withHeaders(good, { "content-range": `bytes 1000-1099/${2n ** 60n}` }),
      "makes no sense"
    ],
    [
      "a Content-Length of 2^60",
      (good) => withHeaders(good, { "content-length": `${2n ** 60n}` }),
      "makes no sense"
    ],
    [
      "a longer Content-Length",
      (good) => withHeaders(good, { "content-length": "101" }),
      "101 bytes as a part of 100"
    ],
    [
      "a shorter Content-Length",
      (good) => withHeaders(good, { "content-length": "99" }),
      "99 bytes as a part of 100"
    ],
    [
      "several parts",
      (good) => withHeaders(good, { "content-type": "multipart/byteranges; boundary=x" }),
      "several parts"
    ],
    [
      "a compressed body",
      (good) => withHeaders({ ...good, body: gzipped(good.body!) }, { "content-encoding": "gzip" }),
      "encoded (gzip)"
    ],
    [
      "more bytes than announced",
      (good) => ({
        ...withHeaders(good, { "content-length": undefined, "transfer-encoding": "chunked" }),
        body: chunked(objectBytes.subarray(1000, 1101))
      }),
      "more than the 100 bytes"
    ],
    [
      "bytes without an end",
      (good) => ({
        ...withHeaders(good, { "content-length": undefined, "transfer-encoding": "chunked" }),
        body: chunked(objectBytes.subarray(1000, 1200), false),
        then: "stall"
      }),
      "more than the 100 bytes"
    ],
    ["all of the object", () => whole(10_000), "can't send parts"],
    [
      "416 with the same length",
      () => ({ status: 416, headers: { "content-range": "bytes */10000" } }),
      "(416)"
    ],
    ["416 without a length", () => ({ status: 416, headers: { "content-length": "0" } }), "(416)"],
    ["400", () => ({ status: 400 }), "status 400"],
    ["401", () => ({ status: 401 }), "wants to know who asks (401)"],
    ["403", () => ({ status: 403 }), "doesn't allow it (403)"],
    ["404", () => ({ status: 404 }), "nothing at this address (404)"],
    ["410", () => ({ status: 410 }), "any more (410)"],
    ["501", () => ({ status: 501 }), "status 501"],
    ["204", () => ({ status: 204 }), "status 204"],
    ["304", () => ({ status: 304 }), "status 304"],
    ["no ETag any more", (good) => withHeaders(good, { etag: undefined }), "no longer says which version"]
  ]
  for (const [name, change, words] of cases) {
    it(`${name} is SourceFailed`, async () => {
      const server = await serve(later(change))
      expect(await failureOfRead(sourceOf(server.url))).toMatchObject(failed(words))
      expect(server.seen).toHaveLength(2)
    })
  }

  it("tells its status by the failure, where that is what failed", async () => {
    for (const status of [401, 403, 404, 416, 501]) {
      const server = await serve(later(() => ({ status, headers: { "content-length": "0" } })))
      expect(await failureOfRead(sourceOf(server.url))).toMatchObject({ _tag: "SourceFailed", status })
    }
    const busy = await serve(later(() => ({ status: 503, headers: { "content-length": "0" } })))
    expect(await failureOfRead(sourceOf(busy.url))).toMatchObject({ _tag: "SourceFailed", status: 503 })
    const broken = await serve(later(() => "reset"))
    const odd = await serve(later((good) => withHeaders(good, { "content-range": undefined })))
    for (const { url } of [broken, odd]) {
      const failure = await failureOfRead(sourceOf(url))
      expect(failure).toMatchObject({ _tag: "SourceFailed", status: undefined })
    }
  })

  it("an encoding called identity is none", async () => {
    const server = await serve(later((good) => withHeaders(good, { "content-encoding": "identity" })))
    expect(await Effect.runPromise(read(sourceOf(server.url), 5, 100))).toEqual(objectBytes.subarray(5, 105))
  })

  it("a total that is not told is none, and no contradiction", async () => {
    const server = await serve(later((good) => withHeaders(good, { "content-range": "bytes 5-104/*" })))
    expect(await Effect.runPromise(read(sourceOf(server.url), 5, 100))).toEqual(objectBytes.subarray(5, 105))
  })

  it("a body in chunks is one like any other", async () => {
    const server = await serve(
      later((good) => ({
        ...withHeaders(good, { "content-length": undefined, "transfer-encoding": "chunked" }),
        body: chunked(good.body!)
      }))
    )
    expect(await Effect.runPromise(read(sourceOf(server.url), 5, 100))).toEqual(objectBytes.subarray(5, 105))
  })
})

describe("a server that sends all of the object in place of a part", () => {
  it("serves ranges at the start, and no more is read than that", async () => {
    const big = new Uint8Array(64 * (1 << 20))
    big.set(objectBytes)
    const object: ServedObject = { bytes: big, etag: objectEtag }
    const server = await serve((request) => goodAnswer(object, { ...request, headers: {} }), object)
    const source = sourceOf(server.url)
    expect(await Effect.runPromise(source.length)).toBe(big.length)
    expect(await Effect.runPromise(read(source, 0, 5000))).toEqual(objectBytes.subarray(0, 5000))
    expect(await Effect.runPromise(streamed(source, 0, 5000))).toEqual(objectBytes.subarray(0, 5000))
    expect(await failureOfRead(source)).toMatchObject(failed("can't send parts"))
  })

  /** Sends all of the object, or its first bytes and then the end of the connection. */
  const wholeOf = (bytes: Uint8Array, etag: string | undefined, sent = bytes.length): Answer => ({
    status: 200,
    headers: { etag, "content-length": `${bytes.length}` },
    body: bytes.subarray(0, sent),
    then: sent < bytes.length ? "end" : "keep"
  })

  it("says so by hasRanges; one that sends parts says the contrary, and so does an empty object", async () => {
    const hasRanges = async (script?: Script, object?: ServedObject) =>
      Effect.runPromise(sourceOf((await serve(script, object)).url).hasRanges!)
    expect(await hasRanges()).toBe(true)
    expect(await hasRanges(() => whole(10_000))).toBe(false)
    const empty: ServedObject = { bytes: new Uint8Array(0) }
    expect(await hasRanges(undefined, empty)).toBe(true)
    expect(await hasRanges(() => wholeOf(empty.bytes, undefined), empty)).toBe(true)
  })

  it("is streamed from the beginning to the end, also where the answer breaks off again and again", async () => {
    const bytes = pattern(1_000_000)
    const server = await serve((_, __, number) =>
      wholeOf(bytes, objectEtag, number === 0 || number > 4 ? undefined : number * 200_000)
    )
    const source = sourceOf(server.url)
    const found = await Effect.runPromise(streamed(source, 0, bytes.length))
    expect(Buffer.compare(found, bytes)).toBe(0)
    expect(server.seen.map(({ headers }) => headers["range"])).toEqual([
      "bytes=0-0",
      "bytes=0-999999",
      "bytes=200000-999999",
      "bytes=400000-999999",
      "bytes=600000-999999",
      "bytes=800000-999999"
    ])
    expect(await Effect.runPromise(read(source, 0, 700_000))).toEqual(bytes.subarray(0, 700_000))
    expect(await failureOfRead(source)).toMatchObject(failed("can't send parts"))
  })

  it("gives no mixture when the object changes while its answer breaks off", async () => {
    const other = pattern(1_000_000, 7)
    const server = await serve((_, __, number) =>
      number < 2 ? wholeOf(pattern(1_000_000), '"a"', 300_000) : wholeOf(other, '"b"')
    )
    const failure = await Effect.runPromise(Effect.flip(streamed(sourceOf(server.url), 0, 1_000_000)))
    expect(failure).toMatchObject({ _tag: "SourceChanged" })
  })

  it("and sends more than it announced is refused, however much of it was thrown away", async () => {
    const body = chunked(objectBytes)
    const server = await serve((_, __, number) =>
      number === 1
        ? wholeOf(objectBytes.subarray(0, 9999), undefined, 5000)
        : { status: 200, headers: { "transfer-encoding": "chunked" }, body }
    )
    const source = sourceOf(server.url, { length: 9999 })
    expect(await Effect.runPromise(Effect.flip(read(source, 0, 9999)))).toMatchObject({
      reason: expect.stringContaining("more than the 9999 bytes")
    })
  })

  it("serves all of it, whose end must be where it was announced", async () => {
    const server = await serve(always(() => whole(10_000)))
    expect(await Effect.runPromise(read(sourceOf(server.url), 0, 20_000))).toEqual(objectBytes)
  })
})

describe("the first answer", () => {
  const lengthFailure = async (script: Script, length?: number) => {
    const server = await serve(script)
    const source = sourceOf(server.url, { length })
    return Effect.runPromise(Effect.flip(source.length))
  }

  it("asks for byte 0 by GET, once for all who wait", async () => {
    const server = await serve()
    const source = sourceOf(server.url)
    expect(server.seen).toHaveLength(0)
    await Effect.runPromise(
      Effect.all([source.length, source.identity!, read(source, 20_000, 5), source.length], {
        concurrency: 4
      })
    )
    expect(server.seen).toMatchObject([{ method: "GET", headers: { range: "bytes=0-0" } }])
    expect(server.seen[0].headers).not.toHaveProperty("if-range")
    // fetch adds it once more.
    expect(server.seen[0].headers["accept-encoding"]).toMatch(/^identity(, identity)?$/)
  })

  it("is asked for again after a failure, and never after a success", async () => {
    let isBroken = true
    const server = await serve(() => (isBroken ? { status: 404 } : undefined))
    const source = sourceOf(server.url)
    await Effect.runPromise(Effect.flip(source.length))
    isBroken = false
    expect(await Effect.runPromise(source.length)).toBe(10_000)
    await Effect.runPromise(source.length)
    expect(server.seen).toHaveLength(2)
  })

  it("without a length is SourceFailed that names the option, with and without parts", async () => {
    const scripts: ReadonlyArray<Script> = [
      always((good) => withHeaders(good, { "content-range": "bytes 0-0/*" })),
      always(() => ({ ...whole(undefined), then: "end" })),
      always(() => ({ ...whole(undefined), headers: { "transfer-encoding": "chunked" }, then: "stall" }))
    ]
    for (const script of scripts) {
      expect(await lengthFailure(script)).toMatchObject({
        _tag: "SourceFailed",
        message: expect.stringContaining("length option")
      })
    }
  })

  it("without a length is fine where the length is given", async () => {
    const server = await serve(
      always((good, request) =>
        withHeaders(good, { "content-range": `${request.headers["range"]?.replace("=", " ")}/*` })
      )
    )
    const source = sourceOf(server.url, { length: 10_000 })
    expect(await Effect.runPromise(source.length)).toBe(10_000)
    expect(await Effect.runPromise(read(source, 9990, 100))).toEqual(objectBytes.subarray(9990))
  })

  it("of chunks without a length serves what begins at 0 where the length is given", async () => {
    const body = chunked(objectBytes)
    const server = await serve(() => ({ status: 200, headers: { "transfer-encoding": "chunked" }, body }))
    const source = sourceOf(server.url, { length: 10_000 })
    expect(await Effect.runPromise(read(source, 0, 10_000))).toEqual(objectBytes)
    expect(await failureOfRead(source)).toMatchObject(failed("can't send parts"))
    const tooShort = sourceOf(server.url, { length: 9999 })
    expect(await Effect.runPromise(Effect.flip(read(tooShort, 0, 9999)))).toMatchObject({
      reason: expect.stringContaining("more than the 9999 bytes")
    })
  })

  it("with another length than the one given is SourceFailed", async () => {
    expect(await lengthFailure(() => undefined, 9999)).toMatchObject({
      reason: expect.stringContaining("10000 bytes, and not 9999")
    })
  })

  it("with a length of 2^60 is SourceFailed, and allocates nothing", async () => {
    const large = `${2n ** 60n}`
    const scripts: ReadonlyArray<Script> = [
      always((good) => withHeaders(good, { "content-range": `bytes 0-0/${large}` })),
      always(() => ({ ...whole(undefined), headers: { "content-length": large } }))
    ]
    for (const script of scripts) {
      expect(await lengthFailure(script)).toMatchObject({
        _tag: "SourceFailed",
        reason: expect.stringContaining(large)
      })
    }
  })

  it("with a length of 2^52 is believed, and allocates nothing either", async () => {
    const server = await serve(
      always((good, request) =>
        withHeaders(good, { "content-range": `${request.headers["range"]?.replace("=", " ")}/${2 ** 52}` })
      )
    )
    const source = sourceOf(server.url)
    expect(await Effect.runPromise(source.length)).toBe(2 ** 52)
    expect(await Effect.runPromise(read(source, 10, 10))).toEqual(objectBytes.subarray(10, 20))
    const far = await Effect.runPromise(Effect.flip(read(source, 2 ** 51, 10)))
    expect(far).toMatchObject({ _tag: "SourceFailed", offset: 2 ** 51 })
  })

  it("of an empty object may be 416, with its length or without, or 200", async () => {
    const empty: ServedObject = { bytes: new Uint8Array(0), etag: objectEtag }
    const bare: Script = (request) =>
      request.headers["range"] === undefined ? undefined : { status: 416, headers: { "content-length": "0" } }
    const all: Script = (request, good) => good({ ...request, headers: {} })
    for (const script of [undefined, bare, all]) {
      const server = await serve(script, empty)
      const source = sourceOf(server.url)
      expect(await Effect.runPromise(source.length)).toBe(0)
      expect(await Effect.runPromise(read(source, 0, 10))).toHaveLength(0)
      expect(await Effect.runPromise(streamed(source, 0, 0))).toHaveLength(0)
    }
  })

  it("of 416 for everything is SourceFailed", async () => {
    const refusal: Answer = { status: 416, headers: { "content-length": "0" } }
    expect(await lengthFailure(() => refusal)).toMatchObject({ reason: expect.stringContaining("(416)") })
    const odd: Answer = { status: 416, headers: { "content-range": "bytes */10", "content-length": "0" } }
    expect(await lengthFailure(() => odd)).toMatchObject({ reason: expect.stringContaining("no byte 0") })
  })

  it("of another part than byte 0, or compressed, is SourceFailed", async () => {
    const other = await lengthFailure(
      always((good) => withHeaders(good, { "content-range": "bytes 1-1/10000" }))
    )
    expect(other).toMatchObject({ reason: expect.stringContaining("sends 1-1") })
    const zipped = await lengthFailure(
      always(() => ({ status: 200, headers: { "content-encoding": "br", "content-length": "10" } }))
    )
    expect(zipped).toMatchObject({ reason: expect.stringContaining("encoded (br)") })
  })
})

describe("requests", () => {
  it("never go beyond the end, and are not made for nothing", async () => {
    const server = await serve()
    const source = sourceOf(server.url)
    expect(await Effect.runPromise(read(source, 9000, 5000))).toEqual(objectBytes.subarray(9000))
    expect(await Effect.runPromise(read(source, 10_000, 10))).toHaveLength(0)
    expect(await Effect.runPromise(read(source, 2 ** 40, 10))).toHaveLength(0)
    expect(await Effect.runPromise(read(source, 5, 0))).toHaveLength(0)
    expect(await Effect.runPromise(streamed(source, 10_000, 0))).toHaveLength(0)
    expect(server.seen.map(({ headers }) => headers["range"])).toEqual(["bytes=0-0", "bytes=9000-9999"])
  })

  it("use connections again, as bodies are read to their end", async () => {
    const server = await serve()
    const source = sourceOf(server.url)
    for (let i = 0; i < 20; i++) await Effect.runPromise(read(source, i * 100, 100))
    await Effect.runPromise(streamed(source, 0, 10_000))
    expect(server.seen).toHaveLength(22)
    // fetch makes a second one before it has seen the first answer off.
    expect(server.connections()).toBeLessThanOrEqual(2)
  })

  it("of ranges that are none are InvalidArgument, and not made", async () => {
    const server = await serve()
    const source = sourceOf(server.url)
    for (const offset of [-1, 0.5, NaN, 2 ** 53]) {
      expect(await failureOfRead(source, offset)).toMatchObject({ _tag: "InvalidArgument" })
    }
    expect(await Effect.runPromise(Effect.flip(streamed(source, 9999, 2)))).toMatchObject({
      _tag: "InvalidArgument",
      reason: expect.stringContaining("beyond the object, at 10000")
    })
  })
})
