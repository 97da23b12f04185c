/** The checks of stores: what control says of files, and what they say of one another. */
import { type CheckText, inFile } from "./checkText.ts"

const never = "if (false)"

export const storeChecks: ReadonlyArray<CheckText> = [
  ...inFile(
    "src/store/storeBackup.ts",
    [],
    [
      ["yield* attempt<void, Corrupt>(() => map.verifyAll())", "", "a damaged map, where it is backed up"],
      [
        "{ file: data, length: dataLength, to, sums }",
        "{ file: data, length: dataLength, to, sums: sums && undefined }",
        "a damaged prefix, where it is backed up"
      ],
      [
        "to: target.chunk(number), sums }",
        "to: target.chunk(number), sums: sums && undefined }",
        "a damaged chunk, where it is backed up"
      ]
    ]
  ),
  ...inFile(
    "src/store/controlFile.ts",
    ["damageStore/store.control"],
    [
      [
        "new Uint8Array(controlFileBytes + 1)",
        "new Uint8Array(controlFileBytes)",
        "a control file that goes on"
      ]
    ]
  ),
  ...inFile(
    "src/store/chunkSums.ts",
    ["damageStore/store."],
    [["if (header.dataLength !== length)", never, "sums of another length"]]
  ),
  ...inFile(
    "src/store/storeOpening.ts",
    ["damageStore/store."],
    [
      [
        "if (size >= length) return Effect.succeed(size)",
        "if (size >= 0) return Effect.succeed(size)",
        "a chunk that was cut off"
      ]
    ]
  ),
  ...inFile(
    "src/store/prefix.ts",
    ["damageStore/store."],
    [
      ["if (dataLength !== record.prefixDataBytes)", never, "a prefix of other data"],
      ["return mapBytes === record.prefixMapBytes\n", "return mapBytes >= 0\n", "a prefix with another map"]
    ]
  ),
  ...inFile(
    "src/store/chunk.ts",
    ["damageStore/store."],
    [
      [
        "const sums = verified ? this.sums : undefined",
        "const sums = undefined",
        "damaged chunks, where reads are verified"
      ],
      [
        "throw cause instanceof ReadOutOfBounds ? tooShort(cause) : cause",
        "throw cause",
        "a chunk that was cut off",
        "a file that is cut off while it is open, and not one that lies still: test/store has it"
      ]
    ]
  ),
  ...inFile(
    "src/store/collectionSource.ts",
    [],
    [["|| physical + count > data.length) {", ") {", "a binding behind the data, where it is collected"]]
  ),
  ...inFile(
    "src/store/storeRecovery.ts",
    ["damageStore/replaced"],
    [["if (orphan !== undefined) {", 'if (orphan === "") {', "a store that has lost its control file"]]
  ),
  ...inFile(
    "src/store/storeCheck.ts",
    ["damageStore/store.", "damageStore/replaced"],
    [
      [
        'if (attempts === slotAttempts) {\n          this.add("control", damage)',
        "if (attempts === slotAttempts) {",
        "a slot that is damaged"
      ],
      ["if (size < length) {", never + " {", "a chunk that was cut off"],
      ["if (sums === undefined) this.unverifiedBytes", "if (true) this.unverifiedBytes", "a damaged chunk"],
      ["this.compare(path, dataLength, record.prefixDataBytes)", "", "a prefix of other data"],
      ["this.compare(mapFile.path, mapBytes, record.prefixMapBytes)", "", "a prefix with another map"],
      ['yield* this.report("map", this.map(opened, record))', "", "a damaged map"],
      [
        "yield* forEachPiece(data, { length: dataLength, sums }, (piece) =>",
        "yield* forEachPiece(data, { length: dataLength, sums: sums && undefined }, (piece) =>",
        "a damaged prefix"
      ],
      ["if (beyond !== undefined) {", "if (beyond === -1) {", "a prefix that goes on behind its end"],
      [
        'sealed ? yield* this.report("sums", readSums(io, paths.sums(number), length)) : undefined',
        "sealed ? yield* readSums(io, paths.sums(number), length).pipe(Effect.orElseSucceed(() => undefined)) : undefined",
        "damaged sums"
      ],
      [
        "      this.missing = true\n",
        "      this.missing = true\n      if (missing) return\n",
        "a file that is gone"
      ],
      ['this.add(kind === "prefix"', 'false && this.add(kind === "prefix"', "whatever is damaged"]
    ]
  )
]
