/**
 * A server that misbehaves as it is told: it speaks HTTP by hand, so that it can say what no library lets one say.
 *
 * Left alone it is a good server of one object. A script may answer any request in its place.
 */
import net from "node:net"
import { gzipSync } from "node:zlib"

export interface SeenRequest {
  readonly method: string
  /** With the query. */
  readonly target: string
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
}

export interface Answer {
  readonly status: number
  /** Undefined ones are left out. */
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly body?: Uint8Array | undefined
  /** What comes behind the body: the next request (the default), the end of the connection, its reset, or nothing. */
  readonly then?: "keep" | "end" | "reset" | "stall" | undefined
}

/** Answers a request in the place of the good server, which it is given; undefined leaves it to that. */
export type Script = (
  request: SeenRequest,
  good: (request: SeenRequest) => Answer,
  /** Counts from 0. */
  number: number
) => Answer | "stall" | "reset" | undefined

export interface ServedObject {
  bytes: Uint8Array
  etag?: string | undefined
  lastModified?: string | undefined
  /** When it answers, by its clock. */
  date?: string | undefined
}

export interface ScriptedServer {
  readonly url: string
  readonly port: number
  readonly seen: Array<SeenRequest>
  /** Connections that were made to it. */
  readonly connections: () => number
  /** Open connections on which an answer stalls: fetch opens others in the place of those that it aborts. */
  readonly stalling: () => number
  readonly close: () => Promise<void>
}

/** What a server answers that does everything right. */
export const goodAnswer = (object: ServedObject, request: SeenRequest): Answer => {
  const { bytes, date, etag, lastModified } = object
  const headers = { "accept-ranges": "bytes", date, etag, "last-modified": lastModified }
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers["range"] ?? "")
  const condition = request.headers["if-range"]
  if (range === null || (condition !== undefined && condition !== etag && condition !== lastModified)) {
    return { status: 200, headers: { ...headers, "content-length": `${bytes.length}` }, body: bytes }
  }
  const [first, last] = [Number(range[1]), Math.min(Number(range[2]), bytes.length - 1)]
  if (first >= bytes.length) {
    return { status: 416, headers: { "content-range": `bytes */${bytes.length}`, "content-length": "0" } }
  }
  const body = bytes.subarray(first, last + 1)
  return {
    status: 206,
    headers: {
      ...headers,
      "content-range": `bytes ${first}-${last}/${bytes.length}`,
      "content-length": `${body.length}`
    },
    body
  }
}

/** An answer with some headers changed, or, where they are undefined, left out. */
export const withHeaders = (answer: Answer, headers: Answer["headers"]): Answer => ({
  ...answer,
  headers: { ...answer.headers, ...headers }
})

/** Bytes as one chunk of a body in chunks, with the end of the body or without. */
export const chunked = (bytes: Uint8Array, end = true): Uint8Array =>
  Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`),
    bytes,
    Buffer.from(end ? "\r\n0\r\n\r\n" : "\r\n")
  ])

export const gzipped = (bytes: Uint8Array): Uint8Array => gzipSync(bytes)

const parse = (head: string): SeenRequest => {
  const [first, ...lines] = head.split("\r\n")
  const [method, target] = first.split(" ")
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":")
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
    })
  )
  return { method, target, headers }
}

const headOf = ({ headers = {}, status }: Answer): string => {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`]
  )
  return [`HTTP/1.1 ${status} Scripted`, ...lines, "", ""].join("\r\n")
}

const give = (socket: net.Socket, answer: Answer): void => {
  const { body = new Uint8Array(0), then = "keep" } = answer
  const after = () => {
    if (then === "end") socket.end()
    if (then === "reset") socket.resetAndDestroy()
  }
  // Headers first, so that they have arrived when a connection is reset.
  socket.write(headOf(answer), () => socket.write(body, after))
}

export const startScriptedServer = async (
  object: ServedObject,
  script: Script = () => undefined
): Promise<ScriptedServer> => {
  const seen: Array<SeenRequest> = []
  const sockets = new Set<net.Socket>()
  const stalled = new Set<net.Socket>()
  let connections = 0
  const good = (request: SeenRequest): Answer => goodAnswer(object, request)

  const server = net.createServer((socket) => {
    connections++
    socket.setNoDelay(true)
    sockets.add(socket)
    socket.on("error", () => undefined)
    socket.on("close", () => sockets.delete(socket))
    let text = ""
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1")
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const request = parse(text.slice(0, end))
        text = text.slice(end + 4)
        const answer = script(request, good, seen.length) ?? good(request)
        seen.push(request)
        if (answer === "stall" || (answer !== "reset" && answer.then === "stall")) stalled.add(socket)
        if (answer === "reset") socket.resetAndDestroy()
        else if (answer !== "stall") give(socket, answer)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}/object`,
    port,
    seen,
    connections: () => connections,
    stalling: () => [...stalled].filter((socket) => sockets.has(socket)).length,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      })
  }
}
