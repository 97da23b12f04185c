/**
 * CRC-32 (the IEEE polynomial of zlib, PNG and Ethernet), as Node's own zlib computes it.
 *
 * The one place outside io/ and cli/ that imports a Node module: the built-in runs at several
 * gigabytes a second, where a table in JavaScript reaches one.
 */
import { crc32 as zlibCrc32 } from "node:zlib"

/** The CRC-32 of `bytes`, continued from `seed` (0 to begin with), as an unsigned 32-bit integer. */
export const crc32 = (bytes: Uint8Array, seed = 0): number => zlibCrc32(bytes, seed)
