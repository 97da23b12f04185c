/**
 * A zip archive, read through a PageCache: its end, its directory, and the members in it.
 *
 * - An archive may lie: nothing is allocated by a number that stands in it but names, of 64 KiB at most,
 *   and every range is compared with the archive's size before it is followed.
 * - The directory is read member by member, and never held.
 * - Bytes before the archive, as of one that unpacks itself, shift all its offsets.
 *
 * Names are read as UTF-8, whatever the archive calls them. What it does not have: encryption, methods
 * but "stored" and "deflated", archives of several volumes, and writing (zipWriter.js).
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { PageCache } from "lacuna"
import { failed } from "./zipErrors.js"
import {
  directoryEntry,
  endRecord,
  localHeader,
  wide,
  zip64ExtraId,
  zip64Locator,
  zip64Record
} from "./zipRecords.js"

/** @typedef {import("lacuna").PageCacheService} Cache */
/** @typedef {{ readonly start: number, readonly end: number }} Range bytes, the end excluded */

/**
 * @typedef {object} Archive
 * @property {string} path
 * @property {number} size bytes
 * @property {Cache} cache
 * @property {Range} directory
 * @property {number} base what every offset in the archive counts from
 */

/**
 * @typedef {object} Member
 * @property {string} name
 * @property {number} method
 * @property {boolean} encrypted
 * @property {number} crc32
 * @property {number} memberBytes
 * @property {number} packedBytes in the archive
 * @property {number} headerOffset
 */

/** 1 MiB; one call brings 64 KiB where a read goes on where the last one ended. */
const cacheOptions = { pageSize: 4096, cacheSize: 256, readAhead: 15 }

/** Opens the archive in `file`. */
export const openArchive = Effect.fnUntraced(function* (/** @type {import("lacuna").IoFile} */ file) {
  return yield* openCached({
    path: file.path,
    size: yield* file.size,
    cache: yield* PageCache.overFile(file, cacheOptions)
  })
})

/**
 * Opens the archive behind a source, which errors call `path`.
 * @template E
 * @param {import("lacuna").ByteSource<E>} source
 * @param {string} path
 */
export const openArchiveIn = Effect.fnUntraced(function* (source, path) {
  return yield* openCached({
    path,
    size: yield* source.length,
    cache: yield* PageCache.overSource(source, { ...cacheOptions, path })
  })
})

const openCached = Effect.fnUntraced(function* (/** @type {Unopened} */ unopened) {
  const { base, directory } = yield* findDirectory(unopened)
  return /** @type {Archive} */ ({ ...unopened, directory, base })
})

/**
 * A number of 64 bits.
 * @param {{ readonly path: string, readonly cache: Cache }} archive
 * @param {number} at
 */
const getWide = (archive, at) =>
  archive.cache
    .getSafeUint64LE(at)
    .pipe(
      Effect.catchTag("InvalidArgument", () =>
        failed(archive, `is damaged: the number at ${at} is beyond 2^53`)
      )
    )

/** @typedef {Pick<Archive, "path" | "size" | "cache">} Unopened */

/** Where the end record begins, looked for from the back: first without a comment, which costs one page. */
const findEnd = Effect.fnUntraced(function* (/** @type {Unopened} */ { cache, path, size }) {
  const signature = Buffer.alloc(4)
  signature.writeUInt32LE(endRecord.signature)
  for (const commentBytes of [0, 0xffff]) {
    const start = Math.max(0, size - endRecord.bytes - commentBytes)
    const tail = Buffer.from(yield* cache.getBytes(start, size - start))
    let at = tail.lastIndexOf(signature, tail.length - endRecord.bytes)
    for (; at !== -1; at = at === 0 ? -1 : tail.lastIndexOf(signature, at - 1)) {
      // Four such bytes may also stand in a comment; a comment ends where the archive does.
      const behind = tail.length - at - endRecord.bytes
      if (behind >= 0 && tail.readUInt16LE(at + endRecord.commentBytes) === behind) return start + at
    }
  }
  const begins = size >= 4 && (yield* cache.getUint32LE(0)) === localHeader.signature
  return yield* failed(
    { path },
    begins ? "is cut off: it begins as a zip archive and lacks the end of one" : "is not a zip archive"
  )
})

/** The Zip64 record that belongs to the end record at `end`, or undefined where there is none. */
const findZip64 = Effect.fnUntraced(function* (/** @type {Unopened} */ archive, /** @type {number} */ end) {
  const { cache } = archive
  const locator = end - zip64Locator.bytes
  if (locator < 0 || (yield* cache.getUint32LE(locator)) !== zip64Locator.signature) return undefined
  const told = yield* getWide(archive, locator + zip64Locator.recordOffset)
  // Where something stands before the archive it is not where it says, but still right before the locator.
  for (const at of [told, locator - zip64Record.bytes]) {
    const fits = at >= 0 && at <= locator - zip64Record.bytes
    if (fits && (yield* cache.getUint32LE(at)) === zip64Record.signature) return at
  }
  return yield* failed(archive, "is damaged: its Zip64 record is not where it should be")
})

