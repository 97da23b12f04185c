/**
 * Mapping through koffi, which calls the C library's own mmap and munmap.
 *
 * Reading an unmapped page kills the process, and a view can't be taken back on Node 20. So the end
 * of a mapping lays anonymous memory over the range: the file is let go of at once, and whoever
 * still looks sees zeros. The addresses themselves return to the system when the garbage collector
 * has found that nobody can look any more.
 */
import { createRequire } from "node:module"
import { beyondReach, type MappingProvider, nothingMapped } from "./mapping.ts"
import { SystemError } from "./systemErrors.ts"

interface Koffi {
  readonly load: (name: string) => { readonly func: (prototype: string) => unknown }
  readonly view: (pointer: bigint, length: number) => ArrayBuffer
  readonly errno: () => number
  readonly os: { readonly errno: Readonly<Record<string, number>> }
}

interface CLibrary {
  readonly mmap: (
    address: bigint | null,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number
  ) => bigint
  readonly munmap: (address: bigint, length: number) => number
  readonly getpagesize: () => number
}

const libraryNames = [
  "libc.so.6",
  "libc.so",
  "libc.musl-x86_64.so.1",
  "libc.musl-aarch64.so.1",
  "libSystem.dylib"
]

const PROT_READ = 1
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MAP_FIXED = 0x10
const MAP_FAILED = 2n ** 64n - 1n
const onApple = process.platform === "darwin"
const MAP_ANONYMOUS = onApple ? 0x1000 : 0x20
const MAP_NORESERVE = onApple ? 0x40 : 0x4000

/** On Node 20 a view above this aborts the process. */
const maxViewBytes = 2 ** 32

const loadLibrary = (koffi: Koffi): CLibrary => {
  const failures: Array<string> = []
  for (const name of libraryNames) {
    try {
      const library = koffi.load(name)
      return {
        mmap: library.func(
          "void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)"
        ) as CLibrary["mmap"],
        munmap: library.func("int munmap(void *address, size_t length)") as CLibrary["munmap"],
        getpagesize: library.func("int getpagesize()") as CLibrary["getpagesize"]
      }
    } catch (cause) {
      failures.push(cause instanceof Error ? cause.message : String(cause))
    }
  }
  throw new Error(`no C library was found: ${failures.join("; ")}`)
}

/** Loads koffi and the C library; throws where there is none. */
export const loadKoffiMapping = (): MappingProvider => {
  if (process.platform === "win32") throw new Error("there is no mmap on Windows")
  const koffi = createRequire(import.meta.url)("koffi") as Koffi
  const { mmap, munmap, getpagesize } = loadLibrary(koffi)
  const pageBytes = getpagesize()

  const failed = (syscall: string): SystemError => {
    const errno = koffi.errno()
    const name = Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0]
    return new SystemError(name ?? `errno ${errno}`, syscall)
  }

  const unmapping = new FinalizationRegistry<{ readonly address: bigint; readonly length: number }>(
    ({ address, length }) => void munmap(address, length)
  )

  return {
    name: "koffi",
    releasesAtOnce: true,
    map: (fd, offset, length) => {
      if (length === 0) return nothingMapped
      const slack = offset % pageBytes
      const mapped = slack + length
      if (mapped > maxViewBytes - pageBytes) {
        throw beyondReach("koffi", `maps less than 4 GiB at once, not ${length} bytes`)
      }
      const address = mmap(null, mapped, PROT_READ, MAP_SHARED, fd, offset - slack)
      if (address === MAP_FAILED) throw failed("mmap")
      let buffer: ArrayBuffer
      try {
        buffer = koffi.view(address, mapped)
      } catch (cause) {
        munmap(address, mapped)
        throw beyondReach("koffi", `can't view memory here (${String(cause)})`)
      }
      unmapping.register(buffer, { address, length: mapped })
      return {
        bytes: new Uint8Array(buffer, slack, length),
        release: () => {
          // The buffer is named here so that it lives until now: once the collector had it, the
          // addresses might be somebody else's. Should the call fail, the file stays mapped until then.
          if (buffer.byteLength > 0) {
            const flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
            mmap(address, mapped, PROT_READ, flags, -1, 0)
          }
        }
      }
    }
  }
}
