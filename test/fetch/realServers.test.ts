import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import fs from "node:fs"
import path from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { ByteSource } from "../../src/fetch/ByteSource.ts"
import { byteSourceSuite } from "../../src/testing/byteSourceSuite.ts"
import { pattern } from "../../src/testing/ioLaw.ts"
import { scratchDirectory } from "../io/scratch.ts"
import type { FileServer } from "./fileServer.ts"
import { nginxProgram, nginxSkipped, startNginx } from "./nginx.ts"
import { startSendServer } from "./sendServer.ts"

const directory = scratchDirectory()
let number = 0

const fileOf = (bytes: Uint8Array): string => {
  const name = `object-${number++}`
  fs.writeFileSync(path.join(directory, name), bytes)
  return name
}

/** Declares the tests for a kind of server, which is started when the first of them runs. */
const servedBy = (
  kind: string,
  start: (directory: string) => Promise<FileServer>,
  skipped: boolean
): void => {
  describe.skipIf(skipped)(kind, () => {
    let server: Promise<FileServer> | undefined
    const served = () => (server ??= start(directory))
    afterAll(async () => (await server)?.close())

    const laws = byteSourceSuite(
      (bytes) =>
        Effect.gen(function* () {
          const { url } = yield* Effect.promise(served)
          return yield* ByteSource.fromHttp(`${url}${fileOf(bytes)}`)
        }),
      {
        change: ({ name = "" }, bytes) => {
          const file = path.join(directory, path.posix.basename(name))
          fs.writeFileSync(file, bytes)
          // Their ETags are made of the length and the time, in seconds or so.
          fs.utimesSync(file, 1_000_000_000, 1_000_000_000)
          return ByteSource.fromHttp(name)
        }
      }
    )
    for (const law of laws) it(law.name, law.run)

    it("sends little more than what is read", async () => {
      const { bytesSent, requests, url } = await served()
      const bytes = pattern(1_000_000)
      const source = await Effect.runPromise(ByteSource.fromHttp(`${url}${fileOf(bytes)}`))
      const [bytesBefore, requestsBefore] = [await bytesSent(), await requests()]
      const footer = new Uint8Array(1000)
      expect(await Effect.runPromise(source.readAt(bytes.length - 1000, footer))).toBe(1000)
      expect(footer).toEqual(bytes.subarray(bytes.length - 1000))
      expect((await bytesSent()) - bytesBefore).toBe(1001)
      expect((await requests()) - requestsBefore).toBe(2)
    })

    it("streams a long range by one request", async () => {
      const { requests, url } = await served()
      const bytes = pattern(10_000_000)
      const source = await Effect.runPromise(ByteSource.fromHttp(`${url}${fileOf(bytes)}`))
      await Effect.runPromise(source.length)
      const before = await requests()
      const pieces = await Effect.runPromise(Stream.runCollect(source.stream!(1, bytes.length - 1)))
      expect(Buffer.compare(Buffer.concat(pieces), bytes.subarray(1))).toBe(0)
      expect((await requests()) - before).toBe(1)
    })

    it("gives SourceChanged when the file is replaced, and its new bytes to a new source", async () => {
      const { url } = await served()
      const name = fileOf(pattern(5000))
      const make = Effect.runPromise(ByteSource.fromHttp(`${url}${name}`))
      const source = await make
      const identity = await Effect.runPromise(source.identity!)
      const other = pattern(5000, 7)
      fs.writeFileSync(path.join(directory, `${name}.new`), other)
      fs.utimesSync(path.join(directory, `${name}.new`), 1_000_000_000, 1_000_000_000)
      fs.renameSync(path.join(directory, `${name}.new`), path.join(directory, name))
      const buffer = new Uint8Array(100)
      const exit = await Effect.runPromiseExit(source.readAt(10, buffer))
      expect(exit).toMatchObject({ _tag: "Failure" })
      const error = Exit.isFailure(exit)
        ? await Effect.runPromise(Effect.flip(source.readAt(10, buffer)))
        : {}
      expect(error).toMatchObject({ _tag: "SourceChanged", expected: identity })
      expect(buffer).toEqual(new Uint8Array(100))
      const anew = await Effect.runPromise(ByteSource.fromHttp(`${url}${name}`))
      await Effect.runPromise(anew.readAt(10, buffer))
      expect(buffer).toEqual(other.subarray(10, 110))
    })

    it("answers for what is not there with SourceFailed", async () => {
      const { url } = await served()
      const source = await Effect.runPromise(ByteSource.fromHttp(`${url}nothing`))
      expect(await Effect.runPromise(Effect.flip(source.length))).toMatchObject({
        _tag: "SourceFailed",
        message: expect.stringContaining("nothing at this address (404)")
      })
    })
  })
}

servedBy(`nginx${nginxSkipped}`, startNginx, nginxProgram === undefined)
servedBy("send, of npm", startSendServer, false)
