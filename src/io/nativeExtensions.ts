/**
 * What Node lacks: locks that die with their holder, and hole punching, by fs-native-extensions.
 *
 * It is loaded when first needed, so that a machine without a build of it can still read.
 */
import { createRequire } from "node:module"
import { type Loaded, loadOnce } from "./mapping.ts"

export interface NativeExtensions {
  /** An exclusive lock on the whole open file description (OFD); false if somebody has one. */
  readonly tryLock: (fd: number) => boolean
  readonly trimSync: (fd: number, offset: number, length: number) => void
  readonly trim: (fd: number, offset: number, length: number) => Promise<void>
}

export const nativeExtensions: () => Loaded<NativeExtensions> = loadOnce(
  () => createRequire(import.meta.url)("fs-native-extensions") as NativeExtensions
)
