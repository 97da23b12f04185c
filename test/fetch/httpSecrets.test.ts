/** Where headers, passwords and signatures go, and where they don't. */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"
import { describe, expect, it } from "vitest"
import { ByteSource, type HttpSourceOptions } from "../../src/fetch/ByteSource.ts"
import { briefly, failureOfRead, impatient, objectBytes, read, serve, sourceOf } from "./httpObject.ts"
import type { Answer, ScriptedServer } from "./scriptedServer.ts"

const to = (location: string | undefined, status = 302): Answer => ({
  status,
  headers: { location, "content-length": "0" }
})

/** A server that redirects everything to what `location` gives at that time. */
const redirecting = (location: () => string | undefined, status = 302): Promise<ScriptedServer> =>
  serve(() => to(location(), status))

const callers = { authorization: "Bearer a-secret", cookie: "session=a-secret", "x-api-key": "a-secret" }

const sentOf = (server: ScriptedServer): ReadonlyArray<string> => [
  ...new Set(server.seen.flatMap(({ headers }) => Object.keys(headers)))
]

describe("headers of the caller", () => {
  it("go with every request to the origin they were given for, also behind a redirect within it", async () => {
    const server = await serve((request) => (request.target === "/object" ? to("/elsewhere?x") : undefined))
    await Effect.runPromise(read(sourceOf(server.url, { headers: callers }), 5, 10))
    expect(server.seen).toHaveLength(4)
    for (const request of server.seen) expect(request.headers).toMatchObject(callers)
  })

  for (const status of [301, 302, 303, 307, 308]) {
    it(`never follow a redirect (${status}) to another origin: none of them, and no others either`, async () => {
      const target = await serve()
      const server = await redirecting(() => `${target.url}?signature=1`, status)
      const { url } = server
      const source = sourceOf(url.replace("//", "//user:password@"), { headers: callers })
      expect(await Effect.runPromise(read(source, 5, 10))).toEqual(objectBytes.subarray(5, 15))
      expect(server.seen).toHaveLength(2)
      expect(target.seen.map(({ target }) => target)).toEqual(["/object?signature=1", "/object?signature=1"])
      const ours = ["accept-encoding", "range", "if-range"]
      // Where there is a condition, fetch asks caches to stay out.
      const ofFetch = [
        "pragma",
        "cache-control",
        "accept",
        "accept-language",
        "connection",
        "host",
        "sec-fetch-mode",
        "user-agent"
      ]
      expect(sentOf(target).filter((name) => ![...ours, ...ofFetch].includes(name))).toEqual([])
      expect(JSON.stringify(target.seen)).not.toMatch(/secret|password|dXNlcj/)
    })
  }

  it("don't come back when another origin redirects to where they were given for", async () => {
    const server: ScriptedServer = await serve((request): Answer | undefined =>
      request.target === "/object" ? to(other.url) : undefined
    )
    const other = await redirecting(() => `${server.url}/chosen-by-another`)
    await Effect.runPromise(read(sourceOf(server.url, { headers: callers }), 5, 10))
    const chosen = server.seen.filter(({ target }) => target !== "/object")
    expect(chosen).toHaveLength(2)
    expect(JSON.stringify(chosen)).not.toContain("secret")
  })

  it("that a client or its options add by themselves stay at their origin too", async () => {
    const target = await serve()
    const server = await redirecting(() => target.url)
    const adding = HttpClient.mapRequest(HttpClientRequest.setHeader("x-of-client", "a-secret"))
    const read10 = Effect.gen(function* () {
      const client = adding(yield* HttpClient.HttpClient)
      const source = yield* ByteSource.fromHttp(server.url, impatient).pipe(
        Effect.provideService(HttpClient.HttpClient, client),
        Effect.provideService(FetchHttpClient.RequestInit, { headers: { "x-of-fetch": "a-secret" } })
      )
      return yield* read(source, 5, 10)
    }).pipe(Effect.provide(FetchHttpClient.layer))
    expect(await Effect.runPromise(read10)).toEqual(objectBytes.subarray(5, 15))
    expect(server.seen[0].headers).toMatchObject({ "x-of-client": "a-secret", "x-of-fetch": "a-secret" })
    expect(JSON.stringify(target.seen)).not.toContain("secret")
  })

  it("that this speaks by itself, or that are none, are InvalidArgument, which doesn't repeat values", async () => {
    const cases: ReadonlyArray<Record<string, string>> = [
      { Range: "bytes=0-5" },
      { "If-Match": '"x"' },
      { "accept-encoding": "gzip" },
      { Host: "elsewhere" },
      { "x y": "a-secret" },
      { "x-split": "a-secret\r\nx-other: 1" },
      { "x-wide": "a-secret\u2028" }
    ]
    for (const headers of cases) {
      const failure = await Effect.runPromise(
        Effect.flip(ByteSource.fromHttp("http://localhost/", { headers }))
      )
      expect(failure).toMatchObject({ _tag: "InvalidArgument", operation: "fromHttp" })
      expect(failure.message).not.toContain("a-secret")
    }
  })
})

