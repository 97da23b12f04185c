/** The checks of files: block sums and data, near and far, and extent files. */
import { type CheckText, inFile } from "./checkText.ts"

const never = "if (false)"
const cutSince = "a file that is cut off while it is open, and not one that lies still: test/file has it"

export const fileChecks: ReadonlyArray<CheckText> = [
  ...inFile(
    "src/file/AppendOnlyFile.ts",
    [],
    [["if (size < endPoff)", never, "an append-only file that was cut off"]]
  ),
  ...inFile(
    "src/file/blockSumsReading.ts",
    ["damageSums/map small mapped", "damageSums/section"],
    [
      ["if (sum !== header.tableSum)", never, "damaged sums, at an opening"],
      ["if (crc32(table) !== header.tableSum)", never, "damaged sums"]
    ]
  ),
  ...inFile(
    "src/file/fixedData.ts",
    ["damageSums/data small", "damageStore/store."],
    [
      [
        "if (this.sums !== undefined) this.verify(physical, length)",
        "",
        "damaged data, where reads are verified"
      ],
      ["if (crc32(this.blockBytes(at, length)) !== sum)", never, "damaged data, where reads are verified"],
      [
        "throw cause instanceof ReadOutOfBounds ? truncated(cause) : cause",
        "throw cause",
        "data that was cut off",
        cutSince
      ]
    ]
  ),
  ...inFile(
    "src/file/filePieces.ts",
    ["damageSums/data small", "damageStore/store."],
    [
      [
        "if (block >= 0) return yield* blockDamaged(file.path, block)",
        "",
        "damaged data, where all of it is gone through"
      ],
      [
        "if (crc32(piece.subarray(i, i + blockSumsBlockBytes)) !== sums[block])",
        never,
        "damaged data, where all of it is gone through"
      ],
      ["(cause) => Effect.fail(truncated(cause))),", "Effect.die),", "data that was cut off", cutSince]
    ]
  ),
  ...inFile(
    "src/file/verifiedBlocks.ts",
    ["damageStore/collecting"],
    [
      [
        "if ((this.verified & (1 << (block - this.first))) === 0) this.verify(block)",
        "",
        "damaged data, where it is collected"
      ],
      ["if (crc32(bytes) !== this.sums[block])", never, "damaged data, where it is collected"],
      [
        "throw cause instanceof ReadOutOfBounds ? truncated(cause) : cause",
        "throw cause",
        "data that was cut off",
        cutSince
      ]
    ]
  ),
  ...inFile(
    "src/file/remoteData.ts",
    ["damageSums/data large read", "damageSums/data small read"],
    [
      [
        "if (sums === undefined) return readRemote",
        "if (sums !== null) return readRemote",
        "damaged data from afar"
      ],
      ["if (fault !== undefined) return yield* fault", "", "damaged data from afar"],
      ["if (sum !== sums[block])", never, "damaged data from afar"]
    ]
  ),
  ...inFile(
    "src/file/remoteFile.ts",
    [],
    [
      ["    isOffset(length)\n", "    length !== undefined\n", "a source that claims a length that is none"],
      [
        "if (count === buffer.length - done)",
        "if (count >= buffer.length - done)",
        "a source that has read more than there was room for"
      ],
      ["if (count > 0 && count <", "if (count <", "a source that has read nothing"],
      ["&& count < buffer.length - done &&", "&&", "a source that has read more than there was room for"],
      ["&& Number.isInteger(count))", ")", "a source that has read a part of a byte"]
    ]
  ),
  ...inFile(
    "src/file/sparseOpening.ts",
    ["damageSums/data small mapped"],
    [["if (dataLength !== sums.dataLength)", never, "data of another length"]]
  ),
  ...inFile(
    "src/file/sparseRemoteOpening.ts",
    ["damageSums/data small read"],
    [["if (length !== header.dataLength)", never, "data of another length, from afar"]]
  ),
  ...inFile(
    "src/file/sparseVerify.ts",
    ["damageSums/map small mapped"],
    [
      ["  map.verifyAll()\n", "", "a damaged map"],
      ["if (physical + length > dataLength)", never, "a binding behind the data"]
    ]
  ),
  ...inFile(
    "src/file/sparseReading.ts",
    [],
    [
      [
        "if (physical + length > this.data.length) throw",
        "if (physical + length < 0) throw",
        "a binding behind the data"
      ]
    ]
  ),
  ...inFile(
    "src/file/sparseRuns.ts",
    [],
    [["if (binding.physical + binding.length > this.dataLength)", never, "a binding behind the data"]]
  ),
  ...inFile(
    "src/file/remoteRuns.ts",
    [],
    [
      [
        "if (physical + length <= this.data.length) return undefined",
        "if (length > 0) return undefined",
        "a binding behind the data, from afar"
      ]
    ]
  ),
  ...inFile(
    "src/file/extentLoading.ts",
    ["damageExtent/loading"],
    [
      ["if (frames.end < syncedEnd ||", "if (", "durable frames that are damaged"],
      [
        "(frames.end < fileSize && (yield* isDamagedAt(file, frames, buffer)))",
        "false",
        "damaged frames that a mark vouches for"
      ],
      ["const whole = frames.end >= fileSize", "const whole = true", "a torn frame behind a mark"]
    ]
  ),
  ...inFile(
    "src/file/extentReplay.ts",
    [],
    [
      [
        "  create(offset: number, length: number, sum: number): void {\n    this.checkEdges(offset, length)",
        "  create(offset: number, length: number, sum: number): void {",
        "a piece that is created over a part of another"
      ],
      [
        "  piece(offset: number, length: number, sum: number): void {\n    this.checkEdges(offset, length)",
        "  piece(offset: number, length: number, sum: number): void {",
        "a piece over a part of another"
      ],
      [
        "  void(offset: number, length: number): void {\n    this.checkEdges(offset, length)",
        "  void(offset: number, length: number): void {",
        "a part of a piece that is void"
      ],
      ["if (!this.isInside(at))", never, "a split where no piece is"],
      ["this.isInside(offset) ||", "", "a range that begins within a piece"],
      ["|| this.isInside(offset + length)", "", "a range that ends within a piece"],
      ["pieces.start(found) < at &&", "", "a split where a piece begins"],
      ["&& pieces.end(found) > at", "", "a split where a piece ends"]
    ]
  ),
  ...inFile(
    "src/file/extentOpening.ts",
    ["damageExtent/data short"],
    [
      [
        'if (found !== "file" && found !== "none") return',
        'if (found === "other") return',
        "a directory in the place of the record",
        "whoever opens it as a file is told the same"
      ],
      [
        'if (found === "none" && (yield* data.size) > 0) {',
        'if (found === "none" && (yield* data.size) < 0) {',
        "somebody else's data"
      ],
      ["if (marked && !short) {", "if (marked) {", "data that was cut off"],
      ["if (marked && !short) {", "if (!short) {", "pieces that are in doubt"]
    ]
  ),
  ...inFile(
    "src/file/extentRecovery.ts",
    ["damageExtent/data short killed", "damageExtent/opening short killed"],
    [
      ["crc32(bytes) === pieces.sum(piece)) {", "bytes.length > 0) {", "a piece in doubt, and wrong"],
      [
        "data.unsafe.readSomeAt(offset, bytes) === bytes.length",
        "data.unsafe.readSomeAt(offset, bytes) >= 0",
        "a piece behind the end of the data",
        "its pieces are dropped by the length of the data before, and no damage makes the checksum of the rest"
      ],
      [
        "if (!readAll(data, start, bytes) || crc32(bytes) !== pieces.sum(piece)) {",
        "if (!readAll(data, start, bytes)) {",
        "a piece that is cut, and wrong"
      ],
      ["found = true\n", "\n", "data that was cut off"],
      ["if (index.covers(start, extents.end(at)))", "if (true)", "an extent of which a part is gone"]
    ]
  ),
  ...inFile(
    "src/file/extentProving.ts",
    ["damageExtent/data short closed"],
    [
      ["if (crc32(bytes) === pieces.sum(piece)) {", "if (bytes.length > 0) {", "damaged data"],
      [
        "if (state.data.unsafe.readSomeAt(pieces.start(piece), bytes) < bytes.length) {",
        "if (state.data.unsafe.readSomeAt(pieces.start(piece), bytes) < 0) {",
        "data that was cut off",
        "what the buffer holds in place of what is gone is compared with the checksum"
      ]
    ]
  )
]
