/**
 * The laws of what not every platform has: mapping, holes, locks, and syncs that fail.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { bytesAt, contentOf, fileOf, type IoLaw, ioLaw, type IoSuiteOptions, pattern } from "./ioLaw.ts"
import { check, checkBytes, checkEqual, checkFails, checkThrows } from "./law.ts"

const mappingLaws: ReadonlyArray<IoLaw> = [
  ioLaw("a view shows what readAt reads, from any offset and of any length", function* (law) {
    const { directory, io } = law
    const path = `${directory}/file`
    yield* fileOf(io, path, pattern(300_000))
    for (const readonly of [true, false]) {
      const file = yield* io.open(path, { readonly })
      for (const [offset, length] of [
        [0, 300_000],
        [1, 299_999],
        [4095, 3],
        [4096, 4096],
        [12_289, 100_001],
        [299_999, 1]
      ]) {
        const view = yield* file.map(offset, length)
        checkBytes(view, yield* bytesAt(file, offset, length), `${length} bytes at ${offset}`)
      }
    }
  }),
  ioLaw("a view of no bytes is empty, anywhere up to the end", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10))
    for (const offset of [0, 5, 10]) checkEqual((yield* file.map(offset, 0)).length, 0, `at ${offset}`)
    yield* checkFails("ReadOutOfBounds", file.map(11, 0), "beyond the end")
  }),
  ioLaw("a view past the end is ReadOutOfBounds", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10))
    for (const [offset, length] of [
      [0, 11],
      [9, 2],
      [10, 1],
      [1_000_000, 1]
    ]) {
      const what = `${length} bytes at ${offset}`
      checkEqual((yield* checkFails("ReadOutOfBounds", file.map(offset, length), what)).end, 10, what)
    }
  }),
  ioLaw("a view outlives the handle it came from", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10_000))
    const view = yield* file.map(0, 10_000)
    yield* file.close
    yield* io.remove(`${directory}/file`)
    checkBytes(view, pattern(10_000), "the view")
  }),
  ioLaw("a view may be looked at after its scope", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10_000))
    const view = yield* Effect.scoped(file.map(5000, 5000))
    const expected = pattern(10_000).subarray(5000)
    const zeros = view.every((byte) => byte === 0)
    check(zeros || view.every((byte, i) => byte === expected[i]), "it shows zeros, or still the file")
    checkBytes(yield* contentOf(file), pattern(10_000), "the file")
  })
]

const zeroedLaws: ReadonlyArray<IoLaw> = [
  ioLaw("a view turns into zeros at the end of its scope, and no other does", function* (law) {
    const { directory, io } = law
    const file = yield* fileOf(io, `${directory}/file`, pattern(20_000))
    const scope = yield* Scope.make()
    const view = yield* Scope.provide(file.map(5001, 9000), scope)
    const other = yield* file.map(5001, 9000)
    checkBytes(view, pattern(20_000).subarray(5001, 14_001), "before")
    yield* Scope.close(scope, Exit.void)
    checkBytes(view, new Uint8Array(9000), "after")
    checkBytes(other, pattern(20_000).subarray(5001, 14_001), "the other view")
    checkBytes(yield* contentOf(file), pattern(20_000), "the file")
  })
]

/** A law for those that map, or for those that don't. */
function whereMapped({ body, name }: IoLaw, maps: boolean): IoLaw {
  return {
    name: `${name}, where files can${maps ? "" : "'t"} be mapped`,
    body: (context) =>
      Effect.gen(function* () {
        const probe = yield* fileOf(context.io, `${context.directory}/probe`, pattern(1))
        const tag = yield* Effect.match(Effect.scoped(probe.map(0, 1)), {
          onSuccess: () => undefined,
          onFailure: ({ _tag }) => _tag
        })
        yield* probe.close
        yield* context.io.remove(`${context.directory}/probe`)
        if ((tag !== "Unsupported") === maps) yield* body(context)
      })
  }
}

const noMappingLaws: ReadonlyArray<IoLaw> = [
  ioLaw("map is Unsupported, whatever its length", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10_000))
    for (const length of [0, 1, 10_000]) {
      yield* checkFails("Unsupported", file.map(0, length), `${length} bytes`)
    }
    checkBytes(yield* contentOf(file), pattern(10_000), "the file reads")
  })
]

