/** What only a real file system has: symbolic links, and directories that may not be written. */
import fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { expect, it } from "vitest"
import { IoFailed } from "../../src/bytes/errors.ts"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { scratchDirectory } from "../io/scratch.ts"
import { pattern, smallSparseFile } from "./sparseFileFiles.ts"
import { watchedIo } from "./watchedIo.ts"

const directory = scratchDirectory()
let count = 0
const fresh = () => join(directory, `sparse${count++}`)

const onDisk =
  <A, E>(test: Effect.Effect<A, E, Io | Scope.Scope>): (() => Promise<A>) =>
  () =>
    test.pipe(Effect.scoped, Effect.provide(IoNode.layer), Effect.runPromise)

it.each([".tmp", ".map.tmp"])(
  "refuses a symbolic link planted at %s, and leaves its target alone",
  (suffix) =>
    onDisk(
      Effect.gen(function* () {
        const path = fresh()
        fs.writeFileSync(`${path}.victim`, "precious")
        fs.symlinkSync(`${path}.victim`, path + suffix)
        const error = yield* Effect.flip(SparseFile.create(path))
        expect(error).toMatchObject({ _tag: "NotAFile", path: path + suffix })
        expect(fs.readFileSync(`${path}.victim`, "utf8")).toBe("precious")
        expect(fs.readlinkSync(path + suffix)).toBe(`${path}.victim`)
      })
    )()
)

it.each([".tmp", ".map.tmp"])("refuses a symbolic link planted at %s while the writer is open", (suffix) =>
  onDisk(
    Effect.gen(function* () {
      const path = fresh()
      const writer = yield* SparseFile.create(path)
      fs.writeFileSync(`${path}.victim`, "precious")
      fs.rmSync(path + suffix)
      fs.symlinkSync(`${path}.victim`, path + suffix)
      expect(yield* Effect.flip(writer.close)).toMatchObject({ _tag: "NotAFile", path: path + suffix })
      expect(fs.readFileSync(`${path}.victim`, "utf8")).toBe("precious")
    })
  )()
)

it.each(["", ".map"])("refuses to create over a dangling symbolic link at <path>%s", (suffix) =>
  onDisk(
    Effect.gen(function* () {
      const path = fresh()
      fs.symlinkSync(`${path}.nowhere`, path + suffix)
      expect(yield* Effect.flip(SparseFile.create(path))).toMatchObject({
        _tag: "FileExists",
        path: path + suffix
      })
    })
  )()
)

it(
  "finishes no promotion through a symbolic link",
  onDisk(
    Effect.gen(function* () {
      const path = fresh()
      yield* smallSparseFile(path)
      fs.renameSync(`${path}.map`, `${path}.elsewhere`)
      fs.symlinkSync(`${path}.elsewhere`, `${path}.map.tmp`)
      expect(yield* Effect.flip(SparseFile.open(path))).toMatchObject({
        _tag: "NotAFile",
        path: `${path}.map.tmp`
      })
    })
  )
)

it.each([
  ["rename", "EACCES"],
  ["rename", "EROFS"],
  ["syncDirectory", "EPERM"]
])("serves a half-promoted pair where %s is %s, and leaves the names", (refused, code) =>
  onDisk(
    Effect.gen(function* () {
      const path = fresh()
      yield* smallSparseFile(path)
      fs.renameSync(`${path}.map`, `${path}.map.tmp`)
      const io = watchedIo(yield* Io, {
        before: (operation, at) => {
          if (operation === refused) throw new IoFailed({ syscall: refused, path: at, code, cause: code })
        }
      })
      const reader = yield* SparseFile.open(path).pipe(Effect.provideService(Io, io))
      const buffer = new Uint8Array(50)
      yield* reader.read(100, buffer)
      expect(buffer).toEqual(pattern(2000).slice(100, 150))
      expect(fs.existsSync(`${path}.map`)).toBe(false)
    })
  )()
)

it(
  "gives out copies: what was read stays when the reader is closed",
  onDisk(
    Effect.gen(function* () {
      const path = fresh()
      yield* smallSparseFile(path)
      const reader = yield* SparseFile.open(path)
      const range = yield* reader.readRange(1000, { minLength: 200, maxLength: 200 })
      const [many] = yield* reader.readMany([1000], [200])
      yield* reader.close
      expect(range).toEqual(pattern(2000).slice(1000, 1200))
      expect(many).toEqual(pattern(2000).slice(1000, 1200))
    })
  )
)
