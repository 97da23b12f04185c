/**
 * Requests for one object: by Effect's HttpClient, with redirects followed here.
 *
 * `fetch` would follow redirects by itself and take headers along to other hosts. Here the caller's
 * headers, all of them, go to the origin of the URL only, and whatever has been redirected away from it once
 * is not trusted again. A client that follows redirects by itself takes this out of our hands.
 *
 * Requests are not traced: their spans would hold the secrets of signed URLs, and there are many.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { attempt } from "../io/attempt.ts"
import { type HttpAddress, isHttp, nameOf } from "./httpAddress.ts"
import { type HttpFault, refused, transportFault } from "./httpFault.ts"
import type { HttpSettings } from "./httpSourceOptions.ts"
import type { Guard } from "./httpStall.ts"

const redirects = [301, 302, 303, 307, 308]

type Client = HttpClient.HttpClient.With<HttpClientError.HttpClientError, Scope.Scope>

interface Hop {
  readonly url: URL
  /** Whether every address so far was of the origin that the headers are for. */
  readonly trusted: boolean
  readonly redirectsLeft: number
}

interface Redirect {
  readonly location: string | undefined
  /** That of the first URL. */
  readonly origin: string
}

/** Where a redirect leads, if it may be followed there. Throws an `HttpFault`. */
const nextHop = (hop: Hop, { location, origin }: Redirect): Hop => {
  if (location === undefined) throw refused("the server redirects, and doesn't say where to")
  if (hop.redirectsLeft === 0) throw refused("the server redirects too often")
  if (!URL.canParse(location, hop.url.href)) throw refused("the server redirects to what is no URL")
  const url = new URL(location, hop.url)
  url.hash = ""
  if (!isHttp(url)) throw refused("the server redirects to what is not HTTP")
  if (url.username !== "" || url.password !== "") {
    throw refused(`the server redirects to ${nameOf(url)} with a user or password`)
  }
  if (hop.url.protocol === "https:" && url.protocol === "http:") {
    throw refused(`the server redirects to ${nameOf(url)}, where anybody could read along`)
  }
  return { url, trusted: hop.trusted && url.origin === origin, redirectsLeft: hop.redirectsLeft - 1 }
}

/** A client that fails on a status has an answer all the same; what it means is judged elsewhere. */
const answered = (error: unknown): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpFault> =>
  HttpClientError.isHttpClientError(error) && error.reason._tag === "StatusCodeError"
    ? Effect.succeed(error.reason.response)
    : Effect.fail(transportFault(error))

/** What a client is told beside the request: not to follow redirects, and nothing to trace. */
const clientContext = (fetch: typeof globalThis.fetch, init: globalThis.RequestInit) =>
  Context.make(FetchHttpClient.Fetch, fetch).pipe(
    Context.add(FetchHttpClient.RequestInit, { ...init, redirect: "manual" }),
    Context.add(HttpClient.TracerDisabledWhen, () => true)
  )

interface HttpSessionParts {
  readonly address: HttpAddress
  readonly settings: HttpSettings
  readonly client: HttpClient.HttpClient
  readonly fetch: typeof globalThis.fetch
  readonly init: globalThis.RequestInit
}

export class HttpSession {
  readonly address: HttpAddress
  readonly settings: HttpSettings
  private readonly client: Client
  private readonly trustedContext: Context.Context<never>
  private readonly foreignContext: Context.Context<never>

  private constructor({ address, client, fetch, init, settings }: HttpSessionParts) {
    this.address = address
    this.settings = settings
    this.client = HttpClient.withScope(client)
    this.trustedContext = clientContext(fetch, init)
    const { headers: _, ...rest } = init
    this.foreignContext = clientContext(fetch, rest)
  }

  /** With the HttpClient of the context where there is one, and by fetch elsewhere. */
  static readonly make = (address: HttpAddress, settings: HttpSettings): Effect.Effect<HttpSession> =>
    Effect.gen(function* () {
      const given = yield* Effect.serviceOption(HttpClient.HttpClient)
      const client = Option.isSome(given)
        ? given.value
        : yield* Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer)
      const init = yield* Effect.serviceOption(FetchHttpClient.RequestInit)
      const fetch = yield* FetchHttpClient.Fetch
      return new HttpSession({
        address,
        settings,
        client,
        fetch,
        init: Option.getOrElse(init, () => ({}))
      })
    })

  /** Asks once, from the original URL on. What comes may be read until the scope ends, which aborts it. */
  ask(
    headers: Readonly<Record<string, string>>,
    guard: Guard
  ): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpFault, Scope.Scope> {
    const { maxRedirects } = this.settings
    return this.follow({ url: this.address.url, trusted: true, redirectsLeft: maxRedirects }, headers, guard)
  }

  private follow(
    hop: Hop,
    headers: Readonly<Record<string, string>>,
    guard: Guard
  ): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpFault, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      // Of its own, so that the answer of a hop that leads elsewhere is let go at once.
      const scope = yield* Scope.fork(yield* Scope.Scope)
      const response = yield* guard(Scope.provide(this.send(hop, headers), scope))
      if (!redirects.includes(response.status)) return response
      const next = yield* attempt<Hop, HttpFault>(() =>
        nextHop(hop, {
          location: response.headers["location"],
          origin: this.address.url.origin
        })
      )
      yield* Effect.uninterruptible(Scope.close(scope, Exit.void))
      return yield* this.follow(next, headers, guard)
    })
  }

  private send(
    { trusted, url }: Hop,
    headers: Readonly<Record<string, string>>
  ): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpFault, Scope.Scope> {
    const own = { ...headers, "accept-encoding": "identity" }
    const { authorization } = this.address
    const callers = {
      ...(authorization === undefined ? {} : { authorization }),
      ...this.settings.headers
    }
    // As text: from a URL the request would take the query apart, and signatures cover it as it was.
    const request = HttpClientRequest.get(url.href, { headers: trusted ? { ...callers, ...own } : own })
    // What a client adds to each request by itself may be a secret too: it is left out elsewhere.
    const sent = trusted ? this.client.execute(request) : this.client.postprocess(Effect.succeed(request))
    return sent.pipe(
      Effect.catch(answered),
      Effect.provideContext(trusted ? this.trustedContext : this.foreignContext)
    )
  }
}
