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

/** A server that answers in its own way. */
const listening = async (listener: http.RequestListener): Promise<Pick<FileServer, "url" | "close">> => {
  const answering = http.createServer(listener)
  await new Promise<void>((resolve) => answering.listen(0, "127.0.0.1", resolve))
  const { port } = answering.address() as AddressInfo
  const close = async (): Promise<void> => {
    answering.closeAllConnections()
    await new Promise((resolve) => answering.close(resolve))
  }
  return { url: `http://127.0.0.1:${port}/`, close }
}

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
    const guarded = await listening((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(request.headers.authorization === "Bearer key" ? 500 : 403).end()
    })
    const url = `${guarded.url}object?signature=secret`
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
    fs.writeFileSync(join(directory, "headers"), "Authorization: Bearer key\n")
    seen.length = 0
    await lacuna(["fetch", url, "--out", "denied", "--header", "@headers"])
    expect(new Set(seen)).toEqual(new Set(["Bearer key"]))
    await guarded.close()
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

  it("begins anew where another URL has the same validators", async () => {
    const time = new Date(1_700_000_000_000)
    for (const [name, salt] of [
      ["twin-a", 1],
      ["twin-b", 2]
    ] as const) {
      fs.writeFileSync(join(www, name), pattern(2 * chunkBytes, salt))
      fs.utimesSync(join(www, name), time, time)
    }
    await fetchJson(`${server.url}twin-a`, "--out", "twin", "--range", "0-0")
    await failsWith(lacuna(["fetch", `${server.url}twin-b`, "--out", "twin"]), /has changed: .*--restart/)
    await fetchJson(`${server.url}twin-b`, "--out", "twin", "--restart")
    expect(bytesOf("twin").equals(pattern(2 * chunkBytes, 2))).toBe(true)
  })

  it("goes on with nothing but a length to tell the version by only when it is told to", async () => {
    let content = pattern(3 * chunkBytes)
    const bare = await listening((request, response) => {
      const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")
      if (range === null) return void response.writeHead(200).end()
      const [first, last] = range.slice(1).map(Number)
      response
        .writeHead(206, { "content-range": `bytes ${first}-${last}/${content.length}` })
        .end(content.subarray(first, last + 1))
    })
    const url = `${bare.url}object`
    await fetchJson(url, "--out", "bare", "--range", "0-0")
    content = pattern(3 * chunkBytes, 5)
    await failsWith(lacuna(["fetch", url, "--out", "bare"]), /no ETag and no Last-Modified/)
    await fetchJson(url, "--out", "bare", "--trust-length")
    await fetchJson(url, "--out", "bare", "--restart")
    expect(bytesOf("bare").equals(content)).toBe(true)
    const args = ["read", url, "--plain", "--cache", "cache", "--offset", "0", "--length", "9"]
    expect((await succeeds(lacuna(args))).stdout.equals(content.subarray(0, 9))).toBe(true)
    content = pattern(3 * chunkBytes, 6)
    expect((await succeeds(lacuna(args))).stdout.equals(content.subarray(0, 9))).toBe(true)
    await bare.close()
  }, 60_000)

  it("fetches all of an object from a server that sends no parts, in one request", async () => {
    const whole = pattern((20 << 20) + 7)
    let requests = 0
    const plain = await listening((_, response) => {
      requests++
      response.writeHead(200, { "content-length": whole.length, etag: '"whole"' }).end(whole)
    })
    const fetched = await fetchJson(`${plain.url}object`, "--out", "whole")
    expect(fetched).toMatchObject({ complete: true, requests: 1 })
    expect(bytesOf("whole").equals(whole)).toBe(true)
    expect(requests).toBe(2) // the first one tells how long it is
    const part = lacuna(["fetch", `${plain.url}object`, "--out", "part", "--range", "5000000-5000001"])
    await failsWith(part, /can't send parts of the object/)
    await plain.close()
  }, 60_000)

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

  it.skipIf(nginxProgram === undefined)(
    `fetches from nginx, and reads a collected store that it publishes${nginxSkipped}`,
    async () => {
      const nginx = await startNginx(www)
      try {
        await fetchJson(`${nginx.url}object`, "--out", "from-nginx", "--range", "200000-200000")
        const rest = await fetchJson(`${nginx.url}object`, "--out", "from-nginx")
        expect(rest).toMatchObject({ complete: true, fetchedBytes: object.length - chunkBytes })
        expect(bytesOf("from-nginx").equals(object)).toBe(true)

        await succeeds(lacuna(["store", "init", "www/published"]))
        await succeeds(lacuna(["store", "append", "www/published", "--lines"], "one\ntwo\nthree\n"))
        await succeeds(lacuna(["store", "collect", "www/published", "--live", "-"], "6 5\n"))
        fs.mkdirSync(join(directory, "second"))
        const read = ["read", `${nginx.url}published/store.1.prefix`, "--cache", "cache", "--offset", "6"]
        expect((await succeeds(lacunaIn(join(directory, "second"))(read))).text).toBe("three")
      } finally {
        await nginx.close()
      }
    }
  )
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

  it("does not take an object for a plain one unless it is certain", async () => {
    const statuses: Record<string, number> = { "/down.map": 500, "/signed.map?X-Amz-Signature=secret": 403 }
    const unclear = await listening((request, response) => {
      response.writeHead(statuses[request.url ?? ""] ?? 404).end()
    })
    const read = (name: string) =>
      lacuna(["read", `${unclear.url}${name}`, "--cache", "cache", "--offset", "0"])
    await failsWith(read("down"), /down is a sparse file can't be told .*500.* --map, or say --plain/)
    await failsWith(read("signed?X-Amz-Signature=secret"), /signed is a sparse file can't be told .*403/)
    await unclear.close()
  }, 60_000)

  it("tells no secret of a URL, whatever goes wrong", async () => {
    const url = `${server.url.replace("//", "//user:hunter2@")}object?X-Amz-Signature=hunter2`
    for (const args of [
      ["read", url, "--cache", "cache", "--offset", "0", "--length", "99999999"],
      ["read", url.replace("http", "htp"), "--offset", "0"],
      ["fetch", url.replace("http", "htp"), "--out", "x"],
      ["fetch", url, "--out", "x", "--header", "Authorization Bearer hunter2"],
      ["fetch", url, url, "--out", "x"],
      ["read", "http://user:hunter2@", "--offset", "0"]
    ]) {
      const { status, stderr } = await lacuna(args)
      expect(stderr).toMatch(/^lacuna: [^\n]+\n$/)
      expect(stderr).not.toContain("hunter2")
      expect(stderr).not.toContain("lacuna itself")
      expect(status).not.toBe(0)
    }
  }, 60_000)

  it("does without a cache that can't be used, and begins a damaged one anew", async () => {
    const url = `${server.url}object`
    const read = (cache: string) => lacuna(["read", url, "--cache", cache, "--offset", "7", "--length", "9"])
    fs.writeFileSync(join(directory, "no-directory"), "")
    const without = await read("no-directory")
    expect(without.stdout.equals(object.subarray(7, 16))).toBe(true)
    expect(without.stderr).toMatch(/^lacuna: nothing is cached: [^\n]+\n$/)
    await succeeds(read("damaged"))
    const [name] = fs.readdirSync(join(directory, "damaged")).filter((one) => one.endsWith(".extents"))
    fs.writeFileSync(join(directory, "damaged", name), "not a record of anything")
    expect((await succeeds(read("damaged"))).stdout.equals(object.subarray(7, 16))).toBe(true)
  }, 60_000)

  it("refuses what is for URLs alone with a path", async () => {
    await failsWith(
      lacuna(["read", "log", "--offset", "0", "--plain"]),
      "--plain is for URLs, and log is a path"
    )
  })
})
