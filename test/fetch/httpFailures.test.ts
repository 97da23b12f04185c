/** What passes, what is waited for, and what is let go: retries, timeouts and interruption. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import { describe, expect, it } from "vitest"
import { ByteSource } from "../../src/fetch/ByteSource.ts"
import { pattern } from "../../src/testing/ioLaw.ts"
import { pause } from "./fileServer.ts"
import {
  briefly,
  failureOfRead,
  impatient,
  objectBytes,
  objectEtag,
  read,
  serve,
  sourceOf,
  streamed
} from "./httpObject.ts"
import { chunked, type Script, type ScriptedServer, withHeaders } from "./scriptedServer.ts"

/** Does something else with the first so many requests behind the very first. */
const atFirst =
  (times: number, script: Script): Script =>
  (request, good, number) =>
    number >= 1 && number <= times ? script(request, good, number) : undefined

const rangesOf = (seen: ReadonlyArray<{ readonly headers: Readonly<Record<string, string | undefined>> }>) =>
  seen.slice(1).map(({ headers }) => headers["range"])

describe("what may pass is tried again", () => {
  for (const status of [408, 425, 429, 500, 502, 503, 504]) {
    it(`status ${status}`, async () => {
      const server = await serve(atFirst(3, () => ({ status, headers: { "content-length": "0" } })))
      expect(await Effect.runPromise(read(sourceOf(server.url), 5, 10))).toEqual(objectBytes.subarray(5, 15))
      expect(server.seen).toHaveLength(5)
    })
  }

  it("a connection that is reset before the answer", async () => {
    const server = await serve(atFirst(3, () => "reset"))
    expect(await Effect.runPromise(read(sourceOf(server.url), 5, 10))).toEqual(objectBytes.subarray(5, 15))
  })

  it("also where the first answer is concerned", async () => {
    const server = await serve((_, __, number) =>
      number === 0 ? "reset" : number === 1 ? { status: 503 } : number === 2 ? "stall" : undefined
    )
    const source = sourceOf(server.url, { timeout: briefly })
    expect(await Effect.runPromise(source.length)).toBe(10_000)
    expect(server.seen).toHaveLength(4)
  })

  it("an answer that stalls before its head", async () => {
    const server = await serve(atFirst(2, () => "stall"))
    const source = sourceOf(server.url, { timeout: briefly })
    expect(await Effect.runPromise(read(source, 5, 10))).toEqual(objectBytes.subarray(5, 15))
  })

  it("until the schedule has enough: then it is SourceFailed, with what was wrong at last", async () => {
    const server = await serve(atFirst(100, () => ({ status: 503, headers: { "content-length": "0" } })))
    expect(await failureOfRead(sourceOf(server.url))).toMatchObject({
      _tag: "SourceFailed",
      offset: 1000,
      reason: "the server is not available (503)"
    })
    expect(server.seen).toHaveLength(5)
  })

  it("and nobody listening is said in words", async () => {
    const server = await serve()
    await server.close()
    const failure = await Effect.runPromise(Effect.flip(sourceOf(server.url).length))
    expect(failure).toMatchObject({ _tag: "SourceFailed", reason: "nobody listens there (ECONNREFUSED)" })
  })

  it("but not a head that is too large, which nothing of is kept", async () => {
    const server = await serve(
      atFirst(100, (request, good) => withHeaders(good(request), { "x-bomb": "x".repeat(10_000_000) }))
    )
    expect(await failureOfRead(sourceOf(server.url))).toMatchObject({
      _tag: "SourceFailed",
      reason: "the head of the answer is too large (UND_ERR_HEADERS_OVERFLOW)"
    })
    // It would be no smaller the next time.
    expect(server.seen).toHaveLength(2)
  })

  it("a schedule is given the failures", async () => {
    const given: Array<unknown> = []
    const schedule = Schedule.while(Schedule.recurs(2), ({ input }) =>
      Effect.sync(() => given.push(input) > 0)
    )
    const server = await serve(atFirst(100, () => "reset"))
    await failureOfRead(sourceOf(server.url, { schedule }))
    expect(given.length).toBeGreaterThanOrEqual(2)
    expect(given[0]).toMatchObject({ _tag: "SourceFailed", offset: 1000 })
  })
})