describe("redirects", () => {
  const failed = (words: string) => ({ _tag: "SourceFailed", reason: expect.stringContaining(words) })

  it("are followed so often, and not once more", async () => {
    const server = await serve((request) => {
      const left = Number(request.target.split("/").at(-1))
      return left > 0 ? to(`/${left - 1}`) : undefined
    })
    const base = new URL(server.url).origin
    expect(await Effect.runPromise(sourceOf(`${base}/5`).length)).toBe(10_000)
    expect(await failureOfRead(sourceOf(`${base}/6`))).toMatchObject(failed("redirects too often"))
    expect(await Effect.runPromise(sourceOf(`${base}/8`, { maxRedirects: 8 }).length)).toBe(10_000)
    expect(await failureOfRead(sourceOf(`${base}/1`, { maxRedirects: 0 }))).toMatchObject(failed("too often"))
  })

  it("in a circle come to an end", async () => {
    const server: ScriptedServer = await redirecting(() => server.url)
    expect(await failureOfRead(sourceOf(server.url))).toMatchObject(failed("redirects too often"))
    expect(server.seen).toHaveLength(6)
  })

  it("to nowhere, to what is not HTTP, or with a password, are not followed", async () => {
    for (const [location, words] of [
      [undefined, "doesn't say where to"],
      ["http://[", "no URL"],
      ["file:///etc/passwd", "not HTTP"],
      ["data:text/plain,hello", "not HTTP"],
      ["http://user:pass-word@localhost/x?y", "http://localhost/x with a user or password"]
    ] as const) {
      const server = await redirecting(() => location)
      const failure = await failureOfRead(sourceOf(server.url))
      expect(failure).toMatchObject(failed(words))
      expect(failure.message).not.toContain("pass-word")
      expect(server.seen).toHaveLength(1)
    }
  })

  it("from https to http are not followed, and errors don't show where the signature is", async () => {
    const asked: Array<string> = []
    const fetch = (input: unknown) => {
      asked.push(String(input))
      const location = "http://example.org/plain?signature=a-secret"
      return Promise.resolve(new Response(null, { status: 302, headers: { location } }))
    }
    const failure = await Effect.gen(function* () {
      const source = yield* ByteSource.fromHttp("https://example.org/object", impatient)
      return yield* Effect.flip(source.length)
    }).pipe(Effect.provideService(FetchHttpClient.Fetch, fetch), Effect.runPromise)
    expect(failure).toMatchObject(failed("http://example.org/plain, where anybody could read along"))
    expect(failure.message).not.toContain("secret")
    expect(asked).toHaveLength(1)
  })

  it("are asked for anew by every request: what they led to may not be there any more", async () => {
    const targets = [await serve(), await serve()]
    let number = 0
    const server = await redirecting(() => targets[number++ % 2].url)
    await Effect.runPromise(read(sourceOf(server.url), 5, 10))
    expect(targets.map(({ seen }) => seen.length)).toEqual([1, 1])
  })
})

