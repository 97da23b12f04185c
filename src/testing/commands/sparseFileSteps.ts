/**
 * What can be done to a sparse file, at random: extents of a source that are copied, bindings that are added by
 * hand, and reads.
 */
import type { Extent } from "../../bytes/extent.ts"
import { type Arbitrary, type FastCheck, oneOf } from "./fastCheck.ts"

/** How large things are: the length of the source, and of what is taken from it. */
export interface SparseFileScale {
  readonly sourceBytes: number
  readonly extentBytes: number
  readonly gapBytes: number
  readonly extents: number
}

/** Every constellation of extents comes up. */
export const smallSparseFiles: SparseFileScale = {
  sourceBytes: 600,
  extentBytes: 40,
  gapBytes: 50,
  extents: 8
}

export type SparseFileWritingStep =
  | { readonly step: "appendBytes"; readonly length: number }
  | { readonly step: "appendFrom"; readonly extent: Extent; readonly updateMap: boolean }
  | { readonly step: "mapAdd"; readonly virtual: number; readonly physical: number; readonly length: number }
  | { readonly step: "appendExtents"; readonly extents: ReadonlyArray<Extent>; readonly streamed: boolean }

export type SparseFileStep =
  | SparseFileWritingStep
  | { readonly step: "create"; readonly maxGap: number }
  | { readonly step: "promote" }
  | { readonly step: "read"; readonly offset: number; readonly length: number }

/** Extents that don't overlap, in some order, now and then with one that does, or one beyond the end. */
const extentLists = (fc: FastCheck, scale: SparseFileScale): Arbitrary<ReadonlyArray<Extent>> => {
  const gap = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: scale.gapBytes }))
  const length = fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: scale.extentBytes }))
  return fc
    .record({
      start: fc.integer({ min: 0, max: scale.sourceBytes }),
      steps: fc.array(fc.tuple(gap, length), { maxLength: scale.extents }),
      order: fc.constantFrom("ascending", "descending", "turned"),
      overlapped: fc.integer({ min: 0, max: 30 }),
      overlap: fc.integer({ min: 0, max: 3 }),
      beyond: fc.integer({ min: 0, max: 60 })
    })
    .map(({ beyond, order, overlap, overlapped, start, steps }) => {
      const extents: Array<Extent> = []
      let offset = start
      for (const [skipped, length] of steps) {
        offset += skipped
        if (offset + length > scale.sourceBytes && beyond !== 0) break
        extents.push({ offset, length })
        offset += length
      }
      if (overlapped < extents.length) {
        // The same once more, or its last few bytes and one behind them.
        const { length, offset } = extents[overlapped]
        const shared = Math.min(length, overlap)
        const end = Math.min(offset + length + 1, scale.sourceBytes)
        const from = overlap === 0 ? offset : offset + length - shared
        // What reaches beyond the end is one thing wrong already, and which of two is told first is nobody's law.
        const isBeyond = offset + length > scale.sourceBytes
        if (!isBeyond) extents.push({ offset: from, length: overlap === 0 ? length : end - from })
      }
      if (order === "descending") extents.reverse()
      if (order === "turned") extents.push(...extents.splice(0, extents.length >> 1))
      return extents
    })
}

export const sparseFileWritingSteps = (
  fc: FastCheck,
  scale: SparseFileScale
): Arbitrary<SparseFileWritingStep> => {
  const offset = fc.integer({ min: 0, max: scale.sourceBytes - 1 })
  const length = fc.integer({ min: 0, max: scale.extentBytes })
  return oneOf<SparseFileWritingStep>(
    fc,
    [1, fc.record({ step: fc.constant("appendBytes" as const), length })],
    [
      2,
      fc.record({ offset, length, updateMap: fc.boolean() }).map(({ length, offset, updateMap }) => {
        const within = Math.min(length, scale.sourceBytes - offset)
        return { step: "appendFrom" as const, extent: { offset, length: within }, updateMap }
      })
    ],
    [
      2,
      fc.record({
        step: fc.constant("mapAdd" as const),
        virtual: offset,
        physical: fc.integer({ min: 0, max: scale.extentBytes }),
        length: fc.oneof(fc.constant(0), length)
      })
    ],
    [
      3,
      fc.record({
        step: fc.constant("appendExtents" as const),
        extents: extentLists(fc, scale),
        streamed: fc.boolean()
      })
    ]
  )
}

/** What is read: short, or across several extents. */
export const sparseFileReads = (fc: FastCheck, scale: SparseFileScale): Arbitrary<Extent> =>
  fc.record({
    offset: fc.integer({ min: 0, max: scale.sourceBytes + 100 }),
    length: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: scale.extentBytes * 3 }))
  })

export const sparseFileSteps = (fc: FastCheck, scale: SparseFileScale): Arbitrary<SparseFileStep> =>
  oneOf<SparseFileStep>(
    fc,
    [8, sparseFileWritingSteps(fc, scale)],
    [3, fc.record({ step: fc.constant("promote" as const) })],
    [1, fc.record({ step: fc.constant("create" as const), maxGap: fc.constantFrom(0, 1, 32, 100) })],
    [6, sparseFileReads(fc, scale).map((extent) => ({ step: "read" as const, ...extent }))]
  )
