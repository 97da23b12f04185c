/** Images of offmaps in memory, and ways of damaging them that no checksum tells. */
import * as Effect from "effect/Effect"
import { crc32 } from "../../src/bytes/crc32.ts"
import { Unsupported } from "../../src/bytes/errors.ts"
import type { Binding } from "../../src/bytes/extent.ts"
import { Offmap, type OffmapService } from "../../src/file/Offmap.ts"
import { offmapHeaderBytes, offmapLayout, pageBytes } from "../../src/format/offmapImage.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"

export const mapOf = (bindings: Iterable<Binding>) => {
  const builder = Offmap.builder()
  for (const { length, physical, virtual } of bindings) builder.add(virtual, physical, length)
  return builder.build()
}

/** The bytes that `Offmap.write` writes. */
export const imageOf = (map: OffmapService): Uint8Array =>
  Effect.gen(function* () {
    const file = yield* (yield* Io).create("/image", { overwrite: true })
    const bytes = new Uint8Array(yield* Offmap.write(map, file, 0))
    yield* file.readAt(0, bytes)
    return bytes
  }).pipe(Effect.scoped, Effect.provide(IoMemory.layer), Effect.runSync)

/** The same files, of which none can be mapped; `onRead` is told of the bytes that are read. */
export const withoutMapping = (io: IoService, onRead: (bytes: number) => void = () => {}): IoService => ({
  ...io,
  open: (path, options) =>
    Effect.map(io.open(path, options), (file) => ({
      ...file,
      map: () => Effect.fail(new Unsupported({ operation: "map", reason: "this test reads" })),
      readAt: (offset, buffer) => {
        onRead(buffer.length)
        return file.readAt(offset, buffer)
      },
      readSomeAt: (offset, buffer) => {
        onRead(buffer.length)
        return file.readSomeAt(offset, buffer)
      },
      unsafe: {
        ...file.unsafe,
        readAt: (offset, buffer) => {
          onRead(buffer.length)
          file.unsafe.readAt(offset, buffer)
        }
      }
    }))
})

/** Where the parts of an image begin, as its header tells. */
export const layoutOf = (image: Uint8Array) => {
  const view = new DataView(image.buffer, image.byteOffset)
  const count = (at: number) => Number(view.getBigUint64(at, true))
  return offmapLayout({ cells: count(32), segments: count(40), buckets: count(48) })
}

/** Makes the header's checksum right, whatever the header says. */
export const sealHeader = (image: Uint8Array): void => {
  const view = new DataView(image.buffer, image.byteOffset)
  const summed = offmapHeaderBytes - 4
  view.setUint32(summed, crc32(image.subarray(0, summed)), true)
}

/** Makes all checksums right, whatever they cover. */
export const sealAll = (image: Uint8Array): void => {
  const view = new DataView(image.buffer, image.byteOffset)
  const { cells, imageBytes, pages, pageSums } = layoutOf(image)
  for (let page = 0; page < pages; page++) {
    const from = cells + page * pageBytes
    view.setUint32(
      pageSums + page * 4,
      crc32(image.subarray(from, Math.min(from + pageBytes, pageSums))),
      true
    )
  }
  view.setUint32(76, crc32(image.subarray(pageSums, imageBytes)), true)
  sealHeader(image)
}

/** Bindings that take one cell of each kind, in the order of their numbers but for points. */
export const oneCellOfEachKind = (): Array<Binding> => {
  const bindings: Array<Binding> = []
  const add = (virtual: number, physical: number, length: number) =>
    bindings.push({ virtual, physical, length })
  for (let i = 0; i < 8; i++) add(1000 + i * 100, 50 + i * 10, 10)
  for (let i = 0; i < 6; i++) add(10_000 + i * 30_000, 500_000 + i * 20_000, 20_000)
  for (let i = 0; i < 6; i++) add(1_000_000 + i * 10, 2 ** 33 + ((i * 5) % 6) * 2 ** 29, 0)
  for (let i = 0; i < 4; i++) add(2_000_000 + i * 500, 2 ** 34 + ((i * 3) % 4) * 2 ** 30, i === 2 ? 0 : 400)
  for (let i = 0; i < 3; i++) add(3_000_000 + i * 500, 2 ** 52 - i * 2 ** 50, 300)
  add(2 ** 40, 7, 2 ** 33)
  add(2 ** 53 - 1, 2 ** 53 - 1, 0)
  return bindings
}
