/**
 * Whatever a server does, what is read of an object behind HTTP is the bytes of the version that the source is pinned to,
 * or a failure with a tag: never other bytes, never fewer, and never nothing at all.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as fc from "fast-check"
import { assert, it } from "vitest"
import { ByteSource, type SourceError } from "../src/fetch/ByteSource.ts"
import { pattern } from "../src/testing/ioLaw.ts"
import {
  type Answer,
  chunked,
  goodAnswer,
  gzipped,
  type Script,
  type ServedObject,
  startScriptedServer,
  withHeaders
} from "../test/fetch/scriptedServer.ts"
import { runProperty } from "./runs.ts"

const trouble = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: "none" as const }) },
  fc.record({
    kind: fc.constantFrom("cut" as const, "shift" as const),
    at: fc.nat(5000),
    then: fc.constantFrom("end" as const, "reset" as const)
  }),
  fc.record({
    kind: fc.constantFrom("chunks", "longer", "whole", "gzip", "busy", "gone", "reset", "unknown")
  }),
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("stall" as const, "stallBody" as const) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "change" as const }) }
)
type Trouble = { readonly kind: string; readonly at?: number; readonly then?: "end" | "reset" }

const inChunks = (answer: Answer, body: Uint8Array): Answer => ({
  ...withHeaders(answer, { "content-length": undefined, "transfer-encoding": "chunked" }),
  body: chunked(body)
})

/** What a good answer becomes. */
const spoiled = (good: Answer, { at = 0, kind, then }: Trouble): Answer | "stall" | "reset" => {
  const body = good.body ?? new Uint8Array(0)
  switch (kind) {
    case "cut":
      return { ...good, body: body.subarray(0, Math.min(at, body.length)), then }
    case "shift":
      return withHeaders(good, { "content-range": `bytes ${at}-${at + body.length}/99999` })
    case "chunks":
      return inChunks(good, body)
    case "longer":
      return inChunks(good, Buffer.concat([body, Buffer.of(1)]))
    case "gzip":
      return { ...inChunks(withHeaders(good, { "content-encoding": "gzip" }), gzipped(body)) }
    case "busy":
      return { status: 503, headers: { "content-length": "0" } }
    case "gone":
      return { status: 404, headers: { "content-length": "0" } }
    case "stallBody":
      return { ...good, body: body.subarray(0, body.length >> 1), then: "stall" }
    case "unknown":
      return withHeaders(good, { etag: undefined })
    case "reset":
    case "stall":
      return kind
    default:
      return good
  }
}

const versions = (length: number): Record<string, Uint8Array> => ({
  '"one"': pattern(length),
  '"two"': pattern(length, 99)
})

const read = (source: ByteSource<SourceError>, offset: number, length: number) =>
  Effect.gen(function* () {
    const buffer = new Uint8Array(length)
    const count = yield* source.readAt(offset, buffer)
    return { bytes: buffer.slice(0, count), rest: buffer.subarray(count), identity: yield* source.identity! }
  })

it("every read of an unreliable server gives the right bytes, or a failure with a tag", async () => {
  const property = fc.asyncProperty(
    fc.nat(6000),
    fc.array(trouble, { maxLength: 30 }),
    fc.array(fc.tuple(fc.nat(7000), fc.nat(7000)), { minLength: 1, maxLength: 8 }),
    async (length, troubles: ReadonlyArray<Trouble>, reads) => {
      const bytesOf = versions(length)
      const object: ServedObject = { bytes: bytesOf['"one"'], etag: '"one"' }
      const script: Script = (request, good, number) => {
        const what = troubles[number] ?? { kind: "none" }
        if (what.kind === "change") Object.assign(object, { bytes: bytesOf['"two"'], etag: '"two"' })
        if (what.kind === "whole") return goodAnswer(object, { ...request, headers: {} })
        return spoiled(good(request), what)
      }
      const server = await startScriptedServer(object, script)
      try {
        const source = await Effect.runPromise(
          ByteSource.fromHttp(server.url, { schedule: Schedule.recurs(2), timeout: Duration.millis(60) })
        )
        for (const [offset, size] of reads) {
          const exit = await Effect.runPromiseExit(Effect.result(read(source, offset, size)))
          assert(Exit.isSuccess(exit), "no failure without a tag")
          const result = exit.value
          if (Result.isFailure(result)) {
            assert.include(["SourceFailed", "SourceChanged"], result.failure._tag)
            continue
          }
          const { bytes, identity, rest } = result.success
          const etag = /^etag ("\w+"), length/.exec(identity)?.[1]
          // Where the first answer came without one, only lengths were compared.
          const possible = etag === undefined ? Object.values(bytesOf) : [bytesOf[etag]]
          const wanted = possible.map((all) => Buffer.from(all.subarray(offset, offset + size)))
          if (etag !== undefined) assert.deepEqual(Buffer.from(bytes), wanted[0])
          assert.strictEqual(bytes.length, wanted[0].length)
          assert(rest.every((byte) => byte === 0))
        }
      } finally {
        await server.close()
      }
    }
  )
  await runProperty(property, { runs: 200 })
})