describe("what no other try would help is not tried again, and said in words", () => {
  /** How a source fails whose requests all fail like this; and how many were made. */
  const failureBy = async (client: HttpClient.HttpClient) => {
    let requests = 0
    const counting = HttpClient.tapRequest(client, () => Effect.sync(() => requests++))
    const failure = await Effect.gen(function* () {
      const source = yield* ByteSource.fromHttp("https://example.org/object?a-secret", {
        schedule: Schedule.recurs(3)
      })
      return yield* Effect.flip(source.length)
    }).pipe(Effect.provideService(HttpClient.HttpClient, counting), Effect.runPromise)
    expect(JSON.stringify([failure, failure.message])).not.toContain("a-secret")
    return { failure, requests }
  }

  /** What Node's fetch makes of a failure. */
  const fetchFailing = (cause: Error) =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      return HttpClient.transformResponse(
        client,
        Effect.provideService(FetchHttpClient.Fetch, () =>
          Promise.reject(new TypeError("fetch failed", { cause }))
        )
      )
    }).pipe(Effect.provide(FetchHttpClient.layer), Effect.runPromise)

  for (const [code, words] of [
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "signed by nobody but itself"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "not of an authority that is trusted"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "not of an authority that is trusted"],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "not of an authority that is trusted"],
    ["CERT_HAS_EXPIRED", "has expired"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "for another host"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "doesn't speak TLS"],
    ["UND_ERR_HEADERS_OVERFLOW", "too large"]
  ] as const) {
    it(`as what fetch says by ${code}`, async () => {
      const cause = Object.assign(new Error("a-secret"), { code })
      const { failure, requests } = await failureBy(await fetchFailing(cause))
      expect(failure).toMatchObject({ _tag: "SourceFailed", reason: expect.stringContaining(words) })
      expect(failure).toMatchObject({ reason: expect.stringContaining(`(${code})`) })
      expect(requests).toBe(1)
    })
  }

  it("but other codes are, and texts are not looked into for more than a blocked port", async () => {
    for (const cause of [
      Object.assign(new Error("a-secret"), { code: "SOMETHING_ELSE" }),
      Object.assign(new Error("a-secret"), { code: "toString" }),
      new Error("bad portal: a-secret")
    ]) {
      const { failure, requests } = await failureBy(await fetchFailing(cause))
      expect(failure).toMatchObject({ reason: expect.stringMatching(/^the connection failed/) })
      expect(requests).toBe(4)
    }
  })

  it("as a port that fetch blocks", async () => {
    let tries = 0
    const schedule = Schedule.while(Schedule.recurs(3), () => Effect.sync(() => ++tries > 0))
    const source = sourceOf("http://127.0.0.1:6000/", { schedule })
    expect(await Effect.runPromise(Effect.flip(source.length))).toMatchObject({
      _tag: "SourceFailed",
      reason: "fetch doesn't connect to this port, which is one of another protocol"
    })
    expect(tries).toBe(0)
  })

  it("as a request that a client can't make", async () => {
    for (const [Reason, words] of [
      [HttpClientError.InvalidUrlError, "makes no URL"],
      [HttpClientError.EncodeError, "can't encode"]
    ] as const) {
      const client = HttpClient.make((request) =>
        Effect.fail(
          new HttpClientError.HttpClientError({
            reason: new Reason({ request, cause: new Error("a-secret") })
          })
        )
      )
      const { failure, requests } = await failureBy(client)
      expect(failure).toMatchObject({ _tag: "SourceFailed", reason: expect.stringContaining(words) })
      expect(requests).toBe(1)
    }
  })
})

