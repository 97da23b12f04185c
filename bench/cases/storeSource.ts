/**
 * A store that holds a source: its bytes at the same offsets, in records that are the live objects
 * and what lies between them, all committed and sealed. It is filled once; every run gets a copy of
 * its own, whose sealed files are links, so that all find the same bytes in the page cache. What a
 * run removes, then, is a name: the time to free the disk is not in it.
 */
import * as Effect from "effect/Effect"
import fs from "node:fs"
import path from "node:path"
import { Store } from "../../src/store/Store.ts"
import type { StoreService } from "../../src/store/Store.ts"
import { expect, expectSame } from "../expect.ts"
import { makeRandom } from "../random.ts"
import type { Source } from "./source.ts"

const checkedExtents = 2000
const fewestBytesAtOnce = 1 << 20

/** Fills a new store at `directory` with the source. */
export const fillStore = Effect.fnUntraced(function* (directory: string, source: Source) {
  const store = yield* Store.open({ directory, create: true })
  const fd = fs.openSync(source.path, "r")
  const read = (offset: number, end: number): Uint8Array => {
    const bytes = new Uint8Array(end - offset)
    fs.readSync(fd, bytes, 0, bytes.length, offset)
    return bytes
  }
  let at = 0
  let waiting = 0
  let records: Array<Uint8Array> = []
  for (const { length, offset } of [...source.live, { offset: source.bytes, length: 0 }]) {
    if (offset > at) records.push(read(at, offset))
    if (length > 0) records.push(read(offset, offset + length))
    waiting += offset + length - at
    at = offset + length
    if (waiting < fewestBytesAtOnce && at < source.bytes) continue
    yield* store.appendAll(records)
    records = []
    waiting = 0
  }
  fs.closeSync(fd)
  yield* store.split
  expect("the store is as long as its source", store.committedEnd() === source.bytes)
  yield* store.close
}, Effect.scoped)

/** Makes a copy of a store that `fillStore` made and nobody has open. */
export const linkStore = (from: string, to: string): void => {
  fs.mkdirSync(to)
  const names = new Set(fs.readdirSync(from))
  for (const name of names) {
    if (name === "store.lock") continue
    const sealed = names.has(`${name}.sum`) || name.endsWith(".sum")
    const copy = sealed ? fs.linkSync : fs.copyFileSync
    copy(path.join(from, name), path.join(to, name))
  }
}

/** Throws unless live extents, drawn at random, read as in the source, and the first hole doesn't. */
export const checkCollected = Effect.fnUntraced(function* (store: StoreService, source: Source) {
  const random = makeRandom(81)
  const fd = fs.openSync(source.path, "r")
  for (let i = 0; i < checkedExtents; i++) {
    const { length, offset } = source.live[random.below(source.live.length)]
    const wanted = new Uint8Array(length)
    fs.readSync(fd, wanted, 0, length, offset)
    expectSame(`the extent at ${offset}`, yield* store.read(offset, length), wanted)
  }
  fs.closeSync(fd)
  const hole = source.live.find(
    ({ length, offset }, i) => i + 1 < source.live.length && offset + length < source.live[i + 1].offset
  )
  if (hole === undefined) return
  const failure = yield* Effect.flip(store.read(hole.offset + hole.length, 1))
  expect("what is not live is gone", failure._tag === "InvalidSparseRead")
})
