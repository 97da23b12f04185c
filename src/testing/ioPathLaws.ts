/**
 * The laws of names: creating, opening, listing, renaming, removing, and what stands in the way.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { IoService, OpenError } from "../io/Io.ts"
import { contentOf, fileOf, type IoLaw, ioLaw, type IoSuiteOptions, pattern } from "./ioLaw.ts"
import { checkBytes, checkEqual, checkFails } from "./law.ts"

const content = (io: IoService, path: string) =>
  Effect.scoped(Effect.flatMap(io.open(path, { readonly: true }), contentOf))

const empty = (io: IoService, path: string) => Effect.scoped(fileOf(io, path, pattern(0)))

/** All verbs that look for a file at `path`. */
const verbs = (
  io: IoService,
  path: string
): ReadonlyArray<readonly [name: string, effect: Effect.Effect<unknown, OpenError, Scope.Scope>]> => [
  ["open to read", io.open(path, { readonly: true })],
  ["open to write", io.open(path, { readonly: false })],
  ["sizeOf", io.sizeOf(path)],
  ["remove", io.remove(path)]
]

const ordinary: ReadonlyArray<IoLaw> = [
  ioLaw("classify tells files, directories and nothing apart", function* ({ directory, io }) {
    yield* empty(io, `${directory}/file`)
    yield* io.makeDirectory(`${directory}/inner`)
    checkEqual(yield* io.classify(`${directory}/file`), "file", "a file")
    checkEqual(yield* io.classify(`${directory}/inner`), "directory", "a directory")
    checkEqual(yield* io.classify(`${directory}/none`), "none", "nothing")
    checkEqual(yield* io.classify(`${directory}/none/none`), "none", "nothing in nothing")
    checkEqual(yield* io.classify(`${directory}/file/none`), "none", "nothing in a file")
  }),
  ioLaw("list gives the names in a directory, sorted", function* ({ directory, io }) {
    checkEqual(yield* io.list(directory), [], "an empty directory")
    for (const name of ["b", "a10", "Z", "ä", "a2", ".hidden"]) yield* empty(io, `${directory}/${name}`)
    yield* io.makeDirectory(`${directory}/c`)
    checkEqual(yield* io.list(directory), [".hidden", "Z", "a10", "a2", "b", "c", "ä"], "names")
    checkEqual(yield* io.list(`${directory}/c`), [], "the inner directory")
  }),
  ioLaw("create refuses every name that is taken, and leaves what is there", function* (law) {
    const { directory, io } = law
    const path = `${directory}/file`
    yield* Effect.scoped(fileOf(io, path, pattern(10)))
    yield* io.makeDirectory(`${directory}/inner`)
    yield* checkFails("FileExists", io.create(path, { overwrite: false }), "a file")
    yield* checkFails("FileExists", io.create(`${directory}/inner`, { overwrite: false }), "a directory")
    checkBytes(yield* content(io, path), pattern(10), "content")
  }),
  ioLaw("create with overwrite makes a new file, and the old lives on for who has it open", function* (law) {
    const { directory, io } = law
    const path = `${directory}/file`
    const old = yield* fileOf(io, path, pattern(10))
    const reader = yield* io.open(path, { readonly: true })
    const file = yield* io.create(path, { overwrite: true })
    checkEqual(yield* file.size, 0, "size of the new")
    yield* file.writeAt(0, pattern(5, 2))
    yield* old.writeAt(10, pattern(1))
    checkEqual(yield* reader.size, 11, "size of the old")
    checkBytes((yield* contentOf(reader)).subarray(0, 10), pattern(10), "content of the old")
    checkBytes(yield* content(io, path), pattern(5, 2), "content of the new")
    yield* io.create(`${directory}/fresh`, { overwrite: true })
    checkEqual(yield* io.classify(`${directory}/fresh`), "file", "overwriting nothing")
  }),
  ioLaw("a removed file is gone by name, and lives on for who has it open", function* (law) {
    const { directory, io } = law
    const path = `${directory}/file`
    const file = yield* fileOf(io, path, pattern(10))
    yield* io.remove(path)
    checkEqual(yield* io.classify(path), "none", "the name")
    yield* file.writeAt(10, pattern(10, 2))
    yield* file.sync
    checkEqual(yield* file.size, 20, "size")
    checkBytes((yield* contentOf(file)).subarray(0, 10), pattern(10), "content")
    yield* checkFails("NoSuchFile", io.remove(path), "a second removal")
  }),
  ioLaw("rename moves a file, open or not, and replaces the file at its target", function* (law) {
    const { directory, io } = law
    const [from, to] = [`${directory}/from`, `${directory}/to`]
    const file = yield* fileOf(io, from, pattern(10))
    const old = yield* fileOf(io, to, pattern(20, 2))
    yield* io.rename(from, to)
    checkEqual(yield* io.list(directory), ["to"], "names")
    yield* file.writeAt(0, pattern(10, 3))
    checkBytes(yield* content(io, to), pattern(10, 3), "content at the target")
    checkBytes(yield* contentOf(old), pattern(20, 2), "content of the replaced")
    yield* io.rename(to, to)
    checkEqual(yield* io.list(directory), ["to"], "names after renaming to itself")
  }),
  ioLaw("rename moves a directory with all in it, onto an empty one too", function* ({ directory, io }) {
    yield* io.makeDirectory(`${directory}/from`)
    yield* io.makeDirectory(`${directory}/to`)
    yield* empty(io, `${directory}/from/file`)
    yield* io.rename(`${directory}/from`, `${directory}/to`)
    checkEqual(yield* io.list(directory), ["to"], "names")
    checkEqual(yield* io.list(`${directory}/to`), ["file"], "names within")
    yield* checkFails("IoFailed", io.rename(`${directory}/to`, `${directory}/to/inner`), "into itself")
    yield* io.makeDirectory(`${directory}/other`)
    yield* checkFails("IoFailed", io.rename(`${directory}/other`, `${directory}/to`), "onto a full one")
  }),
  ioLaw("syncDirectory and makeDirectory succeed on what they are for", function* ({ directory, io }) {
    yield* io.makeDirectory(`${directory}/inner`)
    yield* empty(io, `${directory}/inner/file`)
    yield* io.syncDirectory(`${directory}/inner`)
    yield* io.syncDirectory(directory)
    yield* checkFails("FileExists", io.makeDirectory(`${directory}/inner`), "an existing directory")
    yield* checkFails("FileExists", io.makeDirectory(`${directory}/inner/file`), "an existing file")
  })
]

