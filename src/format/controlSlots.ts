/**
 * The two slots of the control file, and which of them counts.
 *
 * The newest whole record is the state of the store. A slot that is torn is what a crash in the
 * midst of a write leaves, and the other slot has the state before it: it counts. Nothing else is
 * passed over.
 *
 * Pure: this module checks bytes, and does no I/O.
 */
import { Corrupt } from "../bytes/errors.ts"
import {
  controlFileBytes,
  type ControlRecord,
  controlSlotBytes,
  type ControlSlot,
  decodeControlSlot,
  encodeControlRecord
} from "./controlRecord.ts"

export interface ControlState {
  /** The newest whole record. */
  readonly record: ControlRecord
  /** The slot it was found in. */
  readonly slot: 0 | 1
  /** Whether the other slot holds a whole record, too: the same, or an older one. */
  readonly slotsWhole: boolean
  /** What is wrong with the other slot, unless that is whole. */
  readonly damage: Corrupt | undefined
}

/** The slot that a record of this sequence goes to. */
export const slotOf = (sequence: number): 0 | 1 => (sequence % 2 === 0 ? 0 : 1)

/** The file offset of a slot. */
export const slotOffset = (slot: 0 | 1): number => slot * controlSlotBytes

/**
 * The state that the bytes of a control file hold. Throws `Corrupt` when the file has another size
 * than it always has, when neither slot is whole, and when one holds a record that can't be read or
 * contradicts the other.
 */
export const decodeControlSlots = (bytes: Uint8Array, path: string): ControlState => {
  if (bytes.length !== controlFileBytes) {
    const reason = `control has ${controlFileBytes} bytes always, and this is not its end`
    throw new Corrupt({ path, offset: Math.min(bytes.length, controlFileBytes), reason })
  }
  const first = decodeSlot(bytes, 0, path)
  const second = decodeSlot(bytes, 1, path)
  if (first.state === "whole") {
    if (second.state !== "whole") return chosen(first.record, 0, second.damage)
    return newer(first.record, second.record, path)
  }
  if (second.state === "whole") return chosen(second.record, 1, first.damage)
  const { offset, reason } = second.damage
  throw new Corrupt({
    path,
    offset: first.damage.offset,
    reason: `neither slot holds a record. The first: ${first.damage.reason}. The second, at ${offset}: ${reason}`
  })
}

const decodeSlot = (bytes: Uint8Array, slot: 0 | 1, path: string): ControlSlot => {
  const offset = slotOffset(slot)
  return decodeControlSlot(bytes.subarray(offset, offset + controlSlotBytes), { path, offset })
}

const newer = (first: ControlRecord, second: ControlRecord, path: string): ControlState => {
  if (second.sequence !== first.sequence) {
    return second.sequence > first.sequence ? chosen(second, 1) : chosen(first, 0)
  }
  const [one, other] = [encodeControlRecord(first), encodeControlRecord(second)]
  if (one.length === other.length && one.every((byte, i) => byte === other[i])) return chosen(first, 0)
  const reason = `the slots hold two different records of sequence ${first.sequence}: this was copied in pieces`
  throw new Corrupt({ path, offset: controlSlotBytes, reason })
}

const chosen = (record: ControlRecord, slot: 0 | 1, damage?: Corrupt): ControlState => ({
  record,
  slot,
  slotsWhole: damage === undefined,
  damage
})
