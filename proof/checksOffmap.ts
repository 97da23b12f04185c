/** The checks of offmaps: images, cells, pages and indexes. */
import { type CheckText, inFile } from "./checkText.ts"

const never = "if (false)"
const ordered = "counts that are no numbers, or longer than the image, make another length than the image has"

export const offmapChecks: ReadonlyArray<CheckText> = [
  ...inFile(
    "src/format/offmapImage.ts",
    ["damageOffmap/memory kinds", "damageOffmap/remote kinds"],
    [
      [
        "if (available < offmapHeaderBytes || bytes.length < offmapHeaderBytes)",
        never,
        "an image that ends in its header"
      ],
      ["if (bytes[i] !== offmapMagic.charCodeAt(i))", never, "something else than an offmap"],
      [
        "if (view.getUint32(offmapHeaderBytes - 4, true) !== crc32(bytes.subarray(0, offmapHeaderBytes - 4)))",
        never,
        "a damaged header"
      ],
      ["if (version !== offmapVersion)", never, "a later version"],
      ["if (view.getUint32(12, true) !== offmapHeaderBytes)", never, "another header length"],
      ["if (!(imageBytes <= available))", never, "an image longer than its file"],
      ["if (fault !== undefined) throw corrupt(16, fault)", "", "counts that contradict one another"],
      ["if (!(imageBytes < maxImageBytes))", never, "an image longer than any"],
      ["if (!(cells <= imageBytes && segments", "if (!(segments", "absurd counts", ordered],
      ["&& segments <= cells &&", "&&", "more segments than cells"],
      ["&& buckets <= imageBytes))", "))", "absurd counts", ordered],
      ["if (offmapLayout(header).imageBytes !== imageBytes)", never, "counts that make another length"],
      ["if (!(bindings >= cells && bindings", "if (!(bindings", "fewer bindings than cells"],
      ["&& bindings <= cells * 8)", ")", "more bindings than cells hold"],
      ["if (cells > 0 !== segments > 0)", never, "cells without an index"],
      ["if (cells === 0 && last !== 0)", never, "an empty map with a last offset"],
      ["if (!(first <= last))", never, "a last offset before the first"],
      ["if (bucketShift > 53 || Math", "if (Math", "buckets wider than all offsets"],
      ["|| Math.floor((last - first) / 2 ** bucketShift) + 1 !== buckets)", ")", "another number of buckets"],
      [
        "Number.isSafeInteger(value) ? value : Number.NaN",
        "value",
        "numbers beyond 2^53-1",
        "of bytes that are there: " + ordered
      ]
    ]
  ),
  ...inFile(
    "src/format/offmapCell.ts",
    ["damageOffmap/memory kinds"],
    [
      ["if (kind > cellKind.points ||", "if (", "a kind that is none"],
      ["|| (kind === cellKind.dense && head !== 0)) return", ") return", "a dense cell that counts"],
      ["if (count < 1 || count", "if (count", "a cell without bindings"],
      ["|| count > cellCapacity[kind]) return", ") return", "more bindings than the kind has room for"],
      ["if (cells.i32[cell * 16 + headWord + index] !== unusedStart)", never, "a start behind an unused one"],
      ["if (!(virtual >= end))", never, "bindings that overlap"],
      [
        "Number.isSafeInteger(length) && Number.isSafeInteger(virtual)\n",
        "Number.isSafeInteger(virtual)\n",
        "a length with a fraction"
      ],
      [
        "Number.isSafeInteger(length) && Number.isSafeInteger(virtual)\n",
        "Number.isSafeInteger(length)\n",
        "an offset with a fraction"
      ],
      ["|| length < 0 ||", "||", "a length below 0"],
      [
        "|| !Number.isSafeInteger(virtual + length)) {",
        ") {",
        "a binding that ends beyond 2^53-1",
        "the last binding has to end at the last offset, which is a number; another one overlaps the next"
      ],
      [
        "if (kind !== cellKind.huge && virtual - base + length > maxRelativeEnd)",
        never,
        "a binding too far from its cell's base"
      ],
      ["if (!(physical >= 0) || !Number", "if (!Number", "a place below 0"],
      ["|| !Number.isSafeInteger(physical + length) ||", "||", "a place that ends beyond 2^53-1"],
      ["|| !Number.isSafeInteger(physical)) {", ") {", "a place with a fraction"]
    ]
  ),
  ...inFile(
    "src/format/offmapPage.ts",
    ["damageOffmap/memory kinds"],
    [
      ["if (reason !== undefined) return fault(cell, reason)", "", "cells that are none"],
      ["if (page === 0 && cells > 0 && views.f64[at * 8] !== first)", never, "another first offset"],
      ["if (end > 0 && limit === cells && end - 1 !== last)", never, "another last offset"],
      [
        "if (begin <= cells && cells < begin + cellsPerPage && views.f64[(cells + shift) * 8] !== Infinity)",
        never,
        "cells without an end"
      ]
    ]
  ),
  ...inFile(
    "src/format/offmapIndex.ts",
    ["damageOffmap/memory pages"],
    [
      ["if (segments > 0 && keys[0] !== first)", never, "an index that begins elsewhere"],
      ["if (!(firsts[segment * 4 + 3] < firsts[segment * 4 + 7]))", never, "a segment without cells"],
      ["if (!(keys[segment * 2] < keys[segment * 2 + 2]))", never, "segments out of order"],
      ["if (!(slope >= 0 && slope", "if (!(slope", "a slope that falls"],
      ["&& slope < Infinity)", ")", "a slope without end"],
      ["if (firsts[segments * 4 + 3] !== cells)", never, "segments of more cells than there are"],
      [
        "if (segment > 0 && !(segment < segments))",
        never,
        "a bucket that leads nowhere",
        "the sentinel has the key Infinity, and behind it is none: that leads too far"
      ],
      [
        "if (segment > 0 && !(keys[segment * 2] <= first + bucket * width))",
        never,
        "a bucket that leads too far"
      ],
      ["if (bucket > 0 && segment < radix[bucket - 1])", never, "a bucket that leads backwards"]
    ]
  ),
  ...inFile(
    "src/file/offmapSearch.ts",
    ["damageOffmap/memory kinds"],
    [
      ["if (!trusted && crc32(index) !== header.indexCrc)", never, "a damaged index"],
      [
        "if (cell === low) return this.bisectCells(virtual)",
        "",
        "an index that leads too far",
        "it walks on, and takes longer: each cell is as near to the right one as the one before"
      ],
      [
        "if (cell >= high) return this.bisectCells(virtual)",
        "",
        "an index that leads too short",
        "it walks on, and takes longer"
      ]
    ]
  ),
  ...inFile(
    "src/file/offmapTable.ts",
    ["damageOffmap/memory kinds"],
    [
      ["if (crc32(this.pageOf(page)) !== this.pageSums[page])", never, "a damaged page"],
      [
        "if (fault !== undefined) throw this.corrupt(fault.position, fault.reason)",
        "",
        "a page that is none"
      ],
      [
        "if (cell === low) return this.translateOther(this.bisectCells(virtual), virtual)",
        "",
        "an index that leads too far"
      ],
      [
        "if (cell >= high) return this.translateOther(this.bisectCells(virtual), virtual)",
        "",
        "an index that leads too short"
      ]
    ]
  ),
  ...inFile(
    "src/file/offmapPaged.ts",
    ["damageOffmap/paged", "damageOffmap/remote"],
    [
      ["if (crc32(bytes) !== this.pageSums[page])", never, "a damaged page"],
      [
        "if (fault !== undefined) return this.corrupt(fault.position, fault.reason)",
        "",
        "a page that is none"
      ],
      ["if (fault !== undefined && from === 0) throw fault", "", "a damaged page that is wanted"],
      [
        "if (fault !== undefined) return { position, bytes: bytes.subarray(0, from) }",
        "",
        "a damaged page behind the one that is wanted"
      ],
      [
        "if (length <= pageBytes) throw truncated(cause)",
        "if (length <= pageBytes) throw cause",
        "a file that was cut off since it was opened",
        "not a file that lies still; test/file/offmapPaged.test.ts has it"
      ]
    ]
  ),
  ...inFile(
    "src/file/offmapWalks.ts",
    ["damageOffmap/memory pages"],
    [
      [
        "if (fault !== undefined) throw search.corrupt(layout.segments, fault)",
        "",
        "an index that leads elsewhere"
      ],
      [
        "if (fault !== undefined) throw search.corrupt(layout.cells",
        "if (false) throw search.corrupt(layout.cells",
        "pages that overlap"
      ],
      ["  search.at(search.cells)\n", "", "a damaged page of the sentinel's"],
      ["if (bindings !== header.bindings)", never, "another number of bindings"]
    ]
  ),
  ...inFile(
    "src/file/offmapPrediction.ts",
    ["damageOffmap/memory kinds"],
    [
      [
        "cell >= 0 && cell < index.cells ? cell | 0 : 0",
        "cell | 0",
        "an index that leads to a cell that is none"
      ],
      ["Math.min(end, keys.length / 2 - 2)", "end", "an index that leads to a segment that is none"],
      [
        "const cell = predicted < limit ? predicted : limit",
        "const cell = predicted",
        "a line that goes beyond its segment",
        "the cell is bounded next, and bisected for where it is not near"
      ]
    ]
  )
]
