/**
 * Numbers as people read them. Programs get theirs as JSON, unrounded.
 */

const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"]

/** A whole number with its thousands apart: `1,234,567`. */
export const count = (value: number): string => value.toLocaleString("en-US")

/** `count(value)` and the noun it counts, in the plural where that is due. */
export const counted = (value: number, noun: string, plural = `${noun}s`): string =>
  `${count(value)} ${value === 1 ? noun : plural}`

/** Bytes in the largest unit that leaves a whole part: `12.3 MiB`; below 1 KiB exactly. */
export const size = (bytes: number): string => {
  if (bytes < 1024) return bytes === 1 ? "1 byte" : `${bytes} bytes`
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  const value = bytes / 2 ** (10 * power)
  // Just below the next unit the rounded value would have four digits.
  return value >= 1023.95 && power < units.length - 1
    ? `1.0 ${units[power + 1]}`
    : `${value.toFixed(value < 100 ? 1 : 0)} ${units[power]}`
}

/** `12.3 MiB (12,897,485 bytes)`. */
export const exactSize = (bytes: number): string =>
  bytes < 1024 ? size(bytes) : `${size(bytes)} (${count(bytes)} bytes)`

/** `part` of `whole` in percent: `29.7 %`. */
export const share = (part: number, whole: number): string =>
  `${whole === 0 ? "0.0" : ((100 * part) / whole).toFixed(1)} %`

/** What was saved of `whole` bytes; little or dense data can come out larger than it was. */
export const savings = (saved: number, whole: number): string =>
  saved < 0 ? `nothing, it takes ${size(-saved)} more` : `${exactSize(saved)}, ${share(saved, whole)}`

/** A time as long as it matters: `12 ms`, `3.4 s`, `2 min 05 s`. */
export const duration = (millis: number): string => {
  if (millis < 1000) return `${Math.round(millis)} ms`
  if (millis < 99_950) return `${(millis / 1000).toFixed(1)} s`
  const seconds = Math.round(millis / 1000)
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`
}

/** Rows of a name and a value, the values in one column. */
export const table = (rows: ReadonlyArray<readonly [name: string, value: string]>): ReadonlyArray<string> => {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd())
}

/** A text of unknown origin without what a terminal would obey. */
export const printable = (text: string): string => text.replace(/\p{Cc}/gu, "\ufffd")
