/**
 * What goes wrong with one request, before it is known whether another one helps.
 *
 * Texts of a client's errors are never passed on: some repeat the URL with its secrets, or headers. Their
 * codes are.
 */
import * as Data from "effect/Data"
import { SourceFailed } from "../bytes/errors.ts"

/** The failure of one request; `temporary` when the next may succeed. */
export class HttpFault extends Data.TaggedError("HttpFault")<{
  readonly reason: string
  readonly temporary: boolean
  /** What the server answered, where that says it all. */
  readonly status?: number | undefined
  /** How long the server asks to be left alone. */
  readonly retryAfterMillis?: number | undefined
}> {}

/** A fault that no other try would help. */
export const refused = (reason: string): HttpFault => new HttpFault({ reason, temporary: false })

/** The same, where it is the status that says so. */
export const refusedByStatus = (status: number, reason: string): HttpFault =>
  new HttpFault({ reason, temporary: false, status })

/** A fault that may pass. */
export const passing = (reason: string): HttpFault => new HttpFault({ reason, temporary: true })

/** The failure that a caller gets. */
export const failureOf = (fault: HttpFault, source: string, offset: number): SourceFailed =>
  new SourceFailed({ source, offset, reason: fault.reason, status: fault.status })

/** What may pass, by its code. */
const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was reset",
  ENOTFOUND: "the host is not known",
  EAI_AGAIN: "the host's name can't be looked up now",
  ETIMEDOUT: "the connection timed out",
  EHOSTUNREACH: "the host can't be reached",
  ENETUNREACH: "the network can't be reached",
  UND_ERR_SOCKET: "the connection broke off",
  UND_ERR_CONNECT_TIMEOUT: "the connection timed out",
  UND_ERR_HEADERS_TIMEOUT: "nothing came for longer than fetch waits",
  UND_ERR_BODY_TIMEOUT: "nothing came for longer than fetch waits"
}

const untrusted = "the server's certificate is not of an authority that is trusted here"
const noTls = "what answers there doesn't speak TLS: the URL may have to begin with http:"

/** What no other try would help, by its code. */
const lastingWords: Readonly<Record<string, string>> = {
  UND_ERR_HEADERS_OVERFLOW: "the head of the answer is too large",
  HPE_HEADER_OVERFLOW: "the head of the answer is too large",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the server's certificate is signed by nobody but itself",
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  CERT_UNTRUSTED: untrusted,
  CERT_REJECTED: untrusted,
  INVALID_CA: untrusted,
  INVALID_PURPOSE: "the server's certificate is not one for servers",
  CERT_SIGNATURE_FAILURE: "the signature of the server's certificate is wrong",
  CERT_CHAIN_TOO_LONG: "the chain of the server's certificate is too long",
  PATH_LENGTH_EXCEEDED: "the chain of the server's certificate is too long",
  CERT_HAS_EXPIRED: "the server's certificate has expired",
  CERT_NOT_YET_VALID: "the server's certificate is not valid yet",
  CERT_REVOKED: "the server's certificate was revoked",
  HOSTNAME_MISMATCH: "the server's certificate is for another host",
  ERR_TLS_CERT_ALTNAME_INVALID: "the server's certificate is for another host",
  ERR_TLS_CERT_ALTNAME_FORMAT: "the server's certificate names no host that could be understood",
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls
}

/** The errors of a chain of causes, the outermost first. One that somebody made circular ends too. */
function* causesOf(error: unknown): Generator<object> {
  let cause = error
  for (let depth = 0; depth < 8 && typeof cause === "object" && cause !== null; depth++) {
    yield cause
    cause = "reason" in cause ? cause.reason : "cause" in cause ? cause.cause : undefined
  }
}

/** The code that an error, or what caused it, carries. */
const codeOf = (error: unknown): string | undefined => {
  for (const cause of causesOf(error)) {
    if ("code" in cause && typeof cause.code === "string" && /^[A-Z][A-Z0-9_]{1,60}$/.test(cause.code)) {
      return cause.code
    }
  }
  return undefined
}

/** Ports of other protocols, which the fetch standard blocks: it says so by this text alone. */
const isBlockedPort = (error: unknown): boolean =>
  [...causesOf(error)].some((cause) => "message" in cause && cause.message === "bad port")

const tagsOf = (error: unknown): ReadonlyArray<unknown> =>
  [...causesOf(error)].map((cause) => ("_tag" in cause ? cause._tag : undefined))

/** What a client's error comes down to. */
export const transportFault = (error: unknown): HttpFault => {
  const tags = tagsOf(error)
  if (tags.includes("InvalidUrlError")) return refused("the HTTP client makes no URL of this address")
  if (tags.includes("EncodeError")) return refused("the HTTP client can't encode the request")
  const code = codeOf(error)
  if (code === undefined) {
    return isBlockedPort(error)
      ? refused("fetch doesn't connect to this port, which is one of another protocol")
      : passing("the connection failed")
  }
  if (Object.hasOwn(lastingWords, code)) return refused(`${lastingWords[code]} (${code})`)
  return passing(Object.hasOwn(words, code) ? `${words[code]} (${code})` : `the connection failed (${code})`)
}

const temporaryStatuses = [408, 425, 429, 500, 502, 503, 504]
const maxRetryAfterMillis = 30_000

const statusWords: Readonly<Record<number, string>> = {
  401: "the server wants to know who asks (401): give a user and password in the URL, or a header",
  403: "the server doesn't allow it (403); if the URL is signed, the signature may have expired",
  404: "there is nothing at this address (404)",
  407: "a proxy on the way wants to know who asks (407)",
  408: "the server waited too long for the request (408)",
  410: "there is nothing at this address any more (410)",
  429: "the server is asked too often (429)",
  503: "the server is not available (503)"
}

/** Seconds are all that is understood of it: a date would need the server's clock. */
const retryAfterMillis = (header: string | undefined): number | undefined =>
  header !== undefined && /^\d{1,9}$/.test(header)
    ? Math.min(Number(header) * 1000, maxRetryAfterMillis)
    : undefined

/** What a status without bytes of the object means. */
export const statusFault = (
  status: number,
  headers: Readonly<Record<string, string | undefined>>
): HttpFault =>
  new HttpFault({
    reason: statusWords[status] ?? `the server answers with status ${status}`,
    temporary: temporaryStatuses.includes(status),
    status,
    retryAfterMillis: retryAfterMillis(headers["retry-after"])
  })
