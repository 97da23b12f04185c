/**
 * The laws of the control record: what was encoded is decoded, whatever lies behind it in its slot,
 * and any change of its bytes is noticed.
 */
import * as fc from "fast-check"
import { expect, it } from "vitest"
import {
  controlChunks,
  controlEnd,
  controlSlotBytes,
  decodeControlRecord,
  decodeControlSlot,
  encodeControlRecord
} from "../src/format/controlRecord.ts"
import { someControlRecord } from "./controlRecords.ts"
import { runProperty } from "./runs.ts"

const place = { path: "/store.control", offset: controlSlotBytes }

it("a record is decoded as it was encoded, over whatever was in its slot before", async () => {
  await runProperty(
    fc.property(someControlRecord, fc.nat({ max: 255 }), (record, stale) => {
      const bytes = encodeControlRecord(record)
      expect(bytes.length % 8).toBe(0)
      expect(decodeControlRecord(bytes, place)).toEqual(record)
      const slot = new Uint8Array(controlSlotBytes).fill(stale)
      slot.set(bytes)
      expect(decodeControlRecord(slot, place)).toEqual(record)
    }),
    { runs: 1000 }
  )
})

it("the chunks of a record follow one another from its first to its end", async () => {
  await runProperty(
    fc.property(someControlRecord, (record) => {
      const chunks = controlChunks(record)
      let end = record.firstChunkOffset
      for (const [i, chunk] of chunks.entries()) {
        const sealed = i < chunks.length - 1
        const length = record.chunkLengths[i]
        expect(chunk).toEqual({ number: record.firstChunk + i, offset: end, length, sealed })
        end += length
      }
      expect(controlEnd(record)).toBe(end)
    }),
    { runs: 3000 }
  )
})

it("a record that is torn over another one is torn, or one of the two", async () => {
  await runProperty(
    fc.property(
      someControlRecord,
      someControlRecord,
      fc.array(fc.boolean(), { maxLength: 60 }),
      (a, b, torn) => {
        const slot = new Uint8Array(512)
        const [older, newer] = [encodeControlRecord(a), encodeControlRecord(b)]
        slot.set(older)
        for (let at = 0; at < newer.length; at += 8) {
          if (torn[at / 8] !== true) slot.set(newer.subarray(at, at + 8), at)
        }
        const found = decodeControlSlot(slot, place)
        if (found.state === "whole") expect([a, b]).toContainEqual(found.record)
        else expect(found.state).toBe("torn")
      }
    ),
    { runs: 10_000 }
  )
})