describe("the URL", () => {
  it("is asked for as it is, to the last character of its query", async () => {
    const server = await serve()
    const target = "/a%20b/c+d?X-Sig=a%2Fb+c%3D%3D&empty&x=%E2%82%AC&X-Sig=2"
    await Effect.runPromise(sourceOf(`${new URL(server.url).origin}${target}#fragment`).length)
    expect(server.seen[0].target).toBe(target)
  })

  it("with a user and password becomes Authorization: Basic, which a header given outranks", async () => {
    const server = await serve()
    const url = server.url.replace("//", "//us%C3%A9r:p%40ss@")
    await Effect.runPromise(sourceOf(url).length)
    await Effect.runPromise(sourceOf(url, { headers: { Authorization: "Bearer x" } }).length)
    const basic = `Basic ${Buffer.from("usér:p@ss").toString("base64")}`
    expect(server.seen.map(({ headers }) => headers["authorization"])).toEqual([basic, "Bearer x"])
  })

  it("that is none, or not HTTP, is InvalidArgument; so are options out of range", async () => {
    const refusal = (url: string, options?: HttpSourceOptions) =>
      Effect.runPromise(Effect.flip(ByteSource.fromHttp(url, options)))
    for (const url of ["", "a-secret", "file:///a-secret", "http://a-secret:%zz@localhost/", "ftp://x/"]) {
      const failure = await refusal(url)
      expect(failure).toMatchObject({ _tag: "InvalidArgument", operation: "fromHttp" })
      expect(failure.message).not.toContain("a-secret")
    }
    for (const options of [
      { length: -1 },
      { length: 1.5 },
      { maxRedirects: -1 },
      { timeout: 0 },
      { timeout: -5 }
    ]) {
      expect(await refusal("http://localhost/", options)).toMatchObject({ _tag: "InvalidArgument" })
    }
  })
})

describe("what errors, names and traces show", () => {
  const secretUrl = (server: ScriptedServer): string =>
    server.url.replace("//", "//user:pass-word@").concat("?X-Amz-Signature=a-secret#a-secret")

  it("is never a password, a query or a header, however it fails", async () => {
    const closed = await serve()
    await closed.close()
    const failing = [
      await serve(() => ({ status: 403, headers: { "content-length": "0" } })),
      await serve(() => "reset"),
      await serve(() => "stall"),
      await serve(() => to("http://localhost:1/?a-secret")),
      await serve(() => to("/?a-secret")),
      await serve(() => to("http://[a-secret")),
      closed
    ]
    for (const server of failing) {
      const source = sourceOf(secretUrl(server), { headers: { "x-key": "a-secret" }, timeout: briefly })
      const failure = await failureOfRead(source)
      const shown = [
        failure.message,
        String(failure),
        JSON.stringify(failure),
        inspect(failure, { depth: 10 }),
        failure.stack,
        source.name
      ]
      expect(shown.join("\n")).not.toMatch(/a-secret|pass-word|Basic/)
      expect(failure.message).toContain("/object can't be read at 0: ")
    }
  })

  it("is no more than a line of what a server sends", async () => {
    const server = await serve((request, good) => ({
      ...good(request),
      headers: { "content-range": "x".repeat(5000), "content-length": "1" }
    }))
    expect((await failureOfRead(sourceOf(server.url))).message.length).toBeLessThan(500)
  })

  it("is no span: a trace would keep the signatures, and trace headers would leave", async () => {
    const server = await serve()
    const names: Array<string> = []
    const tracer = Tracer.make({
      span: (options) => {
        names.push(options.name)
        return new Tracer.NativeSpan(options)
      }
    })
    const source = sourceOf(secretUrl(server))
    await Effect.runPromise(
      read(source, 5, 10).pipe(Effect.withSpan("the caller's"), Effect.provideService(Tracer.Tracer, tracer))
    )
    expect(names).toEqual(["the caller's"])
    expect(sentOf(server)).not.toContain("traceparent")
  })
})
