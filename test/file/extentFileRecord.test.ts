/**
 * What the record of an extent file says when something goes wrong with it, or with the data: it can be opened
 * again, it says nothing wrong, and what was flushed is there.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { assert, describe, it, vi } from "vitest"
import { Closed, IoFailed, NoSpace, NoSuchFile, Unsupported } from "../../src/bytes/errors.ts"
import { ExtentFile, type ExtentFileService } from "../../src/file/ExtentFile.ts"
import type * as Format from "../../src/format/extentRecord.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { watchedIo } from "./watchedIo.ts"

const path = "/object"
const record = `${path}.extents`

/** So small that what an operation says often takes several frames. */
const pieceBytes = 64
vi.mock("../../src/format/extentRecord.ts", async (original) => ({
  ...(await original<typeof Format>()),
  maxPieceBytes: 64,
  maxExtentFrameBytes: 256,
  maxExtentBytes: 2 ** 20
}))

const bytesOf = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => 1 + ((i * 7 + seed * 31) % 255))

const run = (
  body: (io: IoService) => Effect.Effect<void, unknown, Io | Scope.Scope>,
  lines: Array<string> = []
): Promise<void> => {
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  return Effect.flatMap(Io, body).pipe(
    Effect.scoped,
    Effect.provide(IoMemory.layer),
    Effect.provide(Logger.layer([logger])),
    Effect.runPromise
  )
}

const withFile = <A, E>(io: IoService, use: (file: ExtentFileService) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(Effect.provideService(ExtentFile.open(path), Io, io), use))

const get = (io: IoService, at: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* io.open(at, { readonly: true })
      const bytes = new Uint8Array(yield* file.size)
      yield* file.readAt(0, bytes)
      return bytes
    })
  )

const put = (io: IoService, at: string, bytes: Uint8Array) =>
  Effect.scoped(Effect.flatMap(io.create(at, { overwrite: true }), (file) => file.writeAt(0, bytes)))

/** As the files are when the process is killed behind `use`. */
const withKilled = <A, E>(io: IoService, use: (file: ExtentFileService) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const file = yield* Effect.provideService(ExtentFile.open(path), Io, io).pipe(Scope.provide(scope))
    yield* use(file)
    const data = yield* get(io, path)
    const said = yield* get(io, record)
    yield* Scope.close(scope, Exit.void)
    yield* put(io, path, data)
    yield* put(io, record, said)
  })

const failure = (at: string, syscall: string) => new IoFailed({ syscall, path: at, code: "EIO", cause: 0 })

const tagOf = <A>(exit: Exit.Exit<A, unknown>): string =>
  Exit.isSuccess(exit) ? "success" : (Cause.squash(exit.cause) as { readonly _tag: string })._tag

const isTidy = (io: IoService) =>
  Effect.map(get(io, record), (bytes) => {
    const view = new DataView(bytes.buffer)
    return view.getUint32(bytes.length - 24, true) === 9 && view.getUint32(bytes.length - 20, true) === 1
  })