const obstacles: ReadonlyArray<IoLaw> = [
  ioLaw("what is missing is NoSuchFile, under its own path", function* ({ directory, io }) {
    const missing = `${directory}/none`
    for (const [name, effect] of verbs(io, missing)) {
      checkEqual((yield* checkFails("NoSuchFile", effect, name)).path, missing, name)
    }
    yield* checkFails("NoSuchFile", io.list(missing), "list")
    yield* checkFails("NoSuchFile", io.syncDirectory(missing), "syncDirectory")
    const rename = yield* checkFails("NoSuchFile", io.rename(missing, `${directory}/to`), "rename")
    checkEqual(rename.path, missing, "rename: path")
  }),
  ioLaw("a missing parent is NoSuchFile, and nothing is made", function* ({ directory, io }) {
    const path = `${directory}/none/file`
    yield* empty(io, `${directory}/file`)
    for (const [name, effect] of verbs(io, path)) yield* checkFails("NoSuchFile", effect, name)
    yield* checkFails("NoSuchFile", io.create(path, { overwrite: false }), "create")
    yield* checkFails("NoSuchFile", io.create(path, { overwrite: true }), "create with overwrite")
    yield* checkFails("NoSuchFile", io.makeDirectory(path), "makeDirectory")
    const rename = yield* checkFails("NoSuchFile", io.rename(`${directory}/file`, path), "rename")
    checkEqual(rename.path, path, "rename: path")
    checkEqual(yield* io.list(directory), ["file"], "names")
  }),
  ioLaw("a file in the place of a directory is NotADirectory", function* ({ directory, io }) {
    const file = `${directory}/file`
    const within = `${file}/within`
    yield* empty(io, file)
    yield* io.makeDirectory(`${directory}/inner`)
    for (const [name, effect] of verbs(io, within)) yield* checkFails("NotADirectory", effect, name)
    yield* checkFails("NotADirectory", io.create(within, { overwrite: false }), "create")
    yield* checkFails("NotADirectory", io.create(within, { overwrite: true }), "create with overwrite")
    yield* checkFails("NotADirectory", io.makeDirectory(within), "makeDirectory")
    yield* checkFails("NotADirectory", io.list(file), "list")
    yield* checkFails("NotADirectory", io.syncDirectory(file), "syncDirectory")
    yield* checkFails("NotADirectory", io.rename(within, `${directory}/to`), "rename from within")
    yield* checkFails("NotADirectory", io.rename(file, within), "rename to within")
    yield* checkFails("NotADirectory", io.rename(`${directory}/inner`, file), "rename a directory onto it")
  }),
  ioLaw("a directory in the place of a file is NotAFile, and stays", function* ({ directory, io }) {
    const inner = `${directory}/inner`
    yield* io.makeDirectory(inner)
    yield* empty(io, `${directory}/file`)
    for (const [name, effect] of verbs(io, inner)) yield* checkFails("NotAFile", effect, name)
    yield* checkFails("NotAFile", io.create(inner, { overwrite: true }), "create with overwrite")
    yield* checkFails("NotAFile", io.rename(`${directory}/file`, inner), "rename onto it")
    checkEqual(yield* io.list(directory), ["file", "inner"], "names")
  })
]

