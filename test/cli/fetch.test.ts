/** `lacuna fetch`, and `read` and `inspect` of what lies behind a URL, against servers on loopback. */
import fs from "node:fs"
import http from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { FileServer } from "../fetch/fileServer.ts"
import { nginxProgram, nginxSkipped, startNginx } from "../fetch/nginx.ts"
import { startSendServer } from "../fetch/sendServer.ts"
import { build, failsWith, lacunaIn, succeeds, temporaryDirectory } from "./lacuna.ts"

const directory = temporaryDirectory()
const lacuna = lacunaIn(directory)
const www = join(directory, "www")
const chunkBytes = 131_072

/** Bytes of which no two neighbourhoods look alike. */
const pattern = (length: number, salt = 0): Buffer => {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = (Math.imul(i + salt, 2_654_435_761) >>> 13) & 255
  return bytes
}
const object = pattern(5 * chunkBytes + 1000)

interface Fetched {
  readonly complete: boolean
  readonly fetchedBytes: number
  readonly keptBytes: number
  readonly length: number
  readonly requests: number
}

const fetchJson = async (...args: ReadonlyArray<string>): Promise<Fetched> =>
  JSON.parse((await succeeds(lacuna(["fetch", ...args, "--json"]))).text) as Fetched

const bytesOf = (name: string): Buffer => fs.readFileSync(join(directory, name))

let server: FileServer
beforeAll(async () => {
  build()
  fs.mkdirSync(www)
  fs.writeFileSync(join(www, "object"), object)
  fs.writeFileSync(join(www, "empty"), "")
  server = await startSendServer(www)
}, 120_000)
afterAll(() => server.close())

