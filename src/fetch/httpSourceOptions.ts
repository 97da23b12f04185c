/**
 * What `ByteSource.fromHttp` can be told, and its defaults.
 *
 * Everything is checked when a source is made, before anything is sent. What a caller gave is never
 * repeated in an error where it may be a secret.
 */
import * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import { InvalidArgument, type SourceFailed } from "../bytes/errors.ts"
import { checkOffset } from "../bytes/offset.ts"

export interface HttpSourceOptions {
  /**
   * Sent with every request, but only to the origin of the URL (scheme, host and port): a redirect to another
   * gets none of them. Those that this speaks by itself (`Range`, `Accept-Encoding`, and conditions)
   * can't be given.
   */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The length of the object in bytes, for servers that don't tell. One that tells another is `SourceFailed`. */
  readonly length?: number | undefined
  /**
   * How long to wait while no byte arrives, neither of an answer's head nor of its body. Default 30 seconds.
   * Node's `fetch` itself waits no longer than 5 minutes: for more it takes an `HttpClient`, or a dispatcher of
   * fetch, that waits as long.
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * When to try again, after failures that may pass: broken connections, timeouts, bodies cut short, and
   * the statuses 408, 425, 429, 500, 502, 503 and 504. It is given each failure, and begins anew whenever
   * another 64 KiB of a range have arrived. Default: five times, after some 100 ms, then twice as long each time. `Retry-After`
   * is waited for too, up to 30 seconds.
   */
  readonly schedule?: Schedule.Schedule<unknown, SourceFailed> | undefined
  /** How many redirects are followed for one request. Default 5. */
  readonly maxRedirects?: number | undefined
}

/** The options, checked and complete. */
export interface HttpSettings {
  readonly headers: Readonly<Record<string, string>>
  readonly length: number | undefined
  readonly timeout: Duration.Duration
  readonly schedule: Schedule.Schedule<unknown, SourceFailed>
  readonly maxRedirects: number
}

const operation = "fromHttp"

const refuse = (reason: string): never => {
  throw new InvalidArgument({ operation, reason })
}

const defaultSchedule = Schedule.exponential("100 millis").pipe(
  Schedule.jittered,
  Schedule.upTo({ times: 5 })
)

/** Names of headers (RFC 9110, 5.6.2), and values that hold no second header. */
const namePattern = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/
/** What would change the meaning of an answer. */
const ownNames =
  /^(range|accept-encoding|if-.*|content-.*|host|connection|keep-alive|upgrade|expect|te|trailer|transfer-encoding)$/

const checkedHeaders = (headers: Readonly<Record<string, string>>): Record<string, string> => {
  const checked: Record<string, string> = {}
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase()
    if (!namePattern.test(name)) refuse("a name in headers is no name of a header")
    if (ownNames.test(name)) refuse(`the header ${name} can't be given`)
    if (typeof value !== "string" || !valuePattern.test(value)) {
      refuse(`the value of the header ${name} holds what no header can`)
    }
    checked[name] = value
  }
  return checked
}

const checkedTimeout = (input: Duration.Input): Duration.Duration => {
  const timeout = Duration.fromInput(input)
  if (timeout._tag === "None" || !(Duration.toMillis(timeout.value) > 0)) {
    return refuse("timeout must be a duration above 0")
  }
  return timeout.value
}

/** Throws `InvalidArgument`. */
export const checkedSettings = (options: HttpSourceOptions): HttpSettings => {
  const { length, maxRedirects = 5 } = options
  if (length !== undefined) checkOffset(operation, "length", length)
  checkOffset(operation, "maxRedirects", maxRedirects)
  return {
    headers: checkedHeaders(options.headers ?? {}),
    length,
    timeout: checkedTimeout(options.timeout ?? "30 seconds"),
    schedule: options.schedule ?? defaultSchedule,
    maxRedirects
  }
}
