/**
 * Opening a sparse file that lies elsewhere: its index is fetched, and what its two files say of each other
 * compared, before a byte is served.
 */
import * as Effect from "effect/Effect"
import { Corrupt, type SourceFailed } from "../bytes/errors.ts"
import { type BlockSumsHeader, blockSumsHeaderBytes, blockSumsTableBytes } from "../format/blockSums.ts"
import { attempt } from "../io/attempt.ts"
import { checkedSums, readBlockSumsHeader } from "./blockSumsReading.ts"
import { OffmapRemote } from "./offmapRemote.ts"
import { RemoteData } from "./remoteData.ts"
import { readRemote, readRemoteGrowing, type RemoteFile, remoteLength } from "./remoteFile.ts"
import { SparseRemote, type SparseRemoteReader } from "./sparseRemote.ts"

export interface SparseRemoteOptions {
  /** Fetch the sums of all data at opening, 4 bytes for every 64 KiB, and verify every block that is read (default false). */
  readonly verifyReads?: boolean | undefined
}

export type SparseRemoteOpenError<E> = E | Corrupt | SourceFailed

/** A file and what errors call it. */
interface NamedFile<E> {
  readonly file: RemoteFile<E>
  readonly name: string
}

/**
 * Opens the sparse file whose two files are behind `data` and `map`: `ByteSource`s, say, or `SparseIo`s, which
 * keep what they fetched. `Corrupt` when the map is damaged, or the data has another length than the
 * map says. Nothing has to be closed.
 */
export const openSparseRemote: <E1, E2>(
  data: RemoteFile<E1>,
  map: RemoteFile<E2>,
  options?: SparseRemoteOptions
) => Effect.Effect<SparseRemoteReader<E1 | E2>, SparseRemoteOpenError<E1 | E2>> = Effect.fn(
  "SparseFile.openRemote"
)(function* <E1, E2>(
  dataFile: RemoteFile<E1>,
  mapFile: RemoteFile<E2>,
  { verifyReads = false }: SparseRemoteOptions = {}
): Effect.fn.Return<SparseRemoteReader<E1 | E2>, SparseRemoteOpenError<E1 | E2>> {
  const map = { file: mapFile, name: mapFile.name ?? "the remote map" }
  const data = { file: dataFile, name: dataFile.name ?? "the remote data" }
  const mapBytes = yield* remoteLength(map.file, map.name)
  const offmap = yield* OffmapRemote.open<E1 | E2>(map.file, { name: map.name, fileBytes: mapBytes })
  const { imageBytes } = offmap.map
  const header = yield* readBlockSumsHeader(summed(map, mapBytes), imageBytes, mapBytes)
  const length = yield* remoteLength(data.file, data.name)
  if (length !== header.dataLength) {
    const reason = `the file has ${length} bytes, and its map was written for ${header.dataLength}`
    return yield* new Corrupt({ path: data.name, offset: Math.min(length, header.dataLength), reason })
  }
  const sums = verifyReads ? yield* fetchSums(map, imageBytes, header) : undefined
  return new SparseRemote<E1 | E2>({ data: new RemoteData({ ...data, length, sums }), map: offmap, mapBytes })
})

/** A file as the reading of sums wants it. */
const summed = <E>({ file, name }: NamedFile<E>, fileBytes: number) => ({
  path: name,
  readSomeAt: (offset: number, buffer: Uint8Array) => {
    const part = buffer.subarray(0, Math.max(0, Math.min(buffer.length, fileBytes - offset)))
    return Effect.as(readRemote(file, { name, offset, buffer: part }), part.length)
  }
})

/** All sums of the data. */
const fetchSums = <E>({ file, name }: NamedFile<E>, offset: number, header: BlockSumsHeader) => {
  const table = { name, offset: offset + blockSumsHeaderBytes, length: blockSumsTableBytes(header.blocks) }
  return Effect.flatMap(readRemoteGrowing(file, table), (bytes) =>
    attempt<Uint32Array, Corrupt>(() => checkedSums(bytes, header, { path: name, offset }))
  )
}