describe("a client that fails on a status gives an answer like any other", () => {
  const sourceOfStrict = (url: string) =>
    Effect.gen(function* () {
      const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
      return yield* Effect.provideService(ByteSource.fromHttp(url, impatient), HttpClient.HttpClient, client)
    }).pipe(Effect.provide(FetchHttpClient.layer), Effect.runPromise)

  it("404 is told with its status, and not asked for again", async () => {
    const server = await serve(() => ({ status: 404, headers: { "content-length": "0" } }))
    const source = await sourceOfStrict(server.url)
    expect(await Effect.runPromise(Effect.flip(source.length))).toMatchObject({
      _tag: "SourceFailed",
      status: 404,
      reason: "there is nothing at this address (404)"
    })
    expect(server.seen).toHaveLength(1)
  })

  it("503 is asked for again, and redirects are followed", async () => {
    const target = await serve(atFirst(2, () => ({ status: 503, headers: { "content-length": "0" } })))
    const server = await serve(() => ({
      status: 302,
      headers: { location: target.url, "content-length": "0" }
    }))
    const source = await sourceOfStrict(server.url)
    expect(await Effect.runPromise(read(source, 5, 10))).toEqual(objectBytes.subarray(5, 15))
    expect(target.seen).toHaveLength(4)
  })

  it("412 is SourceChanged, and 416 tells of an empty object", async () => {
    const changed = await serve(atFirst(1, () => ({ status: 412, headers: { "content-length": "0" } })))
    expect(await failureOfRead(await sourceOfStrict(changed.url))).toMatchObject({ _tag: "SourceChanged" })
    const empty = await serve(undefined, { bytes: new Uint8Array(0), etag: objectEtag })
    expect(await Effect.runPromise((await sourceOfStrict(empty.url)).length)).toBe(0)
  })
})

describe("a body that breaks off goes on where it stopped", () => {
  const endings: ReadonlyArray<["end" | "reset" | "stall", string]> = [
    ["end", "is cut short"],
    ["reset", "is reset"],
    ["stall", "stalls"]
  ]
  for (const [then, how] of endings) {
    it(`when it ${how}, also many times more often than the schedule allows without progress`, async () => {
      const bytes = pattern(500_000)
      const server = await serve(
        (request, good, number) => {
          const answer = good(request)
          // Some of each, whatever was announced.
          return number === 0 ? undefined : { ...answer, body: answer.body!.subarray(0, 70_000), then }
        },
        { bytes, etag: objectEtag }
      )
      const source = sourceOf(server.url, { timeout: then === "stall" ? briefly : Duration.seconds(20) })
      expect(Buffer.compare(await Effect.runPromise(read(source, 0, 500_000)), bytes)).toBe(0)
      const ranges = rangesOf(server.seen)
      expect(ranges.slice(0, 3)).toEqual(["bytes=0-499999", "bytes=70000-499999", "bytes=140000-499999"])
      expect(ranges).toHaveLength(8)
      expect(server.seen[5].headers["if-range"]).toBe(objectEtag)
      const part = await Effect.runPromise(streamed(source, 100, 200_000))
      expect(Buffer.compare(part, bytes.subarray(100, 200_100))).toBe(0)
    })
  }

  it("but not without end, where so few bytes come by each connection that it leads nowhere", async () => {
    const server = await serve((request, good, number) => {
      const answer = good(request)
      return number === 0 ? undefined : { ...answer, body: answer.body!.subarray(0, 1), then: "end" }
    })
    const failure = await Effect.runPromise(Effect.flip(read(sourceOf(server.url), 0, 200)))
    expect(failure).toMatchObject({ _tag: "SourceFailed", offset: 4 })
    expect(server.seen).toHaveLength(5)
  })

  it("when it is in chunks and says that it ended", async () => {
    const server = await serve((request, good, number) => {
      const answer = good(request)
      return number !== 1
        ? undefined
        : {
            ...withHeaders(answer, { "content-length": undefined, "transfer-encoding": "chunked" }),
            body: chunked(answer.body!.subarray(0, 700))
          }
    })
    expect(await Effect.runPromise(read(sourceOf(server.url), 0, 10_000))).toEqual(objectBytes)
    expect(rangesOf(server.seen)).toEqual(["bytes=0-9999", "bytes=700-9999"])
  })

  it("and what stalls behind its last byte has given all that was wanted", async () => {
    const server = await serve((request, good, number) => {
      const answer = good(request)
      return number === 0
        ? undefined
        : {
            ...withHeaders(answer, { "content-length": undefined, "transfer-encoding": "chunked" }),
            body: chunked(answer.body!, false),
            then: "stall"
          }
    })
    const source = sourceOf(server.url, { timeout: briefly })
    expect(await Effect.runPromise(read(source, 0, 10_000))).toEqual(objectBytes)
    expect(server.seen).toHaveLength(2)
  })

  it("without progress it fails where it stopped", async () => {
    const server = await serve((request, good, number) => {
      const answer = good(request)
      const body = answer.body!.subarray(0, number === 1 ? 500 : 0)
      return number === 0 ? undefined : { ...answer, body, then: "end" }
    })
    const failure = await Effect.runPromise(Effect.flip(read(sourceOf(server.url), 0, 10_000)))
    expect(failure).toMatchObject({ _tag: "SourceFailed", offset: 500 })
    expect(server.seen).toHaveLength(5)
  })
})