/**
 * Where nothing is told of `map`, what it does with a file of one byte decides which laws are held against it: one
 * that maps some files and not others breaks the ones or the others.
 */
const eitherMappingLaws: ReadonlyArray<IoLaw> = [
  ...mappingLaws.map((law) => whereMapped(law, true)),
  ...noMappingLaws.map((law) => whereMapped(law, false))
]

const holeLaws: ReadonlyArray<IoLaw> = [
  ioLaw("punchHole zeroes exactly its range and keeps the size", function* ({ directory, io }) {
    const expected = pattern(400_000)
    const file = yield* fileOf(io, `${directory}/file`, expected)
    for (const [offset, length] of [
      [5, 10],
      [8191, 2],
      [65_536, 65_536],
      [150_001, 99_999],
      [399_990, 10],
      [399_980, 1_000_000],
      [400_000, 10],
      [1_000_000, 10],
      [390_000, Number.MAX_SAFE_INTEGER - 390_000],
      [50, 0]
    ]) {
      yield* file.punchHole(offset, length)
      expected.fill(0, offset, offset + length)
      checkBytes(yield* contentOf(file), expected, `after ${length} bytes at ${offset}`)
    }
    file.unsafe.punchHole(300_000, 10_000)
    expected.fill(0, 300_000, 310_000)
    checkBytes(yield* contentOf(file), expected, "after unsafe.punchHole")
    yield* file.writeAt(70_000, pattern(100))
    expected.set(pattern(100), 70_000)
    checkBytes(yield* contentOf(file), expected, "after a write into the hole")
  })
]

const noHoleLaws: ReadonlyArray<IoLaw> = [
  ioLaw("punchHole is Unsupported and changes nothing", function* ({ directory, io }) {
    const file = yield* fileOf(io, `${directory}/file`, pattern(10_000))
    yield* checkFails("Unsupported", file.punchHole(0, 5000), "punchHole")
    checkThrows("Unsupported", () => file.unsafe.punchHole(0, 5000), "unsafe.punchHole")
    checkBytes(yield* contentOf(file), pattern(10_000), "the file")
  })
]

const lockLaws: ReadonlyArray<IoLaw> = [
  ioLaw("a lock excludes all others until its scope ends", function* ({ directory, io }) {
    const path = `${directory}/lock`
    const scope = yield* Scope.make()
    yield* Scope.provide(io.lock(path), scope)
    checkEqual(yield* io.classify(path), "file", "the file is made")
    checkEqual((yield* checkFails("Locked", io.lock(path), "a second")).path, path, "path")
    yield* Scope.close(scope, Exit.void)
    yield* Effect.scoped(io.lock(path))
    yield* io.lock(path)
    yield* checkFails("Locked", io.lock(path), "while held again")
    checkEqual(yield* io.sizeOf(path), 0, "nothing is written into it")
  }),
  ioLaw("locks on different files don't meet", function* ({ directory, io }) {
    yield* io.lock(`${directory}/a`)
    yield* io.lock(`${directory}/b`)
    yield* checkFails("Locked", io.lock(`${directory}/a`), "the first again")
  }),
  ioLaw("a lock hinders neither reading nor writing, and outlives handles of the file", function* (law) {
    const { directory, io } = law
    const path = `${directory}/file`
    yield* Effect.scoped(fileOf(io, path, pattern(10)))
    yield* io.lock(path)
    const file = yield* io.open(path, { readonly: false })
    yield* file.writeAt(0, pattern(10, 2))
    yield* file.close
    yield* checkFails("Locked", io.lock(path), "after the close of another handle")
  }),
  ioLaw("a lock is on the file, not on its name", function* ({ directory, io }) {
    const [path, moved] = [`${directory}/lock`, `${directory}/moved`]
    yield* io.lock(path)
    yield* io.rename(path, moved)
    yield* checkFails("Locked", io.lock(moved), "the file under its new name")
    yield* io.lock(path)
    yield* io.remove(moved)
    yield* io.lock(moved)
  }),
  ioLaw("a lock needs a file in a directory", function* ({ directory, io }) {
    yield* io.makeDirectory(`${directory}/inner`)
    yield* Effect.scoped(fileOf(io, `${directory}/file`, pattern(10)))
    yield* checkFails("NotAFile", io.lock(`${directory}/inner`), "a directory")
    yield* checkFails("NoSuchFile", io.lock(`${directory}/none/lock`), "a missing parent")
    yield* checkFails("NotADirectory", io.lock(`${directory}/file/lock`), "a file as the parent")
  })
]

