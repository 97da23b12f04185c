/**
 * CRC-32 (the IEEE polynomial of zlib, PNG and Ethernet).
 *
 * Node's own zlib computes it, at 5 GB/s; this is the one place outside io/ and cli/ that imports a
 * Node module. Where carry-less multiplication is to be had it runs at several times that: whoever
 * can load native code hands it in, and it takes zlib's place once it has agreed with it.
 */
import { crc32 as zlibCrc32 } from "node:zlib"

/** The CRC-32 of bytes, continued from a seed (0 to begin with), as an unsigned 32-bit integer. */
export type Crc32 = (bytes: Uint8Array, seed: number) => number

let compute: Crc32 = zlibCrc32

/** The CRC-32 of `bytes`, continued from `seed` (0 to begin with), as an unsigned 32-bit integer. */
export const crc32 = (bytes: Uint8Array, seed = 0): number => compute(bytes, seed)

/** Lets `faster` compute from now on. False, with nothing changed, unless it agrees with zlib. */
export const computeCrc32By = (faster: Crc32): boolean => {
  const agrees = sampleLengths.every((length) => {
    const sample = Uint8Array.from({ length: length + 1 }, (_, i) => (i * 151 + (i >> 3)) & 0xff).subarray(1)
    return seeds.every((seed) => faster(sample, seed) === zlibCrc32(sample, seed))
  })
  if (agrees) compute = faster
  return agrees
}

/** Around the sizes at which implementations change their ways, each at an odd address. */
const sampleLengths = [0, 1, 7, 15, 16, 63, 64, 65, 127, 128, 129, 255, 256, 1024, 4099, 65_536]
const seeds = [0, 1, 0x80000000, 0xffffffff]