const linkLaws = (makeLink: (target: string, path: string) => void): ReadonlyArray<IoLaw> => [
  ioLaw("a symbolic link is followed by open and sizeOf, and by nothing else", function* (law) {
    const { directory, io } = law
    const [target, link] = [`${directory}/target`, `${directory}/link`]
    yield* Effect.scoped(fileOf(io, target, pattern(10)))
    makeLink(target, link)
    checkBytes(yield* content(io, link), pattern(10), "open")
    checkEqual(yield* io.sizeOf(link), 10, "sizeOf")
    checkEqual(yield* io.classify(link), "other", "classify")
    yield* checkFails("FileExists", io.create(link, { overwrite: false }), "create")
    const file = yield* io.create(link, { overwrite: true })
    yield* file.writeAt(0, pattern(3, 2))
    checkEqual(yield* io.classify(link), "file", "create with overwrite puts a file in its place")
    checkBytes(yield* content(io, target), pattern(10), "the target")
    makeLink(target, `${directory}/again`)
    yield* io.remove(`${directory}/again`)
    checkEqual(yield* io.list(directory), ["link", "target"], "remove takes the link itself")
  }),
  ioLaw(
    "a link to nothing is NoSuchFile to open, taken to create, and never written through",
    function* (law) {
      const { directory, io } = law
      const [target, link] = [`${directory}/target`, `${directory}/link`]
      makeLink(target, link)
      yield* checkFails("NoSuchFile", io.open(link, { readonly: false }), "open")
      yield* checkFails("FileExists", io.create(link, { overwrite: false }), "create")
      checkEqual(yield* io.classify(link), "other", "classify")
      yield* io.create(link, { overwrite: true })
      checkEqual(yield* io.classify(target), "none", "the target")
    }
  )
]

const otherLaws = (makeOther: (path: string) => void): ReadonlyArray<IoLaw> => [
  ioLaw("what is neither file nor directory is NotAFile, at once, and stays", function* ({ directory, io }) {
    const path = `${directory}/other`
    makeOther(path)
    checkEqual(yield* io.classify(path), "other", "classify")
    for (const [name, effect] of verbs(io, path)) yield* checkFails("NotAFile", effect, name)
    yield* checkFails("FileExists", io.create(path, { overwrite: false }), "create")
    yield* checkFails("NotAFile", io.create(path, { overwrite: true }), "create with overwrite")
    yield* checkFails("NotADirectory", io.list(path), "list")
    yield* checkFails("NotADirectory", io.syncDirectory(path), "syncDirectory")
    checkEqual(yield* io.classify(path), "other", "classify afterwards")
  })
]

export const ioPathLaws = ({ makeLink, makeOther }: IoSuiteOptions): ReadonlyArray<IoLaw> => [
  ...ordinary,
  ...obstacles,
  ...(makeLink === undefined ? [] : linkLaws(makeLink)),
  ...(makeOther === undefined ? [] : otherLaws(makeOther))
]
