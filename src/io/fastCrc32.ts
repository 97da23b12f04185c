/**
 * A faster CRC-32 than Node's, by @node-rs/crc32: carry-less multiplication in a prebuilt extension.
 *
 * It is optional: without it, or where it should disagree with zlib, zlib computes every checksum,
 * with the same results.
 */
import { createRequire } from "node:module"
import { computeCrc32By, type Crc32 } from "../bytes/crc32.ts"
import { type Loaded, loadOnce } from "./mapping.ts"

export const fastCrc32: () => Loaded<Crc32> = loadOnce(() => {
  const { crc32 } = createRequire(import.meta.url)("@node-rs/crc32") as { readonly crc32: Crc32 }
  if (!computeCrc32By(crc32)) throw new Error("it computes other checksums than zlib")
  return crc32
})
