/** What the tests about HTTP begin with: a server that misbehaves, and a source that reads from it. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { afterEach } from "vitest"
import type { ByteSource, HttpSourceOptions, SourceError } from "../../src/fetch/ByteSource.ts"
import { makeHttpSource } from "../../src/fetch/httpSource.ts"
import { pattern } from "../../src/testing/ioLaw.ts"
import { type Script, type ScriptedServer, type ServedObject, startScriptedServer } from "./scriptedServer.ts"

export const objectBytes = pattern(10_000)
export const objectEtag = '"version-1"'

const started: Array<ScriptedServer> = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.close()))
})

/** A server of `objectBytes`, or of another object, that ends with its test. */
export const serve = async (
  script?: Script,
  object: ServedObject = { bytes: objectBytes, etag: objectEtag }
): Promise<ScriptedServer> => {
  const server = await startScriptedServer(object, script)
  started.push(server)
  return server
}

/** Tries three times more, at once. */
export const impatient: HttpSourceOptions = {
  schedule: Schedule.recurs(3),
  timeout: Duration.seconds(20)
}

/** For servers that stall: no longer than a good answer takes on a machine that is busy with other things. */
export const briefly = Duration.millis(400)

/** What `ByteSource.fromHttp` gives, at once: the module is loaded already. */
export const sourceOf = (url: string, options: HttpSourceOptions = {}): ByteSource<SourceError> =>
  Effect.runSync(Effect.orDie(makeHttpSource(url, { ...impatient, ...options })))

export const read = (
  source: ByteSource<SourceError>,
  offset: number,
  length: number
): Effect.Effect<Uint8Array, SourceError> => {
  const buffer = new Uint8Array(length)
  return Effect.map(source.readAt(offset, buffer), (count) => buffer.subarray(0, count))
}

/** All pieces of a range as one. */
export const streamed = (
  source: ByteSource<SourceError>,
  offset: number,
  length: number
): Effect.Effect<Uint8Array, SourceError> =>
  Effect.map(Stream.runCollect(source.stream!(offset, length)), (pieces) =>
    Uint8Array.from(Buffer.concat(pieces))
  )

/** How a read fails. */
export const failureOfRead = (
  source: ByteSource<SourceError>,
  offset = 1000,
  length = 100
): Promise<SourceError> => Effect.runPromise(Effect.flip(read(source, offset, length)))