const linkLockLaws = (makeLink: (target: string, path: string) => void): ReadonlyArray<IoLaw> => [
  ioLaw("a symbolic link can't be locked, and nothing is made at its target", function* (law) {
    const { directory, io } = law
    makeLink(`${directory}/none`, `${directory}/link`)
    yield* checkFails("NotAFile", io.lock(`${directory}/link`), "a link to nothing")
    checkEqual(yield* io.list(directory), ["link"], "names")
    yield* Effect.scoped(fileOf(io, `${directory}/file`, pattern(10)))
    makeLink(`${directory}/file`, `${directory}/other`)
    yield* checkFails("NotAFile", io.lock(`${directory}/other`), "a link to a file")
  })
]

const otherLockLaws = (makeOther: (path: string) => void): ReadonlyArray<IoLaw> => [
  ioLaw("what is neither file nor directory can't be locked", function* ({ directory, io }) {
    makeOther(`${directory}/other`)
    yield* checkFails("NotAFile", io.lock(`${directory}/other`), "lock")
  })
]

const failingSyncLaws = (failNextSync: (path: string) => void): ReadonlyArray<IoLaw> => [
  ioLaw("a failed sync poisons: nothing is written or synced any more, reading goes on", function* (law) {
    const { directory, io } = law
    for (const viaTwin of [false, true]) {
      const path = `${directory}/file-${viaTwin}`
      const file = yield* fileOf(io, path, pattern(10))
      failNextSync(path)
      if (viaTwin) checkThrows("IoFailed", () => file.unsafe.sync(), "the sync that fails")
      else yield* checkFails("IoFailed", file.sync, "the sync that fails")
      yield* checkFails("Poisoned", file.sync, "sync")
      yield* checkFails("Poisoned", file.writeAt(0, pattern(1)), "writeAt")
      yield* checkFails("Poisoned", file.writeAt(0, pattern(2 << 20)), "a large writeAt")
      yield* checkFails("Poisoned", file.truncate(0), "truncate")
      yield* checkFails("Poisoned", file.punchHole(0, 1), "punchHole")
      checkThrows("Poisoned", () => file.unsafe.sync(), "unsafe.sync")
      checkThrows("Poisoned", () => file.unsafe.writeAt(0, pattern(1)), "unsafe.writeAt")
      checkThrows("Poisoned", () => file.unsafe.truncate(0), "unsafe.truncate")
      checkThrows("Poisoned", () => file.unsafe.punchHole(0, 1), "unsafe.punchHole")
      checkBytes(yield* contentOf(file), pattern(10), "content")
      const anew = yield* io.open(path, { readonly: false })
      yield* anew.writeAt(0, pattern(1))
      yield* anew.sync
      yield* file.close
      yield* checkFails("Closed", file.sync, "sync after close")
    }
  }),
  ioLaw("of two syncs at once, the second doesn't hide the failure of the first", function* (law) {
    const { directory, io } = law
    const path = `${directory}/file`
    const file = yield* fileOf(io, path, pattern(10))
    failNextSync(path)
    const [first, second] = yield* Effect.all([Effect.flip(file.sync), Effect.flip(file.sync)], {
      concurrency: 2
    })
    checkEqual([first._tag, second._tag], ["IoFailed", "Poisoned"], "tags")
  })
]

export const ioPlatformLaws = (options: IoSuiteOptions): ReadonlyArray<IoLaw> => {
  const { failNextSync, holes = true, locks = true, makeLink, makeOther, mapping } = options
  const laws = {
    any: eitherMappingLaws,
    kept: mappingLaws,
    zeroed: [...mappingLaws, ...zeroedLaws],
    unsupported: noMappingLaws
  }
  return [
    ...laws[mapping ?? "any"],
    ...(holes ? holeLaws : noHoleLaws),
    ...(locks ? lockLaws : []),
    ...(locks && makeLink !== undefined ? linkLockLaws(makeLink) : []),
    ...(locks && makeOther !== undefined ? otherLockLaws(makeOther) : []),
    ...(failNextSync === undefined ? [] : failingSyncLaws(failNextSync))
  ]
}
