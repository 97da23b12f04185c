/**
 * exploreFaults: what it demands is demanded by trying it on toy engines, each of which breaks one promise.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { assert, describe, it } from "vitest"
import { attempt } from "../../src/io/attempt.ts"
import { Io, type IoFile, type IoService } from "../../src/io/Io.ts"
import type { FaultHit } from "../../src/testing/IoFault.ts"
import { exploreFaults, type ExploreFaultsOptions } from "../../src/testing/exploreFaults.ts"

const path = "/log"
const lineBytes = 8

const encode = (line: number): Uint8Array => new Uint8Array(lineBytes).fill(line)

/** The steps of a log of lines of eight bytes; each toy does one of them badly. */
interface Toy {
  readonly open: (io: IoService) => Effect.Effect<IoFile, unknown, Scope.Scope>
  readonly append: (file: IoFile, at: number, line: number) => Effect.Effect<void, unknown>
  readonly sync: (file: IoFile) => Effect.Effect<void, unknown>
}

const good: Toy = {
  open: (io) =>
    Effect.gen(function* () {
      yield* io.lock("/lock")
      const file =
        (yield* io.classify(path)) === "none"
          ? yield* io.create(path, { overwrite: false })
          : yield* io.open(path, { readonly: false })
      yield* io.syncDirectory("/")
      return file
    }),
  append: (file, at, line) => file.writeAt(at * lineBytes, encode(line)),
  sync: (file) => file.sync
}

/** The lines that are whole; what is torn behind them is written over by the next. */
const lines = (file: IoFile) =>
  Effect.gen(function* () {
    const found: Array<number> = []
    for (let at = 0; at < Math.floor((yield* file.size) / lineBytes); at++) {
      const line = new Uint8Array(lineBytes)
      yield* file.readAt(at * lineBytes, line)
      found.push(line[0])
    }
    return found
  })

const storyOf = (toy: Toy): ExploreFaultsOptions<ReadonlyArray<number>, number> => ({
  workload: (note) =>
    Effect.gen(function* () {
      const file = yield* toy.open(yield* Io)
      const before = (yield* lines(file)).length
      for (let i = 0; i < 3; i++) {
        yield* toy.append(file, before + i, before + i + 1)
        yield* toy.sync(file)
        note(before + i + 1)
      }
    }),
  recover: Effect.gen(function* () {
    const io = yield* Io
    if ((yield* io.classify(path)) === "none") return []
    return yield* lines(yield* io.open(path, { readonly: true }))
  }),
  law: (found, notes) => {
    for (const line of notes) assert.include(found, line, "an acknowledged line is lost")
  },
  limitMillis: 300
})

/** The stories of what a toy does wrong. */
const faultsOf = async (toy: Partial<Toy>): Promise<ReadonlyArray<string>> => {
  const explored = await exploreFaults({ ...storyOf({ ...good, ...toy }), maxFailures: 3 })
  return explored.failures.map(({ story }) => story)
}

const assertAll = (stories: ReadonlyArray<string>, pattern: RegExp): void => {
  assert.isNotEmpty(stories)
  for (const story of stories) assert.match(story, pattern)
}

