/** The checks of block sums, of control and of the records of extent files. */
import { type CheckText, inFile } from "./checkText.ts"

const never = "if (false)"

export const formatChecks: ReadonlyArray<CheckText> = [
  ...inFile(
    "src/format/blockSums.ts",
    ["damageSums/section"],
    [
      ["if (bytes.length < blockSumsHeaderBytes)", never, "a section that ends in its header"],
      ["if (bytes[i] !== blockSumsMagic[i])", never, "something else than sums"],
      ["if (view.getUint32(36, true) !== crc32(bytes.subarray(0, 36)))", never, "a damaged header"],
      ["if (version !== blockSumsVersion)", never, "a later version"],
      ["if (view.getUint32(12, true) !== blockSumsBlockBytes)", never, "sums of other blocks"],
      ["if (dataLength === undefined)", never, "a length that no number holds"],
      ["if (blocks !== blockCount(dataLength))", never, "a number of blocks that isn't that of the data"],
      ["if (end !== place.fileSize)", never, "a section that ends elsewhere than its file"],
      ["value <= Number.MAX_SAFE_INTEGER ? value : undefined", "value", "numbers beyond 2^53-1"]
    ]
  ),
  ...inFile(
    "src/format/controlRecord.ts",
    ["damageControl/used"],
    [
      ["if (slot.length < controlHeaderBytes)", never, "a slot that ends in the head of its record"],
      [
        "if (slot.every((byte) => byte === 0))",
        never,
        "a slot that was lost",
        "it is torn by its magic bytes, and only the words are others"
      ],
      ["if (slot[i] !== controlMagic.charCodeAt(i))", never, "something else than a record"],
      ["recordBytes < controlHeaderBytes ||", "false ||", "a record shorter than its head"],
      ["|| recordBytes > Math.min(slot.length, controlSlotBytes)) {", ") {", "a record longer than its slot"],
      [
        "if (view.getUint32(crcAt, true) !== recordCrc(",
        "if (recordBytes < 0 && 0 !== recordCrc(",
        "a torn record"
      ],
      ["if (version !== controlVersion)", never, "a later version"],
      ["if (recordBytes !== controlHeaderBytes + chunks * 8)", never, "a list of chunks that isn't there"],
      ["if (wrong !== undefined) throw damaged(wrong.at, wrong.reason)", "", "a record that can't be"],
      ["if (!isOffset(record[name]))", never, "numbers beyond 2^53-1"],
      [
        "wrong && fault(fieldAt[wrong[0]]",
        "undefined && fault(fieldAt[wrong![0]]",
        "a prefix before the first collection"
      ],
      ["if (prefixMapBytes === 0)", never, "a prefix without a map"],
      ["if (prefixDataBytes > suffixStart)", never, "a prefix longer than what was there"],
      [
        "if (count > maxChunks)",
        never,
        "more chunks than a slot has room for",
        "a record that fits its slot lists no more; whoever writes one is held to it by test/format"
      ],
      ["if (!isOffset(firstChunk + count))", never, "chunks numbered beyond 2^53-1"],
      [
        "if (!isOffset(length))",
        never,
        "a chunk longer than 2^53-1",
        "the end that it makes is no offset either, and is refused at the same place"
      ],
      ["if (!isOffset(end))", never, "chunks that end beyond 2^53-1"],
      ["if (length === 0)", never, "a sealed chunk that is empty"],
      ["if (end <= suffixStart)", never, "a sealed chunk that nobody needs"],
      ["if (firstChunkOffset > suffixStart)", never, "a suffix that begins before its chunks"],
      ["if (end < suffixStart)", never, "a suffix that begins behind its chunks"]
    ]
  ),
  ...inFile(
    "src/format/controlSlots.ts",
    ["damageControl/used"],
    [
      ["if (bytes.length !== controlFileBytes)", never, "a file of another size"],
      ['if (second.state !== "whole")', never, "a second slot that is torn"],
      [
        'if (second.state === "whole") return',
        'if (first.state !== "whole" && second.state === "whole" && false) return',
        "a first slot that is torn"
      ],
      ["second.sequence > first.sequence ?", "second.sequence < first.sequence ?", "the older record"],
      [
        "one.length === other.length &&",
        "",
        "two records of one sequence, of other lengths",
        "a record's length is among the bytes that are compared"
      ],
      ["&& one.every((byte, i) => byte === other[i])", "", "two records of one sequence"]
    ]
  ),
  ...inFile(
    "src/format/extentRecord.ts",
    ["damageExtent/loading"],
    [
      ["if (bytes.length < extentRecordHeaderBytes)", never, "a record that ends in its header"],
      ["if (bytes[i] !== extentRecordMagic.charCodeAt(i))", never, "something else than a record"],
      ["if (view.getUint32(36, true) !== crc32(bytes.subarray(0, 36)))", never, "a damaged header"],
      ["if (version !== extentRecordVersion)", never, "a later version"],
      ["if (view.getUint32(12, true) !== extentRecordHeaderBytes)", never, "another header length"],
      ["if (generation === undefined)", never, "a generation beyond 2^53-1"],
      ["if (denseBytes === undefined)", never, "a dense length beyond 2^53-1"],
      ["if (view.getUint32(32, true) !== 0)", never, "what later versions may say"],
      ["if (extentRecordHeaderBytes + syncedBytes > place.fileSize)", never, "durable frames that are gone"],
      [
        "view.getUint32(12, true) === slotCrc(bytes, generation) ?",
        "true ?",
        "a slot that is torn, or of another generation"
      ],
      [
        "(getUint53(view, 0) ?? 0)",
        "getUint53(view, 0)!",
        "a slot that claims more than 2^53-1",
        "whoever writes a slot has counted to it, and no damage makes a checksum"
      ],
      ["if (at + extentFrameHeaderBytes > bytes.length) return 0", "", "a frame that ends in its head"],
      [
        "claim >= extentFrameHeaderBytes &&",
        "",
        "a frame shorter than its head",
        "of what is less than 8 only 0 is a multiple of 8, and 0 says that there is none"
      ],
      ["&& claim <= maxExtentFrameBytes", "", "a frame longer than any"],
      ["&& claim % 8 === 0 ?", "?", "a frame that ends between two words"],
      ["if (frameBytes === 0 || at", "if (at", "a frame without a length, which has no end"],
      [
        "|| at + frameBytes > bytes.length) return undefined",
        ") return undefined",
        "a frame that ends behind the file"
      ],
      [
        "found === crc ? { frameBytes, crc } : undefined",
        "({ frameBytes, crc: found + crc - crc })",
        "a torn frame"
      ],
      [
        "|| findExtentFrame(bytes, 0, before) !== undefined)",
        ")",
        "a frame that counts by now",
        "only beside a writer: a file that lies still was read up to the first that doesn't count"
      ],
      [
        "if (found === undefined) return false\n    if (marked)",
        "if (found === undefined) return marked\n    if (marked)",
        "a mark that nothing was written behind"
      ],
      ["if (marked) return true", "if (marked) return false", "a frame that a mark vouches for"],
      ["found.frameBytes === extentFrameHeaderBytes + extentEntryBytes &&", "", "a mark among other entries"],
      [
        "view.getUint32(at + extentFrameHeaderBytes, true) === extentEntryKind.mark",
        "true",
        "a frame that is no mark"
      ],
      ["if (at + extentEntryBytes > to)", never, "a frame that ends within an entry"],
      ["if (offset === undefined)", never, "an offset beyond 2^53-1"],
      ["if (length === undefined)", never, "a length beyond 2^53-1"],
      ["if (length < 1 || length > limit)", "if (length > limit)", "ranges of no bytes"],
      ["|| length > limit) throw", ") throw", "longer pieces and extents than any"],
      ["if (!isOffset(offset + length))", never, "a range that ends beyond 2^53-1"],
      ["if (length >= 2 ** 32)", never, "a checksum of more than 32 bits"],
      ["if (value > maxIdentityBytes ||", "if (", "an identity longer than any"],
      ["|| end > to) throw", ") throw", "an identity longer than its frame"],
      ["if (identity === undefined) throw", 'if (identity === "\\0") throw', "an identity that is no text"],
      ["if (value > 1)", never, "a mark that is neither tidy nor not"],
      [
        "      throw damaged(0, `an entry is of kind ${kind}, which is not known`)",
        "",
        "an entry that later versions may have"
      ],
      ["value <= Number.MAX_SAFE_INTEGER ? value : undefined", "value", "numbers beyond 2^53-1"]
    ]
  )
]
