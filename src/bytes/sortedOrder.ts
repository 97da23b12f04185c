/**
 * The order that sorts offsets: a least-significant-digit radix sort over their 53 bits.
 *
 * Keys that ascend or descend already are noticed and cost one pass. Otherwise digits that all keys
 * share are skipped. A comparator on an index array takes five times as long.
 */

const digitBits = 11
const digits = 5 // 5 × 11 bits cover 2^53 - 1

/** The indices `0..keys.length-1` in the order in which they visit `keys` ascending; equal keys keep theirs. */
export const sortedOrder = (keys: Float64Array): Uint32Array => {
  const order = new Uint32Array(keys.length)
  const direction = runDirection(keys)
  for (let i = 0; i < order.length; i++) order[i] = direction === "down" ? order.length - 1 - i : i
  return direction === "none" ? radixSort(keys, order) : order
}

const runDirection = (keys: Float64Array): "up" | "down" | "none" => {
  let up = true
  let down = true
  for (let i = 1; i < keys.length && (up || down); i++) {
    if (keys[i] < keys[i - 1]) up = false
    if (keys[i] >= keys[i - 1]) down = false
  }
  return up ? "up" : down ? "down" : "none"
}

const radixSort = (keys: Float64Array, order: Uint32Array): Uint32Array => {
  let from: Uint32Array = order
  let to: Uint32Array = new Uint32Array(order.length)
  const counts = new Uint32Array(1 << digitBits)
  for (let digit = 0; digit < digits; digit++) {
    const scale = 2 ** (-digitBits * digit)
    counts.fill(0)
    for (let i = 0; i < keys.length; i++) counts[digitOf(keys[i], scale)]++
    if (counts[digitOf(keys[0], scale)] === keys.length) continue
    let total = 0
    for (let value = 0; value < counts.length; value++) {
      const count = counts[value]
      counts[value] = total
      total += count
    }
    for (let i = 0; i < from.length; i++) to[counts[digitOf(keys[from[i]], scale)]++] = from[i]
    const done = to
    to = from
    from = done
  }
  return from
}

const digitOf = (key: number, scale: number): number => {
  // Scaling by a power of two is exact; the remainder of the whole part fits an integer.
  const whole = Math.floor(key * scale)
  return whole - Math.floor(whole / (1 << digitBits)) * (1 << digitBits)
}
