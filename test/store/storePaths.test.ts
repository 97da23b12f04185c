import { assert, describe, it } from "vitest"
import type { ControlRecord } from "../../src/format/controlRecord.ts"
import {
  debrisAmong,
  isDebris,
  impliesControl,
  parseStoreName,
  storePaths
} from "../../src/store/storePaths.ts"

const record: ControlRecord = {
  sequence: 9,
  generation: 3,
  suffixStart: 1000,
  prefixDataBytes: 300,
  prefixMapBytes: 352,
  firstChunk: 7,
  firstChunkOffset: 900,
  chunkLengths: [4096, 100, 5]
}
const fresh: ControlRecord = {
  sequence: 1,
  generation: 0,
  suffixStart: 0,
  prefixDataBytes: 0,
  prefixMapBytes: 0,
  firstChunk: 0,
  firstChunkOffset: 0,
  chunkLengths: []
}

const largest = Number.MAX_SAFE_INTEGER

/** Names that look like ours, and are not. */
const strangers = [
  "",
  "store",
  "store.",
  "store.controls",
  "Store.control",
  "store.control.tmp.tmp",
  "store.control~",
  " store.control",
  "store.lock.tmp",
  "store.suffix",
  "store..suffix",
  "store.-1.suffix",
  "store.+1.suffix",
  "store.01.suffix",
  "store.00.suffix",
  "store.1e3.suffix",
  "store.0x1.suffix",
  "store.1.5.suffix",
  "store. 1.suffix",
  "store.\u0661.suffix",
  "store.9007199254740992.suffix",
  "store.99999999999999999999999999.suffix",
  "store.1.suffix\n",
  "store.1.suffix\nx",
  "x\nstore.1.suffix",
  "store.1.suffix.tmp",
  "store.1.suffix.sum.tmp",
  "store.1.suffix.sums",
  "store.1.suffix.map",
  "store.1.suffixes",
  "store.1.SUFFIX",
  "xstore.1.suffix",
  "store.1.prefix.sum",
  "store.1.prefix.maps",
  "store.1.prefix.tmp.map",
  "store.01.prefix",
  "store.0.prefix",
  "store.0.prefix.map",
  "store.0.prefix.tmp",
  "store.1",
  "store.1.",
  "store.1.control"
]

const ours: ReadonlyArray<[string, ReturnType<typeof parseStoreName>]> = [
  ["store.control", { kind: "control" }],
  ["store.control.tmp", { kind: "controlTmp" }],
  ["store.lock", { kind: "lock" }],
  ["store.0.suffix", { kind: "chunk", number: 0 }],
  ["store.10.suffix", { kind: "chunk", number: 10 }],
  [`store.${largest}.suffix`, { kind: "chunk", number: largest }],
  ["store.0.suffix.sum", { kind: "sums", number: 0 }],
  ["store.1.prefix", { kind: "prefix", generation: 1 }],
  ["store.20.prefix.map", { kind: "prefixMap", generation: 20 }],
  ["store.20.prefix.tmp", { kind: "prefixTmp", generation: 20 }],
  ["store.20.prefix.map.tmp", { kind: "prefixMapTmp", generation: 20 }]
]

describe("the names of a store's files", () => {
  it.each(["/some/store", "store", "./a/b", "."])("lie in its directory %s", (directory) => {
    const paths = storePaths(directory)
    assert.strictEqual(paths.directory, directory)
    assert.strictEqual(paths.control, `${directory}/store.control`)
    assert.strictEqual(paths.controlTmp, `${directory}/store.control.tmp`)
    assert.strictEqual(paths.lock, `${directory}/store.lock`)
    assert.strictEqual(paths.prefix(12), `${directory}/store.12.prefix`)
    assert.strictEqual(paths.chunk(0), `${directory}/store.0.suffix`)
    assert.strictEqual(paths.sums(largest), `${directory}/store.${largest}.suffix.sum`)
  })

  it.each([
    ["/", "/", "/store.lock"],
    ["/a/", "/a", "/a/store.lock"],
    ["a//", "a", "a/store.lock"],
    ["", ".", "./store.lock"]
  ])("lie in %s, however it is written", (given, directory, lock) => {
    assert.strictEqual(storePaths(given).directory, directory)
    assert.strictEqual(storePaths(given).lock, lock)
  })

  it.each(ours)("are recognised: %s", (name, parsed) => {
    assert.deepStrictEqual(parseStoreName(name), parsed)
    assert.strictEqual(impliesControl(name), parsed !== undefined && !/control|lock/.test(parsed.kind))
  })

  it("are recognised as they are made", () => {
    const paths = storePaths("/d")
    const kindOf = (path: string) => parseStoreName(path.slice("/d/".length))?.kind
    assert.strictEqual(kindOf(paths.control), "control")
    assert.strictEqual(kindOf(paths.controlTmp), "controlTmp")
    assert.strictEqual(kindOf(paths.lock), "lock")
    for (const number of [1, 9, 10, 123_456, largest]) {
      assert.strictEqual(kindOf(paths.chunk(number)), "chunk")
      assert.strictEqual(kindOf(paths.sums(number)), "sums")
      assert.strictEqual(kindOf(paths.prefix(number)), "prefix")
      assert.strictEqual(kindOf(`${paths.prefix(number)}.map`), "prefixMap")
    }
  })

  it.each(strangers.map((name) => [name]))("are not mistaken for somebody else's: %j", (name) => {
    assert.isUndefined(parseStoreName(name))
    assert.isFalse(impliesControl(name))
    assert.isFalse(isDebris(name, record))
    assert.isFalse(isDebris(name, fresh))
  })
})

describe("debris", () => {
  const named = [
    "store.control",
    "store.lock",
    "store.3.prefix",
    "store.3.prefix.map",
    "store.7.suffix",
    "store.7.suffix.sum",
    "store.8.suffix",
    "store.8.suffix.sum",
    "store.9.suffix"
  ]
  const debris = [
    "store.control.tmp",
    "store.3.prefix.tmp",
    "store.3.prefix.map.tmp",
    "store.2.prefix",
    "store.2.prefix.map",
    "store.4.prefix",
    "store.4.prefix.map",
    "store.4.prefix.tmp",
    "store.4.prefix.map.tmp",
    "store.6.suffix",
    "store.6.suffix.sum",
    "store.9.suffix.sum",
    "store.10.suffix",
    "store.10.suffix.sum",
    "store.0.suffix"
  ]

  it("is what is ours and not named by control, and nothing else", () => {
    assert.deepStrictEqual(debrisAmong([...named, ...debris, ...strangers], record), debris)
  })

  it("is every chunk and every prefix in a store in which nothing was committed", () => {
    const names = ["store.control", "store.0.suffix", "store.0.suffix.sum", "store.1.prefix", "notes.txt"]
    assert.deepStrictEqual(debrisAmong(names, fresh), names.slice(1, 4))
  })

  it("are the sums of the only chunk, which is active", () => {
    const names = ["store.0.suffix", "store.0.suffix.sum"]
    assert.deepStrictEqual(debrisAmong(names, { ...fresh, chunkLengths: [5] }), ["store.0.suffix.sum"])
  })
})
