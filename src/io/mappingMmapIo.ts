/**
 * Mapping through mmap-io.
 *
 * It holds sizes and offsets in 32 bits and returns wrong bytes, silently, beyond; so it is never
 * asked for them. It unmaps only when the garbage collector comes by: at the end of its scope a view
 * keeps showing the file, and the space of a removed file is kept, until then.
 */
import { createRequire } from "node:module"
import { beyondReach, type MappingProvider, nothingMapped } from "./mapping.ts"

interface MmapIo {
  readonly PROT_READ: number
  readonly MAP_SHARED: number
  readonly MADV_NORMAL: number
  readonly PAGESIZE: number
  readonly map: (
    size: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
    advise: number
  ) => Buffer
}

const endLimit = 2 ** 31 - 4096

/** Loads mmap-io; throws where it wasn't built. */
export const loadMmapIoMapping = (): MappingProvider => {
  const mmapIo = createRequire(import.meta.url)("mmap-io") as MmapIo
  const { MADV_NORMAL, MAP_SHARED, PAGESIZE, PROT_READ } = mmapIo
  return {
    name: "mmap-io",
    releasesAtOnce: false,
    map: (fd, offset, length) => {
      if (length === 0) return nothingMapped
      if (offset + length > endLimit) {
        throw beyondReach(
          "mmap-io",
          `maps only what lies below ${endLimit}, not ${length} bytes at ${offset}`
        )
      }
      const slack = offset % PAGESIZE
      const whole = mmapIo.map(slack + length, PROT_READ, MAP_SHARED, fd, offset - slack, MADV_NORMAL)
      const bytes = new Uint8Array(whole.buffer, whole.byteOffset + slack, length)
      return { bytes, release: () => {} }
    }
  }
}
