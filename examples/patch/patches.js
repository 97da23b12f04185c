/**
 * Random patches, and what a file must be after them: the plain way, with which the other is compared.
 *
 * The same numbers make the same patches each time. Patches may overlap; the later one counts.
 */

/** @typedef {{ readonly offset: number, readonly bytes: Uint8Array }} Patch */

/**
 * @typedef {object} Patches
 * @property {ReadonlyArray<Patch>} list in the order of writing
 * @property {number} bytes altogether
 * @property {ReadonlyMap<number, ReadonlyArray<Patch>>} byPart those that touch a part of the file, by its number, in the order of writing
 */

const patchBytesMost = 64
/** So that the patches of a piece are found without looking at all of them. */
const partBytes = 1 << 16

/** Numbers from 0 to 2^32-1 (xorshift32). */
const randomNumbers = (/** @type {number} */ seed) => {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

/**
 * `count` patches of 1 to 64 bytes in a file of `fileBytes`, none beyond its end.
 * @param {{ readonly count: number, readonly fileBytes: number }} options
 * @returns {Patches}
 */
export const makePatches = ({ count, fileBytes }) => {
  const next = randomNumbers(20_231)
  /** @type {Array<Patch>} */
  const list = []
  /** @type {Map<number, Array<Patch>>} */
  const byPart = new Map()
  let bytes = 0
  for (let i = 0; i < count; i++) {
    const length = Math.min(1 + (next() % patchBytesMost), fileBytes)
    const offset = Math.floor((next() / 2 ** 32) * (fileBytes - length + 1))
    const patch = { offset, bytes: Uint8Array.from({ length }, next) }
    list.push(patch)
    bytes += length
    const last = Math.floor((offset + length - 1) / partBytes)
    for (let part = Math.floor(offset / partBytes); part <= last; part++) {
      const others = byPart.get(part)
      if (others === undefined) byPart.set(part, [patch])
      else others.push(patch)
    }
  }
  return { list, bytes, byPart }
}

/**
 * Puts into `piece`, which lies at `start` in the file, what the patches change of it.
 * @param {Uint8Array} piece
 * @param {number} start
 * @param {Patches} patches
 */
export const patched = (piece, start, { byPart }) => {
  const end = start + piece.length
  for (let part = Math.floor(start / partBytes); part * partBytes < end; part++) {
    // A patch that lies in two parts is put in twice, each time among its neighbours of that part.
    const [from, to] = [Math.max(start, part * partBytes), Math.min(end, (part + 1) * partBytes)]
    for (const { bytes, offset } of byPart.get(part) ?? []) {
      const [first, last] = [Math.max(from, offset), Math.min(to, offset + bytes.length)]
      if (first < last) piece.set(bytes.subarray(first - offset, last - offset), first - start)
    }
  }
}
