/**
 * The conformance suite of `ExtentStore`, for whoever keeps extents in a store of their own.
 *
 * ```ts
 * const laws = extentStoreSuite((name) => MyStore.open(`${directory}/${name}`), { persistent: true })
 * for (const law of laws) it(law.name, law.run)
 * ```
 *
 * Each law has a store of its own. Operations that a store may lack are put to the test where it has them. The
 * laws keep some megabytes, and an extent at an offset of a terabyte.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ExtentStore } from "../file/extentStore.ts"
import { pattern } from "./ioLaw.ts"
import { check, checkBytes, checkEqual, checkFails, type Law } from "./law.ts"
import { ExtentFileModel } from "./models/extentFile.ts"

/**
 * Gives the store of a name. A name is asked for once; of a persistent store again, after the scope of the store
 * that had it was closed.
 */
export type MakeExtentStore = (name: string) => Effect.Effect<ExtentStore<unknown>, unknown, Scope.Scope>

export interface ExtentStoreSuiteOptions {
  /** Whether a store that is made anew under its name has what it had. Default: false. */
  readonly persistent?: boolean | undefined
}

type Body = (
  open: Effect.Effect<ExtentStore<unknown>, unknown, Scope.Scope>
) => Generator<Effect.Effect<unknown, unknown, Scope.Scope>, void>

interface StoreLaw {
  readonly name: string
  readonly body: Body
}

const storeLaw = (name: string, body: Body): StoreLaw => ({ name, body })

const chunkBytes = 4_096

/** Demands what `readExtent` gives, twice. */
const checkExtent = (store: ExtentStore<unknown>, offset: number, expected: Uint8Array, what: string) =>
  Effect.gen(function* () {
    checkBytes(yield* store.readExtent(offset), expected, `${what}: the extent at ${offset}`)
    checkBytes(yield* store.readExtent(offset), expected, `${what}: the extent at ${offset}, read again`)
  })

const empty = new Uint8Array(0)

const kept: ReadonlyArray<StoreLaw> = [
  storeLaw("has nothing at first, and deleting nothing is fine", function* (open) {
    const store = yield* open
    for (const offset of [0, 1, chunkBytes, 2 ** 40]) {
      yield* checkExtent(store, offset, empty, "at first")
      yield* store.deleteExtent(offset)
    }
  }),
  storeLaw("gives back what was created, and nothing within it or behind", function* (open) {
    const store = yield* open
    const bytes = pattern(chunkBytes)
    yield* store.createExtent(chunkBytes, bytes)
    yield* checkExtent(store, chunkBytes, bytes, "created")
    for (const offset of [0, chunkBytes - 1, chunkBytes + 1, 2 * chunkBytes - 1, 2 * chunkBytes]) {
      yield* checkExtent(store, offset, empty, "around it")
    }
  }),
  storeLaw("keeps bytes that the caller changes afterwards", function* (open) {
    const store = yield* open
    const bytes = pattern(100)
    yield* store.createExtent(0, bytes)
    bytes.fill(0)
    yield* checkExtent(store, 0, pattern(100), "created")
    const read = yield* store.readExtent(0)
    read.fill(0)
    yield* checkExtent(store, 0, pattern(100), "what was read is the reader's")
  }),
  storeLaw("keeps extents side by side, of one byte and of megabytes", function* (open) {
    const store = yield* open
    const parts = [1, 2, 511, 4_097, 3 * 2 ** 20 + 5, 1].map((length, i) => pattern(length, i + 1))
    let offset = 7
    for (const part of parts) {
      yield* store.createExtent(offset, part)
      offset += part.length
    }
    offset = 7
    for (const part of parts) {
      yield* checkExtent(store, offset, part, "side by side")
      offset += part.length
    }
  }),
  storeLaw("keeps extents at offsets beyond 4 GiB and of a terabyte", function* (open) {
    const store = yield* open
    const offsets = [2 ** 32 - 10, 2 ** 32 + 4096, 2 ** 40 + 123]
    for (const [i, offset] of offsets.entries()) yield* store.createExtent(offset, pattern(1000, i + 1))
    for (const [i, offset] of offsets.entries()) {
      yield* checkExtent(store, offset, pattern(1000, i + 1), "far away")
      if (offset > 2 ** 32) yield* checkExtent(store, offset % 2 ** 32, empty, "at the same 32 bits")
    }
  }),
  storeLaw("takes an empty extent for none", function* (open) {
    const store = yield* open
    yield* store.createExtent(10, empty)
    yield* checkExtent(store, 10, empty, "created empty")
    yield* store.createExtent(10, pattern(10))
    yield* store.createExtent(10, empty)
    yield* checkExtent(store, 10, empty, "replaced by an empty one")
  }),
  storeLaw("deletes one extent and no other", function* (open) {
    const store = yield* open
    for (let i = 0; i < 5; i++) yield* store.createExtent(i * chunkBytes, pattern(chunkBytes, i + 1))
    yield* store.deleteExtent(2 * chunkBytes)
    for (let i = 0; i < 5; i++) {
      yield* checkExtent(store, i * chunkBytes, i === 2 ? empty : pattern(chunkBytes, i + 1), "one deleted")
    }
    yield* store.createExtent(2 * chunkBytes, pattern(chunkBytes, 9))
    yield* checkExtent(store, 2 * chunkBytes, pattern(chunkBytes, 9), "created again")
  })
]