describe("what nobody waits for any more is let go", () => {
  const letGo = async (server: ScriptedServer) => {
    const start = performance.now()
    while (server.stalling() > 0) await pause(5)
    // Not by the end of a connection that is kept for others.
    expect(performance.now() - start).toBeLessThan(2000)
  }

  it("a read that is interrupted ends its request, before the head and within the body", async () => {
    for (const script of [
      () => "stall",
      (_, good) => ({ ...good(_), body: undefined, then: "stall" })
    ] satisfies Array<Script>) {
      const server = await serve((request, good, number) =>
        number === 0 ? undefined : script(request, good)
      )
      const source = sourceOf(server.url, { timeout: Duration.seconds(60) })
      await Effect.runPromise(source.length)
      const fiber = Effect.runFork(read(source, 0, 100))
      while (server.stalling() < 1) await pause(5)
      await pause(20)
      await Effect.runPromise(Fiber.interrupt(fiber))
      await letGo(server)
    }
  })

  /** A body that gives nothing, and whose cancellation never ends. */
  const undying = () =>
    new ReadableStream({
      pull: () => new Promise(() => undefined),
      cancel: () => new Promise(() => undefined)
    })

  /** Sends byte 0, and later answers with a body that can't be ended; counts what was aborted of those. */
  const clinging = () => {
    let number = 0
    let aborted = 0
    const fetch = (_: unknown, init?: { readonly signal?: AbortSignal | null }) => {
      const isFirst = number++ === 0
      if (!isFirst) init?.signal?.addEventListener("abort", () => aborted++)
      const headers = { "content-range": isFirst ? "bytes 0-0/100" : "bytes 5-14/100", etag: '"x"' }
      return Promise.resolve(new Response(isFirst ? Uint8Array.of(1) : undying(), { status: 206, headers }))
    }
    return { aborted: () => aborted, fetch: fetch as typeof globalThis.fetch }
  }

  const sourceBy = (fetch: typeof globalThis.fetch, timeout: Duration.Input) =>
    ByteSource.fromHttp("http://example.org/", { timeout, schedule: Schedule.recurs(1) }).pipe(
      Effect.provideService(FetchHttpClient.Fetch, fetch),
      Effect.runPromise
    )

  it("a body that can't be cancelled holds nobody up: neither behind a timeout nor an interruption", async () => {
    const { aborted, fetch } = clinging()
    const source = await sourceBy(fetch, Duration.millis(100))
    const start = performance.now()
    const failure = await failureOfRead(source, 5, 10)
    expect(failure).toMatchObject({ _tag: "SourceFailed", reason: "nothing came for 100ms" })
    expect(performance.now() - start).toBeLessThan(2000)
    expect(aborted()).toBe(2)

    const patient = await sourceBy(clinging().fetch, Duration.seconds(60))
    await Effect.runPromise(patient.length)
    for (const effect of [read(patient, 5, 10), streamed(patient, 5, 10)]) {
      const fiber = Effect.runFork(effect)
      await pause(30)
      const interrupted = performance.now()
      await Effect.runPromise(Fiber.interrupt(fiber))
      expect(performance.now() - interrupted).toBeLessThan(1000)
    }
  }, 10_000)

  it("a client that won't be interrupted holds nobody up either", async () => {
    const client = HttpClient.make(() => Effect.uninterruptible(Effect.never))
    const source = await Effect.runPromise(
      ByteSource.fromHttp("http://example.org/").pipe(Effect.provideService(HttpClient.HttpClient, client))
    )
    const fiber = Effect.runFork(source.length)
    await pause(30)
    const start = performance.now()
    await Effect.runPromise(Fiber.interrupt(fiber))
    expect(performance.now() - start).toBeLessThan(1000)
  })

  it("a stream that is left early ends its request, however much the server has", async () => {
    const endless = new Uint8Array(1 << 20)
    const server = await serve(
      (request, good, number) =>
        number === 0 ? undefined : { ...good(request), body: endless, then: "stall" },
      { bytes: new Uint8Array(2 ** 30), etag: objectEtag }
    )
    const source = sourceOf(server.url, { timeout: Duration.seconds(60) })
    const length = await Effect.runPromise(source.length)
    await Effect.runPromise(Stream.runDrain(Stream.take(source.stream!(0, length), 2)))
    await letGo(server)
  })

  it("a first request is disturbed by none of those who wait, and ended by the last", async () => {
    const server = await serve(() => "stall")
    const source = sourceOf(server.url, { timeout: Duration.seconds(60) })
    const fibers = [1, 2, 3].map(() => Effect.runFork(source.length))
    while (server.stalling() < 1) await pause(5)
    await Effect.runPromise(Fiber.interrupt(fibers[0]))
    await Effect.runPromise(Fiber.interrupt(fibers[1]))
    await pause(20)
    expect(server.stalling()).toBe(1)
    await Effect.runPromise(Fiber.interrupt(fibers[2]))
    await letGo(server)
    expect(server.seen).toHaveLength(1)
  })

  it("a slow taker is no stall: the time between two pieces that were there is not counted", async () => {
    const server = await serve(undefined, { bytes: new Uint8Array(4 << 20), etag: objectEtag })
    const source = sourceOf(server.url, { timeout: briefly, schedule: Schedule.recurs(0) })
    let taken = 0
    const slowly = Stream.runForEach(source.stream!(0, 4 << 20), (piece) => {
      taken += piece.length
      return taken === piece.length ? Effect.sleep(1000) : Effect.void
    })
    await Effect.runPromise(slowly)
    expect(taken).toBe(4 << 20)
    expect(server.seen).toHaveLength(2)
  })
})

