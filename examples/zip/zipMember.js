/**
 * The data of a zip archive's member: found, read, unpacked and checked.
 *
 * It passes through in pieces: the cache, a piece, and what zlib needs is all the memory there is to it,
 * and a member that turns out longer than its directory says ends there.
 */
import { pipeline } from "node:stream/promises"
import { crc32, createInflateRaw } from "node:zlib"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { ZipError, failed } from "./zipErrors.js"
import { deflated, localHeader, stored } from "./zipRecords.js"

/** @typedef {import("./zipArchive.js").Archive} Archive */
/** @typedef {import("./zipArchive.js").Member} Member */
/** @typedef {import("./zipArchive.js").Range} Range */

const pieceBytes = 1 << 16

/** Where the data of `member` lies. */
const locateData = Effect.fnUntraced(
  function* (/** @type {Archive} */ archive, /** @type {Member} */ member) {
    const { base, cache, directory } = archive
    const { encrypted, memberBytes, method, name, packedBytes } = member
    if (encrypted) return yield* failed(archive, `has ${name} encrypted, which can't be read`)
    if (method !== stored && method !== deflated) {
      return yield* failed(archive, `has ${name} packed by method ${method}, which can't be read`)
    }
    if (method === stored && packedBytes !== memberBytes) {
      return yield* failed(archive, `is damaged: ${name} is stored with two different lengths`)
    }
    const at = base + member.headerOffset
    const outside = `is damaged: ${name} would lie outside of it`
    if (at + localHeader.bytes > directory.start) return yield* failed(archive, outside)
    if ((yield* cache.getUint32LE(at)) !== localHeader.signature) {
      return yield* failed(archive, `is damaged: ${name} is not where its directory says, at ${at}`)
    }
    const nameBytes = yield* cache.getUint16LE(at + localHeader.nameBytes)
    const start = at + localHeader.bytes + nameBytes + (yield* cache.getUint16LE(at + localHeader.extraBytes))
    const end = start + packedBytes
    if (end > directory.start) return yield* failed(archive, outside)
    return /** @type {Range} */ ({ start, end })
  }
)

/**
 * The bytes of a range, in pieces.
 * @param {Archive} archive
 * @param {Range} range
 */
const pieces = ({ cache }, { end, start }) =>
  Stream.unfold(start, (at) => {
    const length = Math.min(pieceBytes, end - at)
    if (length === 0) return Effect.undefined
    return Effect.map(cache.getBytes(at, length), (bytes) => /** @type {const} */ ([bytes, at + length]))
  })

/**
 * Passes on what is as the directory says, and fails otherwise.
 * @param {Archive} archive
 * @param {Member} member
 */
const checked = ({ path }, member) =>
  async function* (/** @type {AsyncIterable<Uint8Array>} */ source) {
    const damaged = (/** @type {string} */ how) =>
      new ZipError({ path, reason: `is damaged: ${member.name} ${how}` })
    let [bytes, sum] = [0, 0]
    for await (const piece of source) {
      bytes += piece.length
      if (bytes > member.memberBytes) throw damaged(`is longer than ${member.memberBytes} bytes`)
      sum = crc32(piece, sum)
      yield piece
    }
    if (bytes < member.memberBytes) throw damaged(`has ${bytes} of ${member.memberBytes} bytes`)
    if (sum !== member.crc32) throw damaged("does not have its CRC-32")
  }

/** @typedef {NodeJS.WritableStream | ((source: AsyncIterable<Uint8Array>) => Promise<void>)} Sink */

/** Reads a member and hands it to `sink`. That all of it was right is known when this succeeds, not before. */
export const extract = Effect.fnUntraced(
  function* (/** @type {Archive} */ archive, /** @type {Member} */ member, /** @type {Sink} */ sink) {
    const data = Stream.toAsyncIterable(pieces(archive, yield* locateData(archive, member)))
    const unpack = member.method === deflated ? [createInflateRaw({ chunkSize: pieceBytes })] : []
    const steps = /** @type {Array<any>} */ ([data, ...unpack, checked(archive, member), sink])
    yield* Effect.tryPromise({
      try: (signal) => pipeline(steps, { signal }),
      catch: (cause) => inflateError(archive, member, cause) ?? cause
    })
  }
)

/**
 * @param {Archive} archive
 * @param {Member} member
 * @param {unknown} cause
 */
const inflateError = ({ path }, member, cause) => {
  const { code, message } = /** @type {NodeJS.ErrnoException} */ (cause)
  if (typeof code !== "string" || !code.startsWith("Z_")) return undefined
  return new ZipError({ path, reason: `is damaged: ${member.name} can't be unpacked (${message})` })
}
