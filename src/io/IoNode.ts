/**
 * Io by node:fs, with what optional packages add: memory mapping, locks, hole punching, and faster
 * checksums.
 *
 * Nothing optional is loaded before it is needed, which for checksums is when a layer is built. The semantics of open files and the tags of
 * failures are in openFile.ts and service.ts; here the platform is put together.
 */
import fs from "node:fs"
import * as Layer from "effect/Layer"
import { fastCrc32 } from "./fastCrc32.ts"
import { Io } from "./Io.ts"
import { type Loaded, loadOnce, type MappingProvider } from "./mapping.ts"
import { loadKoffiMapping } from "./mappingKoffi.ts"
import { loadMmapIoMapping } from "./mappingMmapIo.ts"
import { nativeExtensions } from "./nativeExtensions.ts"
import { nodeFile } from "./nodeFile.ts"
import { lockPath } from "./nodeLock.ts"
import * as paths from "./nodePaths.ts"
import type { RawSystem } from "./raw.ts"
import { makeIo } from "./service.ts"

export interface IoNodeOptions {
  /** Which package maps files; `"auto"` (the default) takes koffi, then mmap-io, then none. */
  readonly mapping?: "auto" | "koffi" | "mmap-io" | "off"
  /**
   * False makes `lock` succeed and do nothing: for a machine where fs-native-extensions can't be
   * loaded, and only where nobody else can write.
   */
  readonly lock?: boolean
}

/** What an optional package is for, and whether it is at work. */
export interface IoProvider {
  readonly name: "koffi" | "mmap-io" | "fs-native-extensions" | "@node-rs/crc32"
  readonly serves: "mapping" | "locks and hole punching" | "faster checksums"
  readonly available: boolean
  /** Why it can't be loaded. */
  readonly reason?: string
}

const koffi = loadOnce(loadKoffiMapping)
const mmapIo = loadOnce(loadMmapIoMapping)

const mappingFor = (wanted: NonNullable<IoNodeOptions["mapping"]>): Loaded<MappingProvider> => {
  switch (wanted) {
    case "koffi":
      return koffi()
    case "mmap-io":
      return mmapIo()
    case "off":
      return { available: false, reason: "mapping is off" }
    case "auto": {
      const first = koffi()
      if (first.available) return first
      const second = mmapIo()
      if (second.available) return second
      return { available: false, reason: `koffi: ${first.reason}; mmap-io: ${second.reason}` }
    }
  }
}

const makeSystem = (options: IoNodeOptions): RawSystem => {
  const mapping = options.mapping ?? "auto"
  const wrap = (fd: number) => nodeFile(fd, () => mappingFor(mapping))
  return {
    createNew: (path) => paths.createNew(path, wrap),
    openExisting: (path, readonly) => paths.openExisting(path, readonly, wrap),
    sizeOf: paths.sizeOf,
    classify: paths.classify,
    // Sorted by code units: the same everywhere, whatever the locale.
    list: (directory) => fs.readdirSync(directory).sort(),
    makeDirectory: (path) => fs.mkdirSync(path),
    rename: (from, to) => fs.renameSync(from, to),
    removeLater: paths.removeLater,
    syncDirectoryLater: paths.syncDirectoryLater,
    lock: options.lock === false ? () => () => {} : lockPath
  }
}

const report = (
  name: IoProvider["name"],
  serves: IoProvider["serves"],
  loaded: Loaded<unknown>
): IoProvider =>
  loaded.available
    ? { name, serves, available: true }
    : { name, serves, available: false, reason: loaded.reason }

const layerWith = (options: IoNodeOptions): Layer.Layer<Io> =>
  Layer.sync(Io, () => {
    fastCrc32()
    return Io.of(makeIo(makeSystem(options)))
  })

/** Io by node:fs. */
export const IoNode: {
  /** With whichever mapping there is, and with locks. */
  readonly layer: Layer.Layer<Io>
  readonly layerWith: (options: IoNodeOptions) => Layer.Layer<Io>
  /** Loads every optional package and tells what came of it, the preferred one for mapping first. */
  readonly providers: () => ReadonlyArray<IoProvider>
} = {
  layer: layerWith({}),
  layerWith,
  providers: () => [
    report("koffi", "mapping", koffi()),
    report("mmap-io", "mapping", mmapIo()),
    report("fs-native-extensions", "locks and hole punching", nativeExtensions()),
    report("@node-rs/crc32", "faster checksums", fastCrc32())
  ]
}