describe("lacuna fetch", () => {
  it("fetches ranges, shows what is there, fetches the rest, and nothing again", async () => {
    const url = `${server.url}object`
    const first = await fetchJson(url, "--out", "parts", "--range", "-1000", "--range", "0-9")
    expect(first).toMatchObject({ complete: false, length: object.length, keptBytes: chunkBytes + 1000 })
    const shown = await succeeds(lacuna(["inspect", "parts"]))
    expect(shown.text).toMatch(/^kept +129 KiB \(132,072 bytes\), 20.1 %$/m)
    expect(shown.text).toContain("█")
    const inspected = JSON.parse((await succeeds(lacuna(["inspect", "parts", "--json"]))).text) as object
    expect(inspected).toMatchObject({
      length: object.length,
      complete: false,
      clean: true,
      coverage: [
        { offset: 0, length: chunkBytes },
        { offset: 5 * chunkBytes, length: 1000 }
      ]
    })
    const before = await server.bytesSent()
    const second = await fetchJson(url, "--out", "parts")
    expect(second).toMatchObject({ complete: true, fetchedBytes: 4 * chunkBytes })
    // One byte more tells the length of the object.
    expect((await server.bytesSent()) - before).toBeLessThanOrEqual(4 * chunkBytes + 1)
    expect(bytesOf("parts").equals(object)).toBe(true)
    expect(await fetchJson(url, "--out", "parts", "--all")).toMatchObject({ fetchedBytes: 0, requests: 0 })
  })

  it("fetches an object of nothing", async () => {
    const done = await succeeds(lacuna(["fetch", `${server.url}empty`, "--out", "nothing"]))
    expect(done.text).toMatch(/^nothing holds all of 0 bytes/)
    expect(bytesOf("nothing").length).toBe(0)
  })

  it("sends the headers it is given, and tells no secret of a URL", async () => {
    const seen: Array<string | undefined> = []
    const guarded = http.createServer((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(request.headers.authorization === "Bearer key" ? 500 : 403).end()
    })
    await new Promise<void>((resolve) => guarded.listen(0, "127.0.0.1", resolve))
    const { port } = guarded.address() as AddressInfo
    const url = `http://127.0.0.1:${port}/object?signature=secret`
    await failsWith(
      lacuna(["fetch", url, "--out", "denied"]),
      /127.0.0.1:\d+\/object can't be read .*\(403\)/
    )
    expect(fs.existsSync(join(directory, "denied"))).toBe(false)
    const running = await lacuna(["fetch", url, "--out", "denied", "--header", "Authorization: Bearer key"])
    expect(running.status).toBe(1)
    expect(running.stderr).toContain("500")
    expect(running.stderr).not.toContain("secret")
    expect(seen).toContain("Bearer key")
    guarded.closeAllConnections()
    await new Promise((resolve) => guarded.close(resolve))
  }, 60_000)

  it("refuses an object that has changed, and begins again when it is told to", async () => {
    const path = join(www, "changing")
    fs.writeFileSync(path, pattern(3 * chunkBytes))
    const url = `${server.url}changing`
    await fetchJson(url, "--out", "changed", "--range", "0-0")
    const newer = pattern(3 * chunkBytes + 5, 7)
    fs.writeFileSync(path, newer)
    await failsWith(lacuna(["fetch", url, "--out", "changed"]), /has changed: it was .* and is /)
    expect(bytesOf("changed").subarray(0, chunkBytes).equals(pattern(chunkBytes))).toBe(true)
    expect(await fetchJson(url, "--out", "changed", "--restart")).toMatchObject({ complete: true })
    expect(bytesOf("changed").equals(newer)).toBe(true)
  })

  it("says what is wrong with a call in one line", async () => {
    const url = `${server.url}object`
    await failsWith(lacuna(["fetch", "object", "--out", "x"]), /a URL is expected/, 2)
    await failsWith(lacuna(["fetch", url, "--out", "x", "--range", "9-5"]), /--range can't be "9-5"/, 2)
    await failsWith(lacuna(["fetch", url, "--out", "x", "--header", "no header"]), /a header is expected/, 2)
    await failsWith(lacuna(["fetch", url, "--out", "x", "--range", "99999999-"]), /lie beyond them/)
    await failsWith(lacuna(["fetch", url, "--out", "no/x"]), "there is no no")
    await failsWith(
      lacuna(["fetch", `${server.url}none`, "--out", "x"]),
      /there is nothing at this address \(404\)/
    )
    expect(fs.existsSync(join(directory, "x"))).toBe(false)
    fs.writeFileSync(join(directory, "mine"), "somebody's own")
    await failsWith(lacuna(["fetch", url, "--out", "mine"]), /mine exists already/)
    expect(bytesOf("mine").toString()).toBe("somebody's own")
  })

  it.skipIf(nginxProgram === undefined)(`fetches from nginx${nginxSkipped}`, async () => {
    const nginx = await startNginx(www)
    try {
      await fetchJson(`${nginx.url}object`, "--out", "from-nginx", "--range", "200000-200000")
      const rest = await fetchJson(`${nginx.url}object`, "--out", "from-nginx")
      expect(rest).toMatchObject({ complete: true, fetchedBytes: object.length - chunkBytes })
      expect(bytesOf("from-nginx").equals(object)).toBe(true)
    } finally {
      await nginx.close()
    }
  })
})

describe("lacuna read of a URL", () => {
  it("gives bytes of an object, and fetches a chunk once", async () => {
    const args = ["read", `${server.url}object`, "--cache", "cache", "--length", "100"]
    const read = async (offset: number): Promise<Buffer> =>
      (await succeeds(lacuna([...args, "--offset", String(offset)]))).stdout
    expect((await read(1000)).equals(object.subarray(1000, 1100))).toBe(true)
    const before = await server.bytesSent()
    expect((await read(2000)).equals(object.subarray(2000, 2100))).toBe(true)
    // What tells the version of the object, and that there is no map.
    expect((await server.bytesSent()) - before).toBeLessThan(1000)
    const rest = await succeeds(
      lacuna(["read", `${server.url}object`, "--cache", "cache", "--offset", "600000"])
    )
    expect(rest.stdout.equals(object.subarray(600_000))).toBe(true)
    await failsWith(lacuna([...args, "--offset", "99999999"]), /what can be read there ends at 656360/)
    expect(fs.statSync(join(directory, "cache")).mode & 0o77).toBe(0)
  })

  it("reads a sparse file, and a collected store, at the old offsets", async () => {
    fs.writeFileSync(join(directory, "log"), object)
    await succeeds(lacuna(["compact", "log", "--live", "-", "--out", "www/kept"], "1000 24\n400000 50000\n"))
    const url = `${server.url}kept`
    const read = (...args: ReadonlyArray<string>) => lacuna(["read", url, "--cache", "cache", ...args])
    const got = await succeeds(read("--offset", "400010", "--length", "40000"))
    expect(got.stdout.equals(object.subarray(400_010, 440_010))).toBe(true)
    const run = await succeeds(read("--offset", "1010"))
    expect(run.stdout.equals(object.subarray(1010, 1024))).toBe(true)
    await failsWith(
      read("--offset", "500"),
      /offset 500 of http.*\/kept was not kept: it lies before the first/
    )
    const plain = await succeeds(read("--offset", "0", "--length", "24", "--plain"))
    expect(plain.stdout.equals(object.subarray(1000, 1024))).toBe(true)
    const named = await succeeds(read("--offset", "1000", "--length", "5", "--map", `${url}.map`))
    expect(named.stdout.equals(object.subarray(1000, 1005))).toBe(true)

    await succeeds(lacuna(["store", "init", "www/store"]))
    await succeeds(lacuna(["store", "append", "www/store", "--lines"], "one\ntwo\nthree\n"))
    await succeeds(lacuna(["store", "collect", "www/store", "--live", "-"], "6 5\n"))
    const published = `${server.url}store/store.1.prefix`
    const three = await succeeds(lacuna(["read", published, "--cache", "elsewhere", "--offset", "6"]))
    expect(three.text).toBe("three")
    await failsWith(lacuna(["read", published, "--cache", "elsewhere", "--offset", "0"]), /was not kept/)
  })

  it("does not take an object for a plain one because its server is down", async () => {
    const down = http.createServer((request, response) => {
      response.writeHead(request.url === "/kept.map" ? 500 : 404).end()
    })
    await new Promise<void>((resolve) => down.listen(0, "127.0.0.1", resolve))
    const { port } = down.address() as AddressInfo
    const url = `http://127.0.0.1:${port}/kept`
    await failsWith(
      lacuna(["read", url, "--cache", "cache", "--offset", "0"]),
      /kept\.map can't be read .*500/
    )
    down.closeAllConnections()
    await new Promise((resolve) => down.close(resolve))
  }, 60_000)
})
