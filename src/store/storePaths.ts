/**
 * The names of the files of a store, all in one place, and what each of them is for.
 *
 * Whoever holds the store's lock removes what control does not name; so a name is recognised here
 * only when it is exactly one that this program would have made, in canonical decimal. Everything
 * else in the directory is somebody else's, and is left alone.
 */
import { isOffset } from "../bytes/offset.ts"
import type { ControlRecord } from "../format/controlRecord.ts"

export interface StorePaths {
  readonly directory: string
  readonly control: string
  /** Control under construction, before the store exists. */
  readonly controlTmp: string
  /** Locked by the writer; empty, and never removed. */
  readonly lock: string
  /** The sparse file of a generation: the path of its data, that of its map without `.map`. */
  readonly prefix: (generation: number) => string
  readonly chunk: (number: number) => string
  /** The block sums of a sealed chunk. */
  readonly sums: (number: number) => string
}

/** The paths of the store in `directory`. */
export const storePaths = (directory: string): StorePaths => {
  // So that the directory's own name can be found in its path: its parent is synced, too.
  const trimmed = directory.replace(/(?<=[^/])\/+$/, "") || "."
  const inside = trimmed.endsWith("/") ? trimmed : `${trimmed}/`
  return {
    directory: trimmed,
    control: `${inside}store.control`,
    controlTmp: `${inside}store.control.tmp`,
    lock: `${inside}store.lock`,
    prefix: (generation) => `${inside}store.${generation}.prefix`,
    chunk: (number) => `${inside}store.${number}.suffix`,
    sums: (number) => `${inside}store.${number}.suffix.sum`
  }
}

/** What a name of ours stands for. */
export type StoreName =
  | { readonly kind: "control" | "controlTmp" | "lock" }
  | { readonly kind: "prefix" | "prefixMap" | "prefixTmp" | "prefixMapTmp"; readonly generation: number }
  | { readonly kind: "chunk" | "sums"; readonly number: number }

const numbered = /^store\.(0|[1-9][0-9]*)\.(.*)$/

/** What the file of this name in a store's directory is; undefined when the name is not ours. */
export const parseStoreName = (name: string): StoreName | undefined => {
  switch (name) {
    case "store.control":
      return { kind: "control" }
    case "store.control.tmp":
      return { kind: "controlTmp" }
    case "store.lock":
      return { kind: "lock" }
  }
  const match = numbered.exec(name)
  if (match === null) return undefined
  const number = Number(match[1])
  return isOffset(number) ? numberedName(number, match[2]) : undefined
}

const prefixKinds: ReadonlyMap<string, "prefix" | "prefixMap" | "prefixTmp" | "prefixMapTmp"> = new Map([
  ["prefix", "prefix"],
  ["prefix.map", "prefixMap"],
  ["prefix.tmp", "prefixTmp"],
  ["prefix.map.tmp", "prefixMapTmp"]
])

const numberedName = (number: number, rest: string): StoreName | undefined => {
  if (rest === "suffix") return { kind: "chunk", number }
  if (rest === "suffix.sum") return { kind: "sums", number }
  const kind = prefixKinds.get(rest)
  // Generation 0 has no prefix: nobody of us has made such a file.
  return kind === undefined || number === 0 ? undefined : { kind, generation: number }
}

/**
 * Whether this is the name of a file with the store's data, or with what belongs to them. Only a
 * store that has a control file has such files: where it is missing beside one, it was lost.
 */
export const impliesControl = (name: string): boolean => {
  const kind = parseStoreName(name)?.kind
  return kind !== undefined && kind !== "control" && kind !== "controlTmp" && kind !== "lock"
}

/**
 * Whether a name is ours and of no use to a store in the state `record`: what an interrupted commit
 * or collection has left. It may be removed by the holder of the lock, once no slot of control names
 * it any more.
 */
export const isDebris = (name: string, record: ControlRecord): boolean => {
  const parsed = parseStoreName(name)
  if (parsed === undefined) return false
  const { firstChunk, generation } = record
  const last = firstChunk + record.chunkLengths.length - 1
  switch (parsed.kind) {
    case "control":
    case "lock":
      return false
    case "controlTmp":
    case "prefixTmp":
    case "prefixMapTmp":
      return true // a collection is published only when its files have their final names
    case "prefix":
    case "prefixMap":
      return parsed.generation !== generation
    case "chunk":
      return parsed.number < firstChunk || parsed.number > last
    case "sums":
      return parsed.number < firstChunk || parsed.number >= last // the active chunk has none
  }
}

/** The debris among the names of a directory, in their order. */
export const debrisAmong = (names: ReadonlyArray<string>, record: ControlRecord): Array<string> =>
  names.filter((name) => isDebris(name, record))
