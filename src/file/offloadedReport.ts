/**
 * What an offloaded file consists of, as it is told: neighbours that could be one extent are one, over
 * the borders of entries and leaves, wherever their bytes lie in memory.
 */
import { advance, type Content, isBacking, isMemory, repeatedValue } from "./offloadedContent.ts"
import type { OffloadedExtents } from "./offloadedExtents.ts"
import type { OffloadedExtent } from "./offloadedFileService.ts"

/** Ascending, contiguous, none empty. */
export const reportExtents = (extents: OffloadedExtents): ReadonlyArray<OffloadedExtent> => {
  const report: Array<OffloadedExtent> = []
  let content: Content = 0
  let start = 0
  let end = 0
  const close = (): void => {
    if (end > start) report.push(described(content, start, end - start))
  }
  extents.forEachPart(0, extents.length, (next, from, to) => {
    const same = isMemory(next) ? isMemory(content) : advance(content, from - start) === next
    if (!same || end === 0) {
      close()
      start = from
      content = next
    }
    end = to
  })
  close()
  return report
}

const described = (content: Content, offset: number, length: number): OffloadedExtent =>
  isMemory(content)
    ? { kind: "memory", offset, length }
    : isBacking(content)
      ? { kind: "backing", offset, length, backingOffset: content }
      : { kind: "repeat", offset, length, value: repeatedValue(content) }
