/**
 * The typed reads of a page cache: their names, how many bytes they take, and what they make of them.
 */
import type { IntegerGetterName } from "../../file/pageCacheService.ts"

const orders = ["LE", "BE", "NE"] as const

/** The names of all typed reads. */
export const pageCacheIntegers: ReadonlyArray<IntegerGetterName> = [
  "getInt8",
  "getUint8",
  ...orders.flatMap((order) =>
    (["Int", "Uint"] as const).flatMap((sign) => [
      `get${sign}16${order}` as const,
      `get${sign}32${order}` as const,
      `get${sign}64${order}` as const,
      `getSafe${sign}64${order}` as const
    ])
  )
]

const machineIsLittle = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** How many bytes a typed read takes. */
export const pageCacheIntegerBytes = (name: IntegerGetterName): number =>
  name.includes("64") ? 8 : name.includes("32") ? 4 : name.includes("16") ? 2 : 1

/** What a typed read makes of its bytes; undefined where a safe form can't hold it. */
export const pageCacheInteger = (name: IntegerGetterName, bytes: Uint8Array): number | bigint | undefined => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const little = name.endsWith("LE") || (name.endsWith("NE") && machineIsLittle)
  const signed = name.includes("Int")
  switch (bytes.length) {
    case 1:
      return signed ? view.getInt8(0) : view.getUint8(0)
    case 2:
      return signed ? view.getInt16(0, little) : view.getUint16(0, little)
    case 4:
      return signed ? view.getInt32(0, little) : view.getUint32(0, little)
  }
  const value = signed ? view.getBigInt64(0, little) : view.getBigUint64(0, little)
  if (!name.includes("Safe")) return value
  return Number.isSafeInteger(Number(value)) ? Number(value) : undefined
}