describe("the record of an extent file", () => {
  it("is flushed at the end of the scope, however often it was written anew", () => {
    const lines: Array<string> = []
    return run(
      (io) =>
        Effect.gen(function* () {
          yield* withFile(io, (file) =>
            Effect.gen(function* () {
              for (let i = 0; i < 34_000; i++) yield* file.createExtent(0, bytesOf(10, i))
              yield* file.createExtent(100, bytesOf(10))
            })
          )
          assert.isBelow((yield* get(io, record)).length, 1 << 20, "it was written anew")
          assert.isTrue((yield* ExtentFile.report(path)).clean)
          assert.deepStrictEqual(lines, [])
        }),
      lines
    )
  })

  it("leaves bytes unflushed whose mark could not be written, and the log tells how many", () => {
    const lines: Array<string> = []
    return run(
      (io) =>
        Effect.gen(function* () {
          let full = false
          const watched = watchedIo(io, {
            before: (name, at) => {
              if (full && (name === "create" || (name === "writeAt" && at === record)))
                throw new NoSpace({ path: at, syscall: name })
            }
          })
          yield* withFile(watched, (file) =>
            Effect.gen(function* () {
              yield* file.createExtent(0, bytesOf(50))
              full = true
              assert.strictEqual(tagOf(yield* Effect.exit(file.flush)), "NoSpace")
              assert.strictEqual(file.stats().unflushedBytes, 50)
              full = false
              yield* file.flush
              assert.strictEqual(file.stats().unflushedBytes, 0)
              yield* file.createExtent(100, bytesOf(30))
              full = true
            })
          )
          assert.strictEqual(lines.length, 1)
          assert.include(lines[0], "30 bytes of /object are not flushed")
        }),
      lines
    )
  })

  it("says nothing more after a failed sync of the data, and opens again", () =>
    run((io) =>
      Effect.gen(function* () {
        let failing = false
        const watched = watchedIo(io, {
          before: (name, at) => {
            if (failing && name === "sync" && at === path) throw failure(at, name)
          }
        })
        yield* withFile(watched, (file) =>
          Effect.gen(function* () {
            yield* file.createExtent(1_000, bytesOf(50))
            yield* file.flush
            yield* file.createExtent(0, bytesOf(50, 1))
            yield* file.createExtent(25, bytesOf(50, 2))
            yield* file.createExtent(70, bytesOf(10, 3))
            failing = true
            assert.strictEqual(tagOf(yield* Effect.exit(file.flush)), "IoFailed")
            const said = yield* get(io, record)
            yield* Effect.scoped(
              Effect.flatMap(io.open(path, { readonly: false }), (data) =>
                data.writeAt(70, new Uint8Array(10))
              )
            )
            assert.strictEqual((yield* file.readExtent(70)).length, 0)
            assert.strictEqual((yield* file.readExtent(0)).length, 50)
            assert.deepStrictEqual(yield* get(io, record), said)
          })
        )
        yield* withFile(io, (file) =>
          Effect.sync(() => assert.deepStrictEqual(file.extents(), [{ offset: 1_000, length: 50 }]))
        )
      })
    ))

  it("is right again after a change that failed in its second frame, and at each frame of it", () =>
    run((io) =>
      Effect.gen(function* () {
        const gaps = 40
        for (let left = 0, hit = true; hit; left++) {
          for (const change of ["delete", "create", "long"] as const) {
            hit = false
            let armed = -1
            const watched = watchedIo(io, {
              before: (name, at) => {
                if (armed < 0 || name !== "writeAt" || at !== record || armed-- > 0) return
                hit = true
                throw new NoSpace({ path: at, syscall: name })
              }
            })
            yield* withFile(watched, (file) =>
              Effect.gen(function* () {
                yield* file.clear
                yield* file.createExtent(5_000, bytesOf(20, 3))
                for (let i = 0; i < gaps; i++) yield* file.createExtent(2 + i * pieceBytes, bytesOf(8, i))
                yield* file.createExtent(0, bytesOf(gaps * pieceBytes, 5))
                yield* file.flush
                armed = left
                const exit = yield* Effect.exit(
                  change === "delete"
                    ? file.deleteExtent(0)
                    : file.createExtent(0, bytesOf(change === "create" ? 10 : 2_000, 6))
                )
                armed = -1
                assert.strictEqual(Exit.isFailure(exit), hit)
                yield* file.createExtent(20, bytesOf(4, 7))
                yield* file.flush
              })
            )
            yield* withFile(io, (file) =>
              Effect.gen(function* () {
                for (const { length, offset } of file.extents())
                  assert.strictEqual((yield* file.readExtent(offset)).length, length)
                assert.strictEqual((yield* file.readExtent(5_000)).length, 20)
              })
            )
          }
        }
      })
    ))

  type Refusal = (name: string, at: string) => Error | undefined

  /** Says that what an extent replaces is gone, and the first frame of what it is; then a write fails. */
  const brokenIn = (
    io: IoService,
    use: (file: ExtentFileService, failing: { refused: Refusal }) => Effect.Effect<void, unknown>
  ) => {
    const failing: { refused: Refusal } = { refused: () => undefined }
    const watched = watchedIo(io, {
      before: (name, at) => {
        const error = failing.refused(name, at)
        if (error !== undefined) throw error
      }
    })
    return withFile(watched, (file) =>
      Effect.gen(function* () {
        yield* file.createExtent(0, bytesOf(50))
        let frames = 0
        failing.refused = (name, at) =>
          name === "writeAt" && at === record && ++frames === 3
            ? new NoSpace({ path: at, syscall: name })
            : undefined
        const create = file.createExtent(1_000, bytesOf(64 * 40))
        assert.strictEqual(tagOf(yield* Effect.exit(create)), "NoSpace")
        failing.refused = () => undefined
        yield* use(file, failing)
      })
    )
  }

  const holdsFirst = (io: IoService) =>
    withFile(io, (file) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(file.extents(), [{ offset: 0, length: 50 }])
        assert.deepStrictEqual(yield* file.readExtent(0), bytesOf(50))
      })
    )

  it("is written anew by a flush where it lacks what a failed write should have said", () =>
    run((io) =>
      Effect.gen(function* () {
        yield* brokenIn(io, (file) =>
          Effect.gen(function* () {
            yield* file.flush
            const header = new DataView((yield* get(io, record)).buffer)
            assert.isAbove(header.getUint32(16, true), 0, "its generation")
            assert.strictEqual(file.stats().unflushedBytes, 0)
          })
        )
        yield* holdsFirst(io)
      })
    ))

  const refusals: ReadonlyArray<readonly [string, string, Refusal]> = [
    [
      "there is no room",
      "NoSpace",
      (name, at) => (name === "create" ? new NoSpace({ path: at, syscall: name }) : undefined)
    ],
    [
      "it is closed",
      "Closed",
      (name, at) => (name === "writeAt" ? new Closed({ path: at, operation: name }) : undefined)
    ],
    [
      "it has lost its name",
      "IoFailed",
      (name, at) => (name === "rename" ? new NoSuchFile({ path: at }) : undefined)
    ]
  ]
  it.each(refusals)("can't be written anew where %s: %s, and what was said stays", (_, tag, refuse) =>
    run((io) =>
      Effect.gen(function* () {
        yield* brokenIn(io, (file, failing) =>
          Effect.gen(function* () {
            failing.refused = (name, at) => (at === `${record}.tmp` ? refuse(name, at) : undefined)
            assert.strictEqual(tagOf(yield* Effect.exit(file.flush)), tag)
            failing.refused = () => undefined
            // Once it may have been renamed, nobody knows which record has the name.
            const again = tagOf(yield* Effect.exit(file.flush))
            assert.strictEqual(again, tag === "IoFailed" ? "Poisoned" : "success")
          })
        )
        yield* holdsFirst(io)
        assert.strictEqual(yield* io.classify(`${record}.tmp`), "none")
      })
    )
  )

  it("goes on growing where there is no room to write it anew, which is no failure", () =>
    run((io) =>
      Effect.gen(function* () {
        let refused = 0
        const watched = watchedIo(io, {
          before: (name, at) => {
            if (name !== "create" || at !== `${record}.tmp` || !full) return
            refused++
            throw new NoSpace({ path: at, syscall: name })
          }
        })
        let full = false
        yield* withFile(watched, (file) =>
          Effect.gen(function* () {
            full = true
            for (let i = 0; i < 34_000; i++) yield* file.createExtent(0, bytesOf(10, i))
            assert.strictEqual(refused, 1, "it is tried again when the record has doubled")
            assert.isAbove((yield* get(io, record)).length, 1 << 20)
            full = false
          })
        )
        yield* withFile(io, (file) =>
          Effect.map(file.readExtent(0), (bytes) => assert.deepStrictEqual(bytes, bytesOf(10, 33_999)))
        )
      })
    ))

  it("takes no extent that is longer than one can be, and is as it was", () =>
    run((io) =>
      withFile(io, (file) =>
        Effect.gen(function* () {
          const before = yield* get(io, record)
          const create = file.createExtent(0, bytesOf(2 ** 20 + 1))
          assert.strictEqual(tagOf(yield* Effect.exit(create)), "InvalidArgument")
          assert.deepStrictEqual(yield* get(io, record), before)
          assert.deepStrictEqual(file.extents(), [])
        })
      )
    ))

  it("never has an older extent over a part of a longer one that replaces it", () =>
    run((io) =>
      Effect.gen(function* () {
        yield* withKilled(io, (file) =>
          Effect.gen(function* () {
            yield* file.createExtent(0, bytesOf(60, 1))
            yield* file.createExtent(100, bytesOf(20, 2))
            yield* file.flush
            yield* file.createExtent(0, bytesOf(60 * pieceBytes, 3))
          })
        )
        const data = yield* get(io, path)
        const said = yield* get(io, record)
        // Frames of ten pieces: that older bytes are gone was synced before all of them.
        for (let length = said.length; length > said.length - 1_500; length -= 8) {
          yield* put(io, path, data)
          yield* put(io, record, said.subarray(0, length))
          const extents = yield* withFile(io, (file) => Effect.sync(() => file.extents()))
          const long = { offset: 0, length: 60 * pieceBytes }
          assert.deepStrictEqual(
            extents,
            length === said.length ? [long, { offset: 100, length: 20 }] : [],
            `${said.length - length} bytes are lost`
          )
        }
      })
    ))

  it("is damaged, and nothing of the data is touched, where a bit of a file that was closed is flipped", () =>
    run((io) =>
      Effect.gen(function* () {
        yield* withFile(io, (file) =>
          Effect.forEach([0, 1, 2, 3, 4, 5, 6, 7], (i) => file.createExtent(i * 100, bytesOf(50, i)))
        )
        const data = yield* get(io, path)
        const said = yield* get(io, record)
        for (let at = 0; at < said.length; at++) {
          const damaged = said.slice()
          damaged[at] ^= 1
          yield* put(io, record, damaged)
          const inSlot = at >= 40 && at < 72
          const opened = yield* Effect.exit(withFile(io, (file) => Effect.sync(() => file.extents().length)))
          assert.strictEqual(tagOf(opened), inSlot ? "success" : "Corrupt", `byte ${at}`)
          assert.deepStrictEqual(yield* get(io, path), data)
        }
      })
    ))

  it("is damaged where a frame before an acknowledged flush is, though the header doesn't tell of it", () =>
    run((io) =>
      Effect.gen(function* () {
        yield* withKilled(io, (file) =>
          Effect.gen(function* () {
            for (let i = 0; i < 5; i++) yield* file.createExtent(i * 100, bytesOf(50, i))
            yield* file.flush
            yield* file.createExtent(1_000, bytesOf(50))
          })
        )
        const said = yield* get(io, record)
        said.fill(0, 40, 72)
        said[72 + 32 + 20] ^= 1
        yield* put(io, record, said)
        assert.strictEqual(tagOf(yield* Effect.exit(withFile(io, () => Effect.void))), "Corrupt")
      })
    ))

  it("is not written on when the directory could not be synced behind its new name", () =>
    run((io) =>
      Effect.gen(function* () {
        let failing = false
        const watched = watchedIo(io, {
          before: (name, at) => {
            if (failing && name === "syncDirectory") throw failure(at, name)
          }
        })
        yield* withFile(watched, (file) =>
          Effect.gen(function* () {
            yield* file.createExtent(1_000, bytesOf(50))
            yield* file.createExtent(2_000, bytesOf(50))
            yield* file.flush
            let size = 0
            for (let i = 0; size <= 1 << 20; i++) {
              yield* file.createExtent(0, bytesOf(10, i))
              if (i > 32_000) size = yield* io.sizeOf(record)
            }
            failing = true
            assert.strictEqual(
              tagOf(yield* Effect.exit(file.createExtent(1_010, bytesOf(10, 2)))),
              "Poisoned"
            )
            assert.strictEqual(tagOf(yield* Effect.exit(file.deleteExtent(2_000))), "Poisoned")
          })
        )
        yield* withFile(io, (file) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* file.readExtent(1_000), bytesOf(50))
            assert.deepStrictEqual(yield* file.readExtent(2_000), bytesOf(50))
          })
        )
      })
    ))

  it("takes any checksum with a split at the highest offsets", () =>
    run((io) =>
      Effect.gen(function* () {
        const top = Number.MAX_SAFE_INTEGER - 100_000
        yield* withFile(io, (file) =>
          Effect.gen(function* () {
            for (let i = 0; i < 4; i++) {
              yield* file.createExtent(top + i * 1_000, bytesOf(60, i))
              yield* file.createExtent(top + i * 1_000 + 30 + i, bytesOf(60, i))
            }
          })
        )
        yield* withFile(io, (file) => Effect.sync(() => assert.strictEqual(file.extents().length, 8)))
      })
    ))

  it("forgets what is not flushed and can't be read, and opens; what is written over it is there", () =>
    run((io) =>
      Effect.gen(function* () {
        yield* withKilled(io, (file) =>
          Effect.gen(function* () {
            yield* file.createExtent(0, bytesOf(50))
            yield* file.flush
            yield* file.createExtent(1_000, bytesOf(50))
          })
        )
        const watched = watchedIo(io, {
          before: (name, at) => {
            if (at === path && name === "readSomeAt") throw failure(at, name)
          }
        })
        yield* withFile(watched, (file) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(file.extents(), [{ offset: 0, length: 50 }])
            yield* file.createExtent(20, bytesOf(10, 2))
            assert.deepStrictEqual(file.extents(), [{ offset: 20, length: 10 }])
          })
        )
      })
    ))

  it("is not tidy where an opening could make no holes of what was left over", () =>
    run((io) =>
      Effect.gen(function* () {
        const watched = watchedIo(io, {
          before: (name) => {
            if (name === "punchHole") throw new Unsupported({ operation: name, reason: "made up" })
          }
        })
        yield* withKilled(io, (file) =>
          Effect.andThen(file.createExtent(0, bytesOf(50)), file.createExtent(1_000, bytesOf(50)))
        )
        const said = yield* get(io, record)
        yield* put(io, record, said.subarray(0, said.length - 8))
        yield* withFile(watched, (file) => Effect.sync(() => assert.strictEqual(file.extents().length, 1)))
        assert.isFalse(yield* isTidy(io))
        yield* withFile(io, () => Effect.void)
        assert.isTrue(yield* isTidy(io))
        assert.isTrue((yield* get(io, path)).subarray(1_000).every((byte) => byte === 0))
      })
    ))

  it("has no tidy mark before a sync of the data that a failed write has changed", () =>
    run((io) =>
      Effect.gen(function* () {
        let failing = false
        const calls: Array<string> = []
        const watched = watchedIo(io, {
          before: (name, at) => {
            calls.push(`${name} ${at}`)
            if (!failing || name !== "writeAt" || at !== path) return
            failing = false
            throw new NoSpace({ path: at, syscall: name })
          }
        })
        yield* withFile(watched, (file) =>
          Effect.gen(function* () {
            yield* file.createExtent(0, bytesOf(10))
            yield* file.flush
            failing = true
            calls.length = 0
            assert.strictEqual(tagOf(yield* Effect.exit(file.createExtent(500, bytesOf(40)))), "NoSpace")
            yield* file.close
          })
        )
        const synced = calls.indexOf(`sync ${path}`)
        assert.isAtLeast(synced, 0)
        assert.isAbove(calls.indexOf(`writeAt ${record}`), synced)
      })
    ))

  it("forgets what somebody has cut off the data while it was open", () =>
    run((io) =>
      Effect.gen(function* () {
        yield* withFile(io, (file) =>
          Effect.gen(function* () {
            for (const offset of [0, 100, 200]) yield* file.createExtent(offset, bytesOf(50))
            yield* Effect.scoped(
              Effect.flatMap(io.open(path, { readonly: false }), (data) => data.truncate(110))
            )
            assert.strictEqual((yield* file.readExtent(100)).length, 0)
            assert.isFalse(file.unsafe.read(210, new Uint8Array(10)))
            assert.deepStrictEqual(file.extents(), [{ offset: 0, length: 50 }])
            assert.strictEqual(file.stats().forgotten, 2)
          })
        )
      })
    ))

  it("can be cleared on a device that is full", () =>
    run((io) =>
      Effect.gen(function* () {
        const watched = watchedIo(io, {
          before: (name, at) => {
            if (full && (name === "create" || (name === "writeAt" && at === record)))
              throw new NoSpace({ path: at, syscall: name })
            if (name === "truncate") full = false
          }
        })
        let full = false
        yield* withFile(watched, (file) =>
          Effect.gen(function* () {
            yield* file.pin({ identity: "v1", length: 10_000 }, "the object")
            yield* file.createExtent(0, bytesOf(50))
            yield* file.flush
            full = true
            assert.strictEqual(tagOf(yield* Effect.exit(file.deleteExtent(0))), "NoSpace")
            yield* file.clear
            assert.deepStrictEqual(file.extents(), [])
            assert.isUndefined(file.pinned())
            yield* file.createExtent(100, bytesOf(50, 2))
          })
        )
        yield* withFile(io, (file) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(file.extents(), [{ offset: 100, length: 50 }])
            assert.deepStrictEqual(yield* file.readExtent(100), bytesOf(50, 2))
          })
        )
      })
    ))

  it("takes no identity that can't be said in UTF-8", () =>
    run((io) =>
      withFile(io, (file) =>
        Effect.gen(function* () {
          const pin = file.pin({ identity: "etag-\ud800", length: 10 }, "the object")
          assert.strictEqual(tagOf(yield* Effect.exit(pin)), "InvalidArgument")
          assert.isUndefined(file.pinned())
          yield* file.pin({ identity: "etag-\u{1f600}", length: 10 }, "the object")
        })
      )
    ))
})
