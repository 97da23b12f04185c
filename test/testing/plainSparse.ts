/** A sparse file as a stranger might write it: extents in memory, and nothing that is optional; and what may be wrong. */
import type { Extent } from "../../src/bytes/extent.ts"
import type { SparseFileEngine } from "../../src/testing/index.ts"

export const sparseDefects = {
  "a gap that isn't copied though it is fused": "gap",
  "extents that are copied in the order given": "order",
  "overlaps that are taken": "overlap",
  "a hole that reads as zeros": "hole",
  "a run that ends where an extent does": "run",
  "a last byte that is lost": "last",
  "the wrong reason": "reason",
  "a promotion after a failure": "poison"
} as const

export type SparseDefect = (typeof sparseDefects)[keyof typeof sparseDefects]

const refuse = (_tag: string, more: object = {}): never => {
  throw Object.assign(new Error(_tag), { _tag, ...more })
}

interface Piece {
  readonly offset: number
  readonly bytes: Uint8Array
}

export const plainSparse = (defect?: SparseDefect): SparseFileEngine => ({
  create: ({ maxGap, source }) => {
    const pieces: Array<Piece> = []
    let isPoisoned = false
    const endOf = ({ bytes, offset }: Piece): number => offset + bytes.length
    const overlaps = ({ length, offset }: Extent): boolean =>
      pieces.some((piece) => offset < endOf(piece) && piece.offset < offset + length)
    return {
      appendExtents: (extents) => {
        if (isPoisoned) refuse("Poisoned")
        const given = extents.filter(({ length }) => length > 0)
        const sorted = [...given].sort((a, b) => a.offset - b.offset)
        let end = 0
        for (const extent of sorted) {
          if (defect !== "overlap" && (extent.offset < end || overlaps(extent))) refuse("InvalidArgument")
          end = extent.offset + extent.length
          if (end > source.length) {
            isPoisoned = true
            refuse("ReadOutOfBounds", { end: source.length })
          }
        }
        const fused: Array<{ offset: number; end: number }> = []
        for (const { length, offset } of defect === "order" ? given : sorted) {
          const last = fused[fused.length - 1]
          const gap = last === undefined ? Infinity : offset - last.end
          const fuses = gap >= 0 && gap <= maxGap && !overlaps({ offset: last?.end ?? 0, length: gap })
          if (fuses && last !== undefined) last.end = offset + length
          else fused.push({ offset, end: offset + length })
        }
        for (const { end, offset } of fused) {
          const bytes = source.slice(offset, defect === "last" && end - offset > 30 ? end - 1 : end)
          if (defect === "gap" && fused.length === 1 && given.length > 1 && given[0].offset === offset) {
            bytes.fill(0, given[0].length, given[0].length + 1)
          }
          pieces.push({ offset, bytes })
        }
      },
      promote: () => {
        if (isPoisoned && defect !== "poison") refuse("Poisoned")
        if (defect !== "order") pieces.sort((a, b) => a.offset - b.offset)
      },
      open: () => ({
        read: (offset, length) => {
          if (length === 0) return new Uint8Array(0)
          const found: Array<number> = []
          for (let at = offset; at < offset + length; at++) {
            const piece = pieces.find((one) => one.offset <= at && at < endOf(one))
            if (piece === undefined) break
            if (defect === "run" && at > offset && piece.offset === at) break
            found.push(piece.bytes[at - piece.offset])
          }
          if (found.length === length) return Uint8Array.from(found)
          if (found.length > 0) refuse("ReadOutOfBounds", { end: offset + found.length })
          const isAfter = pieces.every((one) => endOf(one) <= offset)
          const isBefore = pieces.every((one) => one.offset > offset) && defect !== "reason"
          if (defect === "hole" && !isAfter && !isBefore) return new Uint8Array(length)
          return refuse("InvalidSparseRead", { reason: isAfter ? "after" : isBefore ? "before" : "hole" })
        },
        extents: () => pieces.map(({ bytes, offset }) => ({ offset, length: bytes.length }))
      })
    }
  }
})
