/**
 * What the tests of a store are made with: records that tell themselves apart, an Io that is listened
 * to, broken or held up at any call, and what must be true of a store whatever happened to it.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { expect } from "vitest"
import { IoFailed } from "../../src/bytes/errors.ts"
import { Io, type IoFile, type IoService } from "../../src/io/Io.ts"
import { debrisAmong } from "../../src/store/storePaths.ts"
import { readControl } from "../../src/store/controlFile.ts"
import { storePaths } from "../../src/store/storePaths.ts"
import { Store, type StoreOptions, type StoreService } from "../../src/store/Store.ts"
import { watchedIo } from "../file/watchedIo.ts"

/** Bytes that another seed, or another place in them, would not give. */
export const record = (length: number, seed = 0): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + (i >>> 16) * 3 + seed * 59 + 1) & 255
  return bytes
}

export const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array =>
  new Uint8Array(Buffer.concat(parts))

/** Fails briefly, where a comparison by `expect` would print megabytes. */
export const expectBytes = (found: Uint8Array, expected: Uint8Array): void => {
  expect(found.length).toBe(expected.length)
  if (Buffer.compare(found, expected) !== 0) {
    const at = expected.findIndex((byte, i) => byte !== found[i])
    throw new Error(`byte ${at} of ${expected.length} is ${found[at]}, and should be ${expected[at]}`)
  }
}

/** Opens the store in a directory, making it when there is none, over an Io of the test's own. */
export const openOn = (
  io: IoService,
  directory: string,
  options: Omit<StoreOptions, "directory"> = {}
): ReturnType<typeof Store.open> =>
  Store.open({ directory, create: options.readonly !== true, ...options }).pipe(Effect.provideService(Io, io))

/** Opens the store as its next owner would, and closes it again behind `look`. */
export const reopened = <A, E>(
  io: IoService,
  directory: string,
  look: (store: StoreService) => Effect.Effect<A, E, Scope.Scope>
) => Effect.scoped(Effect.flatMap(openOn(io, directory), look))

/** All that can be read from `offset` on. */
export const readFrom = (store: StoreService, offset = 0) => store.read(offset, store.end() - offset)

/** The store has exactly these bytes, from offset 0, all of them readable. */
export const holds = (store: StoreService, bytes: Uint8Array) =>
  Effect.gen(function* () {
    expect(store.end()).toBe(bytes.length)
    expectBytes(yield* store.read(0, bytes.length), bytes)
  })

/** No checksum or invariant of the store is violated. */
export const isSound = (store: StoreService) =>
  Effect.gen(function* () {
    expect((yield* store.check()).damage).toEqual([])
  })

/** Names in the directory that control doesn't name. */
export const debrisIn = (io: IoService, directory: string) =>
  Effect.gen(function* () {
    const { record } = yield* readControl(io, storePaths(directory))
    return debrisAmong(yield* io.list(directory), record)
  })

/** The bytes of all files of a store, its lock aside. */
export const bytesOnDisk = (io: IoService, directory: string) =>
  Effect.gen(function* () {
    let bytes = 0
    for (const name of yield* io.list(directory)) bytes += yield* io.sizeOf(`${directory}/${name}`)
    return bytes
  })

/** Changes one byte of a file, behind everybody's back. */
export const damage = (io: IoService, path: string, offset: number) =>
  Effect.gen(function* () {
    const file = yield* io.open(path, { readonly: false })
    const byte = new Uint8Array(1)
    yield* file.readAt(offset, byte)
    byte[0] ^= 0xff
    yield* file.writeAt(offset, byte)
  }).pipe(Effect.scoped)

export const truncate = (io: IoService, path: string, size: number) =>
  Effect.scoped(Effect.flatMap(io.open(path, { readonly: false }), (file) => file.truncate(size)))

/** An Io that tells of its calls, and can be made to fail at any of them. */
export interface ToldIo {
  readonly io: IoService
  /** The calls since the last `forget`, as `sync store.0.suffix`, in their order. */
  readonly calls: Array<string>
  readonly forget: () => void
  /** Of the calls, those that change a file or a name, or make a change durable. */
  readonly changes: () => Array<string>
  /** Which calls fail from now on: told each one and its number since the last `forget`, from 1. */
  failing: (call: string, number: number) => boolean
}

const changing = /^(create|writeAt|sync|syncDirectory|rename|remove|truncate|punchHole|makeDirectory) /