const overlaps: ReadonlyArray<StoreLaw> = [
  storeLaw("replaces an extent by a shorter and by a longer one", function* (open) {
    const store = yield* open
    for (const [i, length] of [1000, 300, 2000].entries()) {
      yield* store.createExtent(500, pattern(length, i + 1))
      yield* checkExtent(store, 500, pattern(length, i + 1), `replaced by ${length} bytes`)
    }
  }),
  storeLaw("has, of overlapping extents, the bytes that were written last", function* (open) {
    const store = yield* open
    const model = new ExtentFileModel(10_000)
    const create = (offset: number, bytes: Uint8Array) => {
      model.createExtent(offset, bytes)
      return store.createExtent(offset, bytes)
    }
    yield* create(0, pattern(5_000, 1))
    yield* create(4_000, pattern(5_000, 2))
    yield* create(1_000, pattern(100, 3))
    yield* create(4_500, pattern(10, 4))
    for (const { offset } of model.extents()) {
      yield* checkExtent(store, offset, model.readExtent(offset), "overlapping")
    }
  }),
  storeLaw("does not take from an extent what another one that is deleted has too", function* (open) {
    const store = yield* open
    yield* store.createExtent(0, pattern(3_000, 1))
    yield* store.createExtent(1_000, pattern(500, 2))
    yield* store.createExtent(2_500, pattern(3_000, 3))
    const model = new ExtentFileModel(10_000)
    model.createExtent(0, pattern(3_000, 1))
    model.createExtent(1_000, pattern(500, 2))
    model.createExtent(2_500, pattern(3_000, 3))
    yield* store.deleteExtent(1_000)
    model.deleteExtent(1_000)
    yield* checkExtent(store, 0, model.readExtent(0), "the one inside deleted")
    yield* store.deleteExtent(0)
    model.deleteExtent(0)
    yield* checkExtent(store, 2_500, model.readExtent(2_500), "the one before deleted")
    yield* store.createExtent(0, pattern(3_000, 4))
    yield* store.createExtent(0, pattern(10, 5))
    model.createExtent(0, pattern(3_000, 4))
    model.createExtent(0, pattern(10, 5))
    yield* checkExtent(store, 2_500, model.readExtent(2_500), "the one before replaced by a shorter one")
  }),
  storeLaw("is what a plain model is, over a long series of random operations", function* (open) {
    const store = yield* open
    const model = new ExtentFileModel(20_000)
    let state = 12_345
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    for (let i = 0; i < 400; i++) {
      const known = model.extents()
      const some = known.length > 0 && random(3) === 0 ? known[random(known.length)].offset : random(15_000)
      if (random(3) === 0) {
        model.deleteExtent(some)
        yield* store.deleteExtent(some)
      } else {
        const bytes = pattern(1 + random(random(2) === 0 ? 50 : 4_000), i + 1)
        model.createExtent(some, bytes)
        yield* store.createExtent(some, bytes)
      }
      const seen = random(20_000)
      yield* checkExtent(store, seen, model.readExtent(seen), `after ${i} operations`)
      for (const { offset } of model.extents()) {
        if (random(4) === 0)
          yield* checkExtent(store, offset, model.readExtent(offset), `after ${i} operations`)
      }
    }
    checkListed(store, model, "in the end")
    checkUnion(store, model, random)
  }),
  storeLaw("lets many create, read and delete at once", function* (open) {
    const store = yield* open
    const one = (i: number) =>
      Effect.gen(function* () {
        const offset = i * chunkBytes
        yield* store.createExtent(offset, pattern(chunkBytes, i + 1))
        checkBytes(yield* store.readExtent(offset), pattern(chunkBytes, i + 1), `the extent of fiber ${i}`)
        if (i % 3 === 0) yield* store.deleteExtent(offset)
      })
    yield* Effect.forEach(
      Array.from({ length: 200 }, (_, i) => i),
      one,
      { concurrency: "unbounded", discard: true }
    )
    for (let i = 0; i < 200; i++) {
      const expected = i % 3 === 0 ? empty : pattern(chunkBytes, i + 1)
      yield* checkExtent(store, i * chunkBytes, expected, "afterwards")
    }
  })
]

