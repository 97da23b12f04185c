/**
 * The C side: compiled by the bench, loaded into this process, called in batches, so that both sides
 * run on the same data in the same minute. Without a compiler or koffi there is no C side, and the
 * bench says so and goes on.
 */
import { spawnSync } from "node:child_process"
import fs from "node:fs"
import { createRequire } from "node:module"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { crc32 as zlibCrc32 } from "node:zlib"
import { randomWords } from "./random.ts"

/** A pointer that only C looks into. */
export type Pointer = { readonly "~pointer": true }

type OffmapArguments = [
  fd: number,
  virtuals: Float64Array,
  physicals: Float64Array,
  lengths: Uint32Array,
  count: number,
  epsilon: number
]

type OverlayArguments = [
  base: Pointer,
  offsets: Float64Array,
  count: number,
  records: Uint8Array,
  variety: number
]

export interface Native {
  readonly crc32: (bytes: Uint8Array, length: number, seed: number) => number
  readonly plainWrite: (path: string, virtuals: Float64Array, lengths: Uint32Array, count: number) => number
  readonly plainOpen: (path: string, count: number) => Pointer | null
  readonly plainTranslate: (map: Pointer, keys: Float64Array, count: number, out: Float64Array) => void
  readonly plainClose: (map: Pointer) => void
  readonly offmapBuild: (...args: OffmapArguments) => Pointer | null
  readonly offmapDrop: (image: Pointer, count: number) => void
  readonly offmapStream: (...args: OffmapArguments) => number
  readonly appendRecords: (fd: number, records: Uint8Array, count: number) => number
  readonly commitRecords: (
    data: number,
    control: number,
    records: Uint8Array,
    commits: number,
    each: number
  ) => number
  readonly readEach: (
    fd: number,
    offsets: Float64Array,
    count: number,
    out: Uint8Array,
    stride: number
  ) => number
  readonly copyLive: (
    source: number,
    target: number,
    offsets: Float64Array,
    lengths: Uint32Array,
    count: number,
    maxGap: number
  ) => Pointer
  readonly copyCount: (copied: Pointer) => number
  readonly copyBytes: (copied: Pointer) => number
  readonly copyReport: (
    copied: Pointer,
    virtuals: Float64Array,
    physicals: Float64Array,
    lengths: Uint32Array,
    sums: Uint32Array
  ) => void
  readonly copyFinish: (
    copied: Pointer,
    target: number,
    map: number,
    path: string,
    directory: number,
    epsilon: number
  ) => number
  readonly copyFree: (copied: Pointer) => void
  readonly pageMap: (path: string, bytes: number) => Pointer | null
  readonly pageUnmap: (base: Pointer, bytes: number) => void
  readonly pageSum32: (base: Pointer, addresses: Float64Array, count: number) => number
  readonly pageSum64: (base: Pointer, addresses: Float64Array, count: number) => number
  readonly pageReadSum32: (fd: number, addresses: Float64Array, count: number) => number
  readonly overlayMake: (bytes: number) => Pointer | null
  readonly overlayDrop: (base: Pointer, bytes: number) => void
  readonly overlayWrite: (...args: OverlayArguments) => void
  readonly overlayCheck: (...args: OverlayArguments) => number
  readonly overlayCopy: (from: Uint8Array, bytes: number, to: Uint8Array, piece: number) => void
}

const signatures: { readonly [Name in keyof Native]: string } = {
  crc32: "uint32_t bench_crc32(void *, size_t, uint32_t)",
  plainWrite: "int plain_write(str, void *, void *, double)",
  plainOpen: "void *plain_open(str, double)",
  plainTranslate: "void plain_translate(void *, void *, double, void *)",
  plainClose: "void plain_close(void *)",
  offmapBuild: "void *offmap_build(int, void *, void *, void *, double, double)",
  offmapDrop: "void offmap_drop(void *, double)",
  offmapStream: "int offmap_stream(int, void *, void *, void *, double, double)",
  appendRecords: "int append_records(int, void *, double)",
  commitRecords: "int commit_records(int, int, void *, double, double)",
  readEach: "int read_each(int, void *, double, void *, double)",
  copyLive: "void *copy_live(int, int, void *, void *, double, double)",
  copyCount: "double copy_count(void *)",
  copyBytes: "double copy_bytes(void *)",
  copyReport: "void copy_report(void *, void *, void *, void *, void *)",
  copyFinish: "int copy_finish(void *, int, int, str, int, double)",
  copyFree: "void copy_free(void *)",
  pageMap: "void *page_map(str, double)",
  pageUnmap: "void page_unmap(void *, double)",
  pageSum32: "double page_sum32(void *, void *, double)",
  pageSum64: "double page_sum64(void *, void *, double)",
  pageReadSum32: "double page_read_sum32(int, void *, double)",
  overlayMake: "void *overlay_make(double)",
  overlayDrop: "void overlay_drop(void *, double)",
  overlayWrite: "void overlay_write(void *, void *, double, void *, double)",
  overlayCheck: "double overlay_check(void *, void *, double, void *, double)",
  overlayCopy: "void overlay_copy(void *, double, void *, double)"
}

/** The top of the repository: compiled, this file is .bench/js/bench/native.js. */
export const repository = fileURLToPath(new URL("../../../", import.meta.url))
const library = path.join(repository, ".bench", "libbench.so")

/** Compiles bench/c. Gives what went wrong, or undefined. */
export const buildNative = (): string | undefined => {
  const directory = path.join(repository, "bench", "c")
  const sources = fs.readdirSync(directory).filter((name) => name.endsWith(".c"))
  fs.rmSync(library, { force: true })
  const compiled = spawnSync(
    "cc",
    ["-O2", "-shared", "-fPIC", "-o", library, ...sources.map((name) => path.join(directory, name)), "-lm"],
    { encoding: "utf8" }
  )
  if (compiled.error !== undefined) return `no C compiler (${compiled.error.message})`
  if (compiled.status !== 0) return `cc failed: ${compiled.stderr}`
  const native = loadNative()
  if (typeof native === "string") return native
  const fault = checksumFault(native)
  // A case's process takes the library for good when it is there.
  if (fault !== undefined) fs.rmSync(library)
  return fault
}

interface Koffi {
  readonly load: (path: string) => {
    readonly func: (signature: string) => (...values: Array<never>) => never
  }
}

/** The functions of the library that `buildNative` made, or why there are none. */
export const loadNative = (): Native | string => {
  if (!fs.existsSync(library)) return "the C side was not built"
  let koffi: Koffi
  try {
    koffi = createRequire(import.meta.url)("koffi") as Koffi
  } catch {
    return "koffi is not installed"
  }
  const loaded = koffi.load(library)
  const functions = Object.entries(signatures).map(([name, signature]) => [name, loaded.func(signature)])
  return Object.fromEntries(functions) as Native
}

const checksumFault = (native: Native): string | undefined => {
  const word = randomWords(3)
  const bytes = Uint8Array.from({ length: 70_000 }, () => word())
  for (const length of [0, 1, 15, 63, 64, 65, 127, 128, 1000, 4096, 65_536, 70_000]) {
    for (const seed of [0, 0x12345678]) {
      if (native.crc32(bytes, length, seed) !== zlibCrc32(bytes.subarray(0, length), seed)) {
        return `C's CRC-32 of ${length} bytes is not zlib's`
      }
    }
  }
  return undefined
}
