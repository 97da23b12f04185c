/**
 * What a store tells about itself, from memory.
 */
import { controlChunks } from "../format/controlRecord.ts"
import { diskBytes } from "./generation.ts"
import type { StoreRecovery, StoreStats } from "./storeService.ts"
import type { StoreState } from "./storeState.ts"

export const storeStats = (state: StoreState, recovery: StoreRecovery | undefined): StoreStats => {
  state.checkOpen("stats")
  const { committedEnd, directory, end, prefix, readonly, record, suffixStart } = state
  return {
    directory,
    readonly,
    generation: record.generation,
    sequence: record.sequence,
    end,
    committedEnd,
    suffixStart,
    prefix:
      prefix === undefined
        ? undefined
        : {
            extents: prefix.reader.offmap.size,
            dataBytes: record.prefixDataBytes,
            mapBytes: record.prefixMapBytes
          },
    chunks: controlChunks(record),
    diskBytes: diskBytes(record),
    recovery
  }
}
