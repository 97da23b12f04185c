/**
 * The records of a zip archive: what each begins with, how long its fixed part is, and where in it the
 * fields stand that the reader and the writer need. All numbers are little-endian.
 */

/** Before each member's data; its name and extra fields follow. */
export const localHeader = { signature: 0x04034b50, bytes: 30, nameBytes: 26, extraBytes: 28 }

/** One for each member, in the central directory; its name, extra fields and comment follow. */
export const directoryEntry = {
  signature: 0x02014b50,
  bytes: 46,
  flags: 8,
  method: 10,
  crc32: 16,
  packedBytes: 20,
  memberBytes: 24,
  nameBytes: 28,
  extraBytes: 30,
  commentBytes: 32,
  headerOffset: 42
}

/** Ends the archive, together with its comment. */
export const endRecord = {
  signature: 0x06054b50,
  bytes: 22,
  volume: 4,
  directoryBytes: 12,
  directoryOffset: 16,
  commentBytes: 20
}

/** Stands right before the end record of an archive that needs 64 bits, and tells where its Zip64 record is. */
export const zip64Locator = { signature: 0x07064b50, bytes: 20, recordOffset: 8 }

/** What the end record says, in 64 bits. */
export const zip64Record = { signature: 0x06064b50, bytes: 56, directoryBytes: 40, directoryOffset: 48 }

/** The extra field with those sizes and offsets of a member that 32 bits can't hold. */
export const zip64ExtraId = 1

/** In place of a number that stands elsewhere in 64 bits. */
export const wide = { uint16: 0xffff, uint32: 0xffffffff }

export const stored = 0
export const deflated = 8
