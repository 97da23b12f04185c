/**
 * lacuna's own sparse files as an engine: one after the other, in a directory of an Io.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { SparseFile } from "../../file/SparseFile.ts"
import type { SparseFileReaderService } from "../../file/SparseFileReader.ts"
import type { SparseFileWriterService } from "../../file/SparseFileWriter.ts"
import { Io, type IoFile, type IoService } from "../../io/Io.ts"
import type { SparseFileEngine, SparseFileReading, SparseFileWriting } from "./sparseFileEngine.ts"

/** A writer that takes from `source`, as far as it is one of a file under construction. */
export const sparseFileWriting = (
  writer: SparseFileWriterService,
  source: IoFile
): Omit<SparseFileWriting, "open"> => ({
  appendExtents: (extents, streamed) =>
    writer.appendExtents(source, streamed ? Stream.fromIterable(extents) : extents),
  appendBytes: (bytes) => writer.appendBytes(bytes),
  appendFrom: (extent, updateMap) => writer.appendFrom(source, { ...extent, updateMap }),
  mapAdd: ({ length, physical, virtual }) => writer.mapAdd(virtual, physical, length),
  currentOffset: () => writer.currentOffset(),
  entries: () => writer.offmap().entries(),
  promote: () => writer.close
})

const readingOf = (reader: SparseFileReaderService): SparseFileReading => ({
  read: (offset, length) =>
    Effect.suspend(() => {
      const buffer = new Uint8Array(length)
      return Effect.as(reader.read(offset, buffer), buffer)
    }),
  readRange: (offset, range) => reader.readRange(offset, range),
  nextValidOffset: (offset) => reader.nextValidOffset(offset),
  mapFind: (offset) => reader.mapFind(offset),
  extents: () => reader.extents()
})

/** Files in `directory`, which exists and has nothing named `sparse…` or `source…` in it. */
export const lacunaSparseFile = (io: IoService, directory: string): SparseFileEngine => {
  const base = directory.endsWith("/") ? directory : `${directory}/`
  let files = 0
  let scope = Scope.makeUnsafe()
  const within = <A>(effect: Effect.Effect<A, unknown, Io | Scope.Scope>) =>
    Effect.suspend(() => effect.pipe(Effect.provideService(Io, io), Scope.provide(scope)))
  return {
    create: ({ maxGap, source }) =>
      Effect.gen(function* () {
        yield* Scope.close(scope, Exit.void)
        scope = Scope.makeUnsafe()
        const path = `${base}sparse${files++}`
        const file = yield* within(io.create(`${base}source${files}`, { overwrite: false }))
        yield* file.writeAt(0, source)
        const writer = yield* within(SparseFile.create(path, { maxGap }))
        return {
          ...sparseFileWriting(writer, file),
          open: () => Effect.map(within(SparseFile.open(path)), readingOf)
        }
      })
  }
}