describe("by the clock", () => {
  /** A `fetch` that never answers, and heeds no abortion either. */
  const deaf: typeof globalThis.fetch = () => new Promise(() => undefined)

  const elapsedUntilFailure = (
    options: Parameters<typeof ByteSource.fromHttp>[1],
    fetch: typeof globalThis.fetch
  ) =>
    Effect.gen(function* () {
      const source = yield* ByteSource.fromHttp("http://example.org/", options)
      const fiber = yield* Effect.forkChild(Effect.flip(source.length), { startImmediately: true })
      let seconds = 0
      while (fiber.pollUnsafe() === undefined) {
        yield* TestClock.adjust("1 second")
        yield* Effect.promise(() => pause(0))
        seconds++
      }
      return { seconds, failure: yield* Fiber.join(fiber) }
    }).pipe(
      Effect.provideService(FetchHttpClient.Fetch, fetch),
      Effect.provide(TestClock.layer()),
      Effect.scoped,
      Effect.runPromise
    )

  it("a server that says nothing is given up after 30 seconds, six times; a client that heeds nothing too", async () => {
    const { failure, seconds } = await elapsedUntilFailure({}, deaf)
    expect(failure).toMatchObject({ _tag: "SourceFailed", reason: "nothing came for 30s" })
    expect(seconds).toBeGreaterThanOrEqual(182)
    expect(seconds).toBeLessThanOrEqual(190)
  })

  it("Retry-After is waited for, up to 30 seconds", async () => {
    const busy =
      (seconds: string): typeof globalThis.fetch =>
      () =>
        Promise.resolve(new Response(null, { status: 503, headers: { "retry-after": seconds } }))
    const options = { schedule: Schedule.recurs(1) }
    expect((await elapsedUntilFailure(options, busy("7"))).seconds).toBeGreaterThanOrEqual(7)
    expect((await elapsedUntilFailure(options, busy("7"))).seconds).toBeLessThanOrEqual(9)
    expect((await elapsedUntilFailure(options, busy("999999"))).seconds).toBeLessThanOrEqual(32)
  })
})
