/**
 * The exploration of power cuts, tried on small engines that are right, and on the same engines with
 * one thing wrong: each must be found out.
 */
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { Io } from "../../src/io/Io.ts"
import { CrashDisk } from "../../src/testing/crashDisk.ts"
import { imageDigest } from "../../src/testing/crashImage.ts"
import { CrashMedium } from "../../src/testing/crashMedium.ts"
import { type CrashStory, exploreCrashes } from "../../src/testing/exploreCrashes.ts"
import { IoCrash } from "../../src/testing/IoCrash.ts"
import { ioSuite } from "../../src/testing/ioSuite.ts"
import { LawBroken } from "../../src/testing/law.ts"

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A file that is replaced as a whole: written under another name, synced, renamed, and its name synced. */
interface Replacing {
  readonly syncContent: boolean
  readonly syncName: boolean
}

type Promised = { readonly begun: string } | { readonly done: string }

const replace = (text: string, { syncContent, syncName }: Replacing) =>
  Effect.gen(function* () {
    const io = yield* Io
    const file = yield* io.create("/config.tmp", { overwrite: true })
    yield* file.writeAt(0, bytesOf(text))
    if (syncContent) yield* file.sync
    yield* io.rename("/config.tmp", "/config")
    if (syncName) yield* io.syncDirectory("/")
  }).pipe(Effect.scoped)

const readConfig = Effect.gen(function* () {
  const io = yield* Io
  const file = yield* io.open("/config", { readonly: true })
  const bytes = new Uint8Array(yield* file.size)
  yield* file.readAt(0, bytes)
  return new TextDecoder().decode(bytes)
}).pipe(Effect.catchTag("NoSuchFile", () => Effect.succeed("nothing")))

const texts = ["first", "second ".repeat(200), "third"]

const replacing = (how: Replacing): CrashStory<string, Promised> => ({
  workload: (note) =>
    Effect.forEach(
      texts,
      (text) =>
        Effect.gen(function* () {
          note({ begun: text })
          yield* replace(text, how)
          note({ done: text })
        }),
      { discard: true }
    ),
  recover: readConfig,
  law: (found, notes) => {
    let allowed = ["nothing"]
    for (const note of notes) allowed = "done" in note ? [note.done] : [...allowed, note.begun]
    if (!allowed.includes(found)) throw new LawBroken(`found ${found}`)
  }
})

/** Two slots that take turns, each a length, a checksum of sorts, and a number. */
const slots = (syncs: boolean): CrashStory<number, number> => {
  const encoded = (value: number): Uint8Array => Uint8Array.of(value, value ^ 0xff)
  return {
    workload: (note) =>
      Effect.gen(function* () {
        const io = yield* Io
        const file = yield* io.create("/slots", { overwrite: false })
        yield* file.writeAt(0, new Uint8Array(1024))
        yield* file.sync
        yield* io.syncDirectory("/")
        for (let value = 1; value <= 4; value++) {
          yield* file.writeAt((value % 2) * 512, encoded(value))
          if (syncs) yield* file.sync
          note(value)
        }
      }),
    // Whatever counts is put into both slots: a recovery that writes.
    recover: Effect.gen(function* () {
      const io = yield* Io
      if ((yield* io.classify("/slots")) === "none") return 0
      const file = yield* io.open("/slots", { readonly: false })
      let newest = 0
      for (const offset of [0, 512]) {
        const slot = new Uint8Array(2)
        if ((yield* file.readSomeAt(offset, slot)) < 2) return 0
        if ((slot[0] ^ 0xff) === slot[1]) newest = Math.max(newest, slot[0])
      }
      if (newest === 0) return 0
      for (const offset of [((newest + 1) % 2) * 512, (newest % 2) * 512]) {
        yield* file.writeAt(offset, encoded(newest))
        if (syncs) yield* file.sync
      }
      return newest
    }),
    law: (found, notes) => {
      const promised = notes.reduce((most, value) => Math.max(most, value), 0)
      if (found < promised || found > promised + 1)
        throw new LawBroken(`found ${found}, promised ${promised}`)
    },
    shown: (found) => found
  }
}

const explored = <Found, Note>(story: CrashStory<Found, Note>, options = {}) =>
  Effect.runPromise(exploreCrashes(story, options))

describe("Io on a disk that may lose power", () => {
  for (const law of ioSuite(IoCrash.layer, { directory: "/", mapping: "zeroed" })) it(law.name, law.run)
})

