/**
 * The raw calls of one open file, by node:fs.
 *
 * They are made through the module object, each time: tests put failures there.
 */
import fs from "node:fs"
import { Unsupported } from "../bytes/errors.ts"
import type { Loaded, MappingProvider } from "./mapping.ts"
import { nativeExtensions } from "./nativeExtensions.ts"
import type { NativeExtensions } from "./nativeExtensions.ts"
import type { Done, RawFile } from "./raw.ts"

const puncher = (): NativeExtensions => {
  const extensions = nativeExtensions()
  if (extensions.available) return extensions.value
  throw new Unsupported({
    operation: "punchHole",
    reason: `fs-native-extensions can't be loaded (${extensions.reason}); reinstalling it may help`
  })
}

const counted =
  (done: Done) =>
  (failure: unknown, count: number): void =>
    done(failure ?? null, count)

const uncounted =
  (done: Done) =>
  (failure: unknown): void =>
    done(failure ?? null, 0)

/** The raw file behind a descriptor, which it owns from now on. */
export const nodeFile = (fd: number, mapping: () => Loaded<MappingProvider>): RawFile => ({
  read: (buffer, start, length, offset) => fs.readSync(fd, buffer, start, length, offset),
  write: (bytes, start, length, offset) => fs.writeSync(fd, bytes, start, length, offset),
  size: () => fs.fstatSync(fd).size,
  truncate: (size) => fs.ftruncateSync(fd, size),
  sync: () => fs.fsyncSync(fd), // as its caller says: everything written, before what comes next
  punch: (offset, length) => puncher().trimSync(fd, offset, length),
  close: () => fs.closeSync(fd),
  readLater: (buffer, start, length, offset, done) =>
    fs.read(fd, buffer, start, length, offset, counted(done)),
  writeLater: (bytes, start, length, offset, done) =>
    fs.write(fd, bytes, start, length, offset, counted(done)),
  truncateLater: (size, done) => fs.ftruncate(fd, size, uncounted(done)),
  syncLater: (done) => fs.fsync(fd, uncounted(done)), // as above
  punchLater: (offset, length, done) => {
    puncher()
      .trim(fd, offset, length)
      .then(() => done(null, 0), uncounted(done))
  },
  map: (offset, length) => {
    const provider = mapping()
    if (provider.available) return provider.value.map(fd, offset, length)
    throw new Unsupported({ operation: "map", reason: provider.reason })
  }
})