/** Demands of a store that lists its extents that it lists those of the model. */
const checkListed = (store: ExtentStore<unknown>, model: ExtentFileModel, what: string): void => {
  if (store.extents === undefined) return
  const listed = [...store.extents()].map(({ length, offset }) => `${length} at ${offset}`)
  checkEqual(
    listed,
    model.extents().map(({ length, offset }) => `${length} at ${offset}`),
    `${what}: the extents`
  )
}

/** Demands of a store that reads across extents that it does so exactly where they cover all. */
const checkUnion = (
  store: ExtentStore<unknown>,
  model: ExtentFileModel,
  random: (below: number) => number
): void => {
  if (store.unsafe === undefined) return
  for (let i = 0; i < 500; i++) {
    const offset = random(20_000)
    const buffer = new Uint8Array(random(random(2) === 0 ? 20 : 3_000))
    const expected = model.read(offset, buffer.length)
    const what = `${buffer.length} bytes at ${offset}`
    checkEqual(store.unsafe.read(offset, buffer), expected !== undefined, `${what} are kept`)
    if (expected !== undefined) checkBytes(buffer, expected, what)
  }
}

const versions: ReadonlyArray<StoreLaw> = [
  storeLaw("is pinned to one version for as long as it has extents", function* (open) {
    const store = yield* open
    if (store.pin === undefined) return
    yield* store.pin({ identity: "a", length: 100_000 }, "the object")
    yield* store.pin({ identity: "b", length: 100_000 }, "the object")
    yield* store.createExtent(0, pattern(10))
    yield* store.pin({ identity: "b", length: 100_000 }, "the object")
    for (const other of [
      { identity: "a", length: 100_000 },
      { identity: "b", length: 100_001 },
      { identity: "", length: 100_000 }
    ]) {
      yield* checkFails("SourceChanged", store.pin(other, "the object") as Effect.Effect<void, Tagged>, "pin")
    }
    checkEqual(store.pinned?.()?.identity ?? "b", "b", "the version")
    yield* checkExtent(store, 0, pattern(10), "a pin that was refused")
    yield* store.deleteExtent(0)
    yield* store.pin({ identity: "a", length: 5 }, "the object")
  }),
  storeLaw("has nothing, and no version, once it was cleared", function* (open) {
    const store = yield* open
    if (store.clear === undefined) return
    yield* store.pin?.({ identity: "a", length: 100_000 }, "the object") ?? Effect.void
    for (let i = 0; i < 10; i++) yield* store.createExtent(i * 50, pattern(100, i + 1))
    yield* store.flush ?? Effect.void
    yield* store.clear
    for (let i = 0; i < 10; i++) yield* checkExtent(store, i * 50, empty, "cleared")
    check(store.pinned?.() === undefined, "there is no version after clear")
    checkListed(store, new ExtentFileModel(1), "cleared")
    yield* store.createExtent(50, pattern(5))
    yield* checkExtent(store, 50, pattern(5), "created after it")
  })
]

type Tagged = { readonly _tag: string }

const persistence: ReadonlyArray<StoreLaw> = [
  storeLaw("has, made anew, what it had, and goes on from there", function* (open) {
    const model = new ExtentFileModel(20_000)
    for (let round = 0; round < 4; round++) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open
          checkListed(store, model, `round ${round}`)
          for (const { offset } of model.extents()) {
            yield* checkExtent(store, offset, model.readExtent(offset), `round ${round}`)
          }
          if (round === 0) yield* store.pin?.({ identity: "a", length: 20_000 }, "the object") ?? Effect.void
          else if (store.pinned !== undefined) checkEqual(store.pinned()?.identity, "a", "the version")
          for (let i = 0; i < 6; i++) {
            const offset = (round * 1_700 + i * 2_500) % 15_000
            const bytes = pattern(1_000 + round * 700, round * 10 + i + 1)
            model.createExtent(offset, bytes)
            yield* store.createExtent(offset, bytes)
            if (i === 3) {
              model.deleteExtent(offset)
              yield* store.deleteExtent(offset)
            }
          }
        })
      )
    }
  })
]

/** What every store obeys. A law is rejected with `LawBroken`, or with the error that was not foreseen. */
export const extentStoreSuite = (
  make: MakeExtentStore,
  options: ExtentStoreSuiteOptions = {}
): ReadonlyArray<Law> => {
  const laws = [...kept, ...overlaps, ...versions, ...(options.persistent === true ? persistence : [])]
  return laws.map(({ body, name }, i) => ({
    name,
    run: () => Effect.runPromise(Effect.scoped(Effect.gen(() => body(make(`store-${i}`)))))
  }))
}