describe("exploring power cuts", () => {
  it("finds nothing wrong with a file that is replaced as it should be", async () => {
    const report = await explored(replacing({ syncContent: true, syncName: true }))
    assert.deepStrictEqual(report.failures, [])
    assert.isAbove(report.distinctStates, 15)
  })

  it("finds a name that was durable before its content", async () => {
    const { failures } = await explored(replacing({ syncContent: false, syncName: true }))
    assert.isAbove(failures.length, 0)
  })

  it("finds a change that was acknowledged before its name was durable", async () => {
    const { failures } = await explored(replacing({ syncContent: true, syncName: false }))
    assert.isAbove(failures.length, 0)
  })

  it("replays a failure from its name alone, and tells the story", async () => {
    const story = replacing({ syncContent: false, syncName: true })
    const [failure] = (await explored(story)).failures
    const again = await explored(story, { at: failure.at })
    assert.strictEqual(again.states, 1)
    assert.strictEqual(again.failures[0]?.at, failure.at)
    assert.include(again.failures[0].story, "power cut")
    assert.include(again.failures[0].story, "write 5 bytes at 0 of [/config.tmp]")
  })

  it("cuts power in recoveries, and takes back nothing that a recovery has shown", async () => {
    const right = await explored(slots(true), { inside: 1 })
    assert.deepStrictEqual(right.failures, [])
    assert.isAbove(right.insideRecovery, 20)
    const wrong = await explored(slots(false), { inside: 1 })
    assert.isAbove(wrong.failures.length, 0)
  })

  it("names a failure inside a recovery, and replays it", async () => {
    // Right until power is cut in its recovery, which empties the file before it writes it anew.
    const story: CrashStory<string, string> = {
      workload: (note) =>
        Effect.andThen(replace("kept", { syncContent: true, syncName: true }), () =>
          Effect.sync(() => note("kept"))
        ),
      recover: Effect.gen(function* () {
        const found = yield* readConfig
        if (found === "nothing") return found
        const io = yield* Io
        const file = yield* io.open("/config", { readonly: false })
        yield* file.truncate(0)
        yield* file.writeAt(0, bytesOf(found))
        yield* file.sync
        return found
      }),
      law: (found, notes) => {
        if (notes.length > 0 && found !== "kept") throw new LawBroken(`found ${found}`)
      }
    }
    const { failures } = await explored(story, { inside: 1 })
    assert.isAbove(failures.length, 0)
    assert.include(failures[0].at, "/")
    const again = await explored(story, { at: failures[0].at })
    assert.strictEqual(again.failures.length, 1)
  })

  it("counts a refusal as a failure, and a defect of the engine too", async () => {
    const refusing = { ...replacing({ syncContent: true, syncName: true }), recover: Effect.fail("no") }
    assert.include((await explored<string, Promised>(refusing)).failures[0].story, "refused")
    const dying = { ...replacing({ syncContent: true, syncName: true }), recover: Effect.die("oh") }
    assert.include((await explored<string, Promised>(dying)).failures[0].story, "refused")
  })

  it("goes on with what was recovered, and reports where that fails", async () => {
    const story = replacing({ syncContent: true, syncName: true })
    const right = await explored(
      { ...story, goOn: () => replace("more", { syncContent: true, syncName: true }) },
      { goingOn: 1 }
    )
    assert.strictEqual(right.goneOn, right.distinctStates)
    assert.deepStrictEqual(right.failures, [])
    const wrong = await explored({ ...story, goOn: () => Effect.fail("no more") }, { goingOn: 1 })
    assert.include(wrong.failures[0].story, "gone on")
  })
})