describe("exploreFaults", () => {
  it("finds nothing in an engine that keeps its promises, at every call and in every way", async () => {
    const explored = await exploreFaults({ ...storyOf(good), pairs: 50, recoveries: 50 })
    assert.deepStrictEqual(explored.failures, [])
    const calls = { lock: 1, classify: 1, create: 1, syncDirectory: 1, size: 1, writeAt: 3, sync: 3 }
    assert.deepStrictEqual(explored.calls, calls)
    // lock, create: EIO, ENOSPC, EMFILE; classify, size: EIO; syncDirectory: EIO, EMFILE;
    // a write: EIO, ENOSPC, short, zero; a sync: EIO, ENOSPC.
    assert.strictEqual(explored.positions, 3 + 3 + 1 + 1 + 2 + 3 * (4 + 2))
    assert.strictEqual(explored.cases, 2 * explored.positions + 100)
    assert.isAtLeast(explored.refused, 2 * explored.positions)
  })

  it("is the same whenever it runs, and one case alone when its address is given", async () => {
    const bad = storyOf({ ...good, sync: (file) => Effect.ignore(file.sync), append: good.append })
    const lossy = { ...bad, law: () => assert.fail("never") }
    const [first, second] = [await exploreFaults(lossy), await exploreFaults(lossy)]
    assert.deepStrictEqual(first, second)
    const careless = storyOf({
      ...good,
      append: (file, at, line) => Effect.orDie(good.append(file, at, line))
    })
    const all = await exploreFaults({ ...careless, pairs: 10, seed: 7 })
    assert.isNotEmpty(all.failures)
    for (const failure of all.failures) {
      const again = await exploreFaults({ ...careless, at: failure.at })
      assert.deepStrictEqual(again.failures, [failure])
      assert.strictEqual(again.cases, 1)
    }
    const clean = await exploreFaults({ ...careless, at: "none" })
    assert.deepStrictEqual([clean.failures.length, clean.cases], [0, 1])
  })

  it("refuses an address that is none", async () => {
    for (const at of ["", "EIO", "EIO@", "EIO@x", "ENONE@1", "EIO@1/EIO@1/EIO@1", "EIO@1-"]) {
      const refused = await exploreFaults({ ...storyOf(good), at }).then(
        () => undefined,
        (error: Error) => error.message
      )
      assert.match(refused ?? "accepted", /is no case/, at)
    }
  })

  it("finds an error that has become a defect", async () => {
    assertAll(
      await faultsOf({ append: (file, at, line) => Effect.orDie(good.append(file, at, line)) }),
      /defect/
    )
    const thrown = (file: IoFile, at: number, line: number) =>
      Effect.sync(() => file.unsafe.writeAt(at * lineBytes, encode(line)))
    assertAll(await faultsOf({ append: thrown }), /hit writeAt of \/log.*defect/)
  })

  it("finds an error without a tag, and one that is not allowed", async () => {
    const untyped = { open: (io: IoService) => Effect.mapError(good.open(io), () => new Error("something")) }
    assertAll(await faultsOf(untyped), /no tag.*something/)
    const explored = await exploreFaults({
      ...storyOf(good),
      mayFail: (error) => (error as { _tag: string })._tag === "IoFailed"
    })
    assertAll(
      explored.failures.map(({ story }) => story),
      /^(ENOSPC|short-write) hit.*may not fail with NoSpace/
    )
  })

  it("finds a failure that is passed over, where the story says which may not be", async () => {
    const story = {
      ...storyOf({ ...good, sync: (file) => Effect.ignore(file.sync) }),
      mayFail: () => true,
      limitMillis: 1000
    }
    const swallows = { ...story, mustFail: ({ call }: FaultHit) => call.operation === "sync" }
    assertAll(
      (await exploreFaults(swallows)).failures.map((failure) => failure.story),
      /hit sync of \/log.*: the workload succeeds, as if nothing had happened/
    )
    const honest = { ...storyOf(good), mustFail: () => true }
    assert.deepStrictEqual((await exploreFaults(honest)).failures, [])
    // What happens when the scope ends, nobody can be told.
    const late = {
      ...honest,
      workload: () =>
        Effect.flatMap(Io, (io) => Effect.addFinalizer(() => Effect.ignore(io.syncDirectory("/"))))
    }
    assert.deepStrictEqual((await exploreFaults(late)).failures, [])
  })

  it("finds a wait that never ends, and a loop that never waits", async () => {
    const waits = { sync: (file: IoFile) => Effect.catch(file.sync, () => Effect.never) }
    assertAll(await faultsOf(waits), /hit sync.*hangs/)
    const spaced = Schedule.spaced("1 millis")
    const again = { sync: (file: IoFile) => Effect.retry(file.sync, spaced) }
    assertAll(await faultsOf(again), /hit sync.*hangs/)
    const insists = {
      append: (file: IoFile, at: number, line: number) =>
        attempt<void, unknown>(() => {
          for (;;) {
            try {
              return file.unsafe.writeAt(at * lineBytes, encode(line))
            } catch (error) {
              if (!(error instanceof Error && "_tag" in error)) throw error
            }
          }
        })
    }
    const stories = await faultsOf(insists)
    assertAll(stories, /behind it: .*it has made \d+ calls, and goes on/)
  })

  it("finds a file and a lock that stay open", async () => {
    const leaky = {
      open: (io: IoService) =>
        Effect.gen(function* () {
          const scope = Scope.makeUnsafe()
          yield* Scope.provide(io.lock("/lock"), scope)
          const created = Scope.provide(io.create(path, { overwrite: true }), scope)
          const file = yield* created
          yield* io.syncDirectory("/")
          yield* Scope.addFinalizer(yield* Effect.scope, Scope.close(scope, undefined as never))
          return file
        })
    }
    const story = storyOf({ ...good, ...leaky })
    const explored = await exploreFaults({ ...story, maxFailures: 20 })
    const stories = explored.failures.map(({ story }) => story)
    assertAll(stories, /hit (create|syncDirectory) .*left open: lock \/lock(, file \/log)?$/)
    // create fails in three ways and syncDirectory in two, each once and from then on.
    assert.strictEqual(stories.length, 10)
  })

  it("finds what was acknowledged and is lost", async () => {
    const forgets = {
      append: (file: IoFile, at: number, line: number) => Effect.ignore(good.append(file, at, line))
    }
    assertAll(await faultsOf(forgets), /hit writeAt.*an acknowledged line is lost/)
    // Giving up truncates more than what it did not manage to append.
    const tidies = {
      append: (file: IoFile, at: number, line: number) =>
        Effect.tapError(good.append(file, at, line), () => file.truncate(Math.max(0, at - 1) * lineBytes))
    }
    assertAll(await faultsOf(tidies), /after the recovery: an acknowledged line is lost/)
  })

  it("finds an engine that does not open any more, or does not go on", async () => {
    const marked = (io: IoService) =>
      Effect.gen(function* () {
        const file = yield* good.open(io)
        const mark = yield* Effect.scoped(Effect.asVoid(io.create("/mark", { overwrite: false })))
        yield* Effect.addFinalizer(() => Effect.ignore(io.remove("/mark")))
        return mark ?? file
      })
    // Its mark of being open survives whatever keeps it from being removed.
    assertAll(await faultsOf({ open: marked }), /going on after the recovery failed.*FileExists/)
    const story = storyOf(good)
    const strict = {
      ...story,
      recover: Effect.tap(story.recover, (found) =>
        Effect.gen(function* () {
          const io = yield* Io
          const size = (yield* io.classify(path)) === "none" ? 0 : yield* io.sizeOf(path)
          if (size !== found.length * lineBytes) yield* Effect.fail(new Error(`torn at ${size}`))
        })
      )
    }
    const explored = await exploreFaults(strict)
    assertAll(
      explored.failures.map((failure) => failure.story),
      /^short-write.*the recovery failed, without a fault: .*torn at/
    )
  })

  it("finds what a fault in the recovery destroys", async () => {
    const story = storyOf(good)
    // Takes a short read for a short file.
    const repairs: typeof story = {
      ...story,
      recover: Effect.gen(function* () {
        const io = yield* Io
        if ((yield* io.classify(path)) === "none") return []
        const file = yield* io.open(path, { readonly: false })
        const buffer = new Uint8Array(1000)
        const count = yield* file.readSomeAt(0, buffer)
        yield* file.truncate(count - (count % lineBytes))
        return Array.from({ length: Math.floor(count / lineBytes) }, (_, i) => buffer[i * lineBytes])
      })
    }
    assert.deepStrictEqual((await exploreFaults(repairs)).failures, [])
    const explored = await exploreFaults({ ...repairs, recoveries: 400 })
    assertAll(
      explored.failures.map(({ at, story }) => `${at} ${story}`),
      /\/short-read@\d.* an acknowledged line is lost/
    )
    const { failures } = await exploreFaults({ ...repairs, at: explored.failures[0].at })
    assert.deepStrictEqual(failures, [explored.failures[0]])
  })

  it("finds a workload that is not the same twice, or fails by itself", async () => {
    let runs = 0
    const fickle: ExploreFaultsOptions<void, void> = {
      workload: () =>
        Effect.flatMap(Io, (io) => Effect.forEach(new Array(runs++ === 0 ? 5 : 2).fill("/"), io.classify)),
      recover: Effect.void,
      law: () => {}
    }
    assertAll(
      (await exploreFaults(fickle)).failures.map(({ story }) => story),
      /has not made this call again/
    )
    const fails = { ...fickle, workload: () => Effect.flatMap(Io, (io) => io.list("/nowhere")) }
    assert.deepStrictEqual((await exploreFaults(fails)).failures, [
      {
        at: "none",
        story:
          "without any fault: going on after the recovery failed, without a fault: NoSuchFile: there is no /nowhere"
      }
    ])
  })

  it("is rejected where the preparation fails", async () => {
    const story = { ...storyOf(good), prepare: Effect.fail(new Error("no disk")) }
    const refused = await exploreFaults(story).then(
      () => "",
      (error: Error) => error.message
    )
    assert.match(refused, /the preparation failed: .*no disk/)
  })
})