export const toldIo = (inner: IoService, directory: string): ToldIo => {
  const calls: Array<string> = []
  const told: ToldIo = {
    calls,
    forget: () => calls.splice(0),
    changes: () => calls.filter((call) => changing.test(call)),
    failing: () => false,
    io: watchedIo(inner, {
      before: (operation, path) => {
        const call = `${operation} ${nameIn(directory, path)}`
        calls.push(call)
        if (told.failing(call, calls.length)) throw ioError(operation, path)
      }
    })
  }
  return told
}

export const nameIn = (directory: string, path: string): string =>
  path === directory ? "." : path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : path

export const ioError = (syscall: string, path: string): IoFailed =>
  new IoFailed({ syscall, path, code: "EIO", cause: new Error("made up") })

/** Holds up calls that are Effects: those that `holds` picks wait until they are let go. */
export interface GatedIo {
  readonly io: IoService
  /** Done when a call has arrived at the gate. */
  readonly arrived: Effect.Effect<void>
  readonly open: Effect.Effect<void>
}

/** The first call that `stops` picks waits at a gate. */
export const gatedIo = (
  inner: IoService,
  directory: string,
  stops: (call: string, number: number) => boolean
): GatedIo => {
  const arrived = Deferred.makeUnsafe<void>()
  const opened = Deferred.makeUnsafe<void>()
  let number = 0
  let stopped = false
  const io = interposedIo(inner, (operation, path) =>
    Effect.suspend(() => {
      number++
      if (stopped || !stops(`${operation} ${nameIn(directory, path)}`, number)) return Effect.void
      stopped = true
      return Effect.andThen(Deferred.succeed(arrived, undefined), Deferred.await(opened))
    })
  )
  return {
    io,
    arrived: Deferred.await(arrived),
    open: Effect.asVoid(Deferred.succeed(opened, undefined))
  }
}

/** An Io that runs something before each of its calls that is an Effect. */
export const interposedIo = (
  inner: IoService,
  before: (operation: string, path: string) => Effect.Effect<void>
): IoService => {
  const then = <A, E, R>(operation: string, path: string, call: Effect.Effect<A, E, R>) =>
    Effect.andThen(
      Effect.suspend(() => before(operation, path)),
      call
    )
  const file = (opened: IoFile): IoFile => ({
    ...opened,
    readAt: (offset, buffer) => then("readAt", opened.path, opened.readAt(offset, buffer)),
    readSomeAt: (offset, buffer) => then("readSomeAt", opened.path, opened.readSomeAt(offset, buffer)),
    writeAt: (offset, bytes) => then("writeAt", opened.path, opened.writeAt(offset, bytes)),
    size: then("size", opened.path, opened.size),
    sync: then("sync", opened.path, opened.sync),
    map: (offset, length) => then("map", opened.path, opened.map(offset, length))
  })
  return {
    create: (path, options) => then("create", path, Effect.map(inner.create(path, options), file)),
    open: (path, options) => then("open", path, Effect.map(inner.open(path, options), file)),
    sizeOf: (path) => then("sizeOf", path, inner.sizeOf(path)),
    classify: (path) => then("classify", path, inner.classify(path)),
    list: (directory) => then("list", directory, inner.list(directory)),
    makeDirectory: (path) => then("makeDirectory", path, inner.makeDirectory(path)),
    rename: (from, to) => then("rename", from, inner.rename(from, to)),
    remove: (path) => then("remove", path, inner.remove(path)),
    syncDirectory: (path) => then("syncDirectory", path, inner.syncDirectory(path)),
    lock: (path) => then("lock", path, inner.lock(path))
  }
}

/** Gives the other fibers so many turns. */
export const turns = (count: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) yield* Effect.yieldNow
  })

/** Everything that can be asked of a writer when it is poisoned, and must be refused. */
export const isPoisoned = (store: StoreService) =>
  Effect.gen(function* () {
    const calls: Record<string, Effect.Effect<unknown, unknown>> = {
      append: store.append(new Uint8Array(1)),
      appendAll: store.appendAll([new Uint8Array(1)]),
      commit: store.commit,
      split: store.split,
      rollback: store.rollback,
      collect: store.collect({ live: [], upTo: store.committedEnd() })
    }
    for (const [name, call] of Object.entries(calls)) {
      expect(yield* Effect.flip(call), name).toMatchObject({ _tag: "Poisoned", path: store.directory })
    }
    expect(() => store.unsafe.append(new Uint8Array(1))).toThrow(
      expect.objectContaining({ _tag: "Poisoned" })
    )
  })