describe("what a power cut leaves", () => {
  const all = (medium: CrashMedium) => new Uint8Array(medium.pending.length).fill(1)

  /** Everything that may be in `/f` after a cut behind all of `work`. */
  const outcomes = async (
    work: (io: Io["Service"]) => Effect.Effect<unknown, unknown, never>
  ): Promise<Set<string>> => {
    const disk = new CrashDisk()
    await Effect.runPromise(
      Effect.scoped(Effect.provideService(work(disk.io) as Effect.Effect<unknown>, Io, disk.io))
    )
    const medium = new CrashMedium(disk)
    for (const event of disk.log) medium.advance(event)
    const found = new Set<string>()
    const count = medium.pending.length
    assert.isAtMost(count, 12)
    for (let mask = 0; mask < 2 ** count; mask++) {
      const kept = Uint8Array.from({ length: count }, (_, i) => (mask >> i) & 1)
      const content = medium.image(kept).entries.get("f")
      if (content === undefined || !("read" in content)) found.add("no file")
      else {
        const bytes = new Uint8Array(content.size)
        content.read(bytes, 0, bytes.length, 0)
        found.add(new TextDecoder().decode(bytes).replaceAll("\0", "."))
      }
    }
    return found
  }

  const created = (io: Io["Service"]) =>
    Effect.gen(function* () {
      const file = yield* io.create("/f", { overwrite: false })
      yield* file.sync
      yield* io.syncDirectory("/")
      return file
    })

  it("is a length without bytes, bytes cut to a length, or both", async () => {
    const found = await outcomes((io) =>
      Effect.scoped(Effect.flatMap(created(io), (file) => file.writeAt(0, bytesOf("abc"))))
    )
    assert.deepStrictEqual([...found].sort(), ["", "...", "abc"].sort())
  })

  it("is any of several writes, torn at sectors", async () => {
    const found = await outcomes((io) =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* created(io)
          yield* file.writeAt(0, new Uint8Array(513).fill(97))
          yield* file.sync
          yield* file.writeAt(511, bytesOf("bc"))
        })
      )
    )
    const a = "a".repeat(511)
    assert.deepStrictEqual([...found].sort(), [`${a}aa`, `${a}ba`, `${a}ac`, `${a}bc`].sort())
  })

  it("is a file without its name, and a name without its file's bytes", async () => {
    const unsynced = await outcomes((io) =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* io.create("/f", { overwrite: false })
          yield* file.writeAt(0, bytesOf("x"))
          yield* file.sync
        })
      )
    )
    assert.deepStrictEqual([...unsynced].sort(), ["no file", "x"])
  })

  it("may lack a file that was never synced, though its directory was", async () => {
    const found = await outcomes((io) =>
      Effect.scoped(Effect.andThen(io.create("/f", { overwrite: false }), io.syncDirectory("/")))
    )
    assert.deepStrictEqual([...found].sort(), ["", "no file"])
  })

  it("is one side of a rename or the other, and never a mixture of both", async () => {
    const found = await outcomes((io) =>
      Effect.scoped(
        Effect.gen(function* () {
          const old = yield* created(io)
          yield* old.writeAt(0, bytesOf("old"))
          yield* old.sync
          const file = yield* io.create("/g", { overwrite: false })
          yield* file.writeAt(0, bytesOf("new"))
          yield* file.sync
          yield* io.syncDirectory("/")
          yield* io.rename("/g", "/f")
        })
      )
    )
    assert.deepStrictEqual([...found].sort(), ["new", "old"])
  })

  it("shows nothing of what was cut off by a truncation that survived", async () => {
    const found = await outcomes((io) =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* created(io)
          yield* file.writeAt(0, bytesOf("abcd"))
          yield* file.sync
          yield* file.truncate(2)
          yield* file.truncate(4)
        })
      )
    )
    assert.deepStrictEqual([...found].sort(), ["ab", "ab..", "abcd"].sort())
  })

  it("is what the system showed, where everything survives", async () => {
    const disk = new CrashDisk()
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          yield* disk.io.makeDirectory("/d")
          const file = yield* disk.io.create("/d/f", { overwrite: false })
          yield* file.writeAt(5000, bytesOf("far"))
          yield* file.punchHole(5001, 1)
          yield* disk.io.rename("/d/f", "/g")
        })
      )
    )
    const medium = new CrashMedium(disk)
    for (const event of disk.log) medium.advance(event)
    const again = new CrashDisk(medium.image(all(medium)))
    const bytes = new Uint8Array(5003)
    await Effect.runPromise(
      Effect.scoped(Effect.flatMap(again.io.open("/g", { readonly: true }), (file) => file.readAt(0, bytes)))
    )
    assert.strictEqual(new TextDecoder().decode(bytes.subarray(4999)), "\0f\0r")
    assert.deepStrictEqual(await Effect.runPromise(again.io.list("/d")), [])
  })

  it("has another digest where a byte, a length or a name is another", () => {
    const image = (path: string, text: string) => {
      const disk = new CrashDisk()
      const work = Effect.flatMap(disk.io.create(path, { overwrite: false }), (file) =>
        file.writeAt(0, bytesOf(text))
      )
      Effect.runSync(Effect.scoped(work))
      const medium = new CrashMedium(disk)
      for (const event of disk.log) medium.advance(event)
      return imageDigest(medium.image(all(medium)))
    }
    const digests = [
      image("/a", "x"),
      image("/a", "y"),
      image("/b", "x"),
      image("/a", "x\0"),
      image("/a", "")
    ]
    assert.strictEqual(new Set(digests).size, digests.length)
    assert.strictEqual(image("/a", "x"), digests[0])
  })
})