const findDirectory = Effect.fnUntraced(function* (/** @type {Unopened} */ archive) {
  const { cache } = archive
  const at = yield* findEnd(archive)
  const zip64 = yield* findZip64(archive, at)
  const volume = yield* cache.getUint16LE(at + endRecord.volume)
  if (volume !== 0 && volume !== wide.uint16) {
    return yield* failed(archive, "is one of several volumes, which can't be read")
  }
  const bytes = yield* zip64 === undefined
    ? cache.getUint32LE(at + endRecord.directoryBytes)
    : getWide(archive, zip64 + zip64Record.directoryBytes)
  const offset = yield* zip64 === undefined
    ? cache.getUint32LE(at + endRecord.directoryOffset)
    : getWide(archive, zip64 + zip64Record.directoryOffset)
  const end = zip64 ?? at
  // The directory ends where this record begins; what is missing before it are bytes before the archive.
  const [start, base] = [end - bytes, end - bytes - offset]
  if (base < 0) return yield* failed(archive, "is damaged: its directory would lie outside of it")
  return { base, directory: { start, end } }
})

/**
 * The members, in the order of the directory, as it is read.
 * @param {Archive} archive
 */
export const members = (archive) =>
  Stream.unfold(archive.directory.start, (at) =>
    at === archive.directory.end ? Effect.undefined : memberAt(archive, at)
  )

/** The member whose entry is at `at`, and where the next one is. */
const memberAt = Effect.fnUntraced(function* (/** @type {Archive} */ archive, /** @type {number} */ at) {
  const { cache, directory } = archive
  const nameAt = at + directoryEntry.bytes
  if (nameAt > directory.end || (yield* cache.getUint32LE(at)) !== directoryEntry.signature) {
    return yield* failed(archive, `is damaged: its directory has no member at ${at}`)
  }
  const extraAt = nameAt + (yield* cache.getUint16LE(at + directoryEntry.nameBytes))
  const commentAt = extraAt + (yield* cache.getUint16LE(at + directoryEntry.extraBytes))
  const next = commentAt + (yield* cache.getUint16LE(at + directoryEntry.commentBytes))
  if (next > directory.end) {
    return yield* failed(archive, `is damaged: the member at ${at} reaches out of its directory`)
  }
  const member = {
    name: yield* cache.getString(nameAt, extraAt - nameAt),
    method: yield* cache.getUint16LE(at + directoryEntry.method),
    encrypted: ((yield* cache.getUint16LE(at + directoryEntry.flags)) & 1) === 1,
    crc32: yield* cache.getUint32LE(at + directoryEntry.crc32),
    memberBytes: yield* cache.getUint32LE(at + directoryEntry.memberBytes),
    packedBytes: yield* cache.getUint32LE(at + directoryEntry.packedBytes),
    headerOffset: yield* cache.getUint32LE(at + directoryEntry.headerOffset)
  }
  yield* widen(archive, member, { start: extraAt, end: commentAt })
  return /** @type {const} */ ([/** @type {Member} */ (member), next])
})

/** Puts in what stands in the Zip64 extra field: those numbers that 32 bits don't hold, in this order. */
const widen = Effect.fnUntraced(
  function* (/** @type {Archive} */ archive, /** @type {Member} */ member, /** @type {Range} */ extras) {
    const { cache } = archive
    const names = /** @type {const} */ (["memberBytes", "packedBytes", "headerOffset"])
    const wanted = names.filter((name) => member[name] === wide.uint32)
    for (let at = extras.start; wanted.length > 0 && at + 4 <= extras.end;) {
      const [id, bytes] = [yield* cache.getUint16LE(at), yield* cache.getUint16LE(at + 2)]
      if (id === zip64ExtraId) {
        if (bytes < 8 * wanted.length || at + 4 + bytes > extras.end) {
          return yield* failed(archive, `is damaged: the Zip64 field of ${member.name} is too short`)
        }
        for (const [i, name] of wanted.entries()) member[name] = yield* getWide(archive, at + 4 + 8 * i)
        return
      }
      at += 4 + bytes
    }
  }
)

/** The first member called `name`. */
export const findMember = Effect.fnUntraced(
  function* (/** @type {Archive} */ archive, /** @type {string} */ name) {
    const found = yield* members(archive).pipe(
      Stream.filter((member) => member.name === name),
      Stream.runHead
    )
    return found._tag === "Some" ? found.value : yield* failed(archive, `has no member called ${name}`)
  }
)
