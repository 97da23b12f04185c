/**
 * Checking a store: every checksum and invariant of what control names, on the disk as it is now.
 *
 * It goes on behind the damage it finds, to tell the first of each kind. Files that vanish while it
 * looks, because a collection has finished, make it begin again with the newer record.
 */
import * as Effect from "effect/Effect"
import {
  Corrupt,
  type IoFailed,
  type NoSuchFile,
  type NotADirectory,
  type NotAFile
} from "../bytes/errors.ts"
import { forEachPiece } from "../file/filePieces.ts"
import { loadSums, type OpenedSparseFile, openFinishedSparseFile } from "../file/sparseOpening.ts"
import { sparsePaths } from "../file/sparsePaths.ts"
import { checkMap } from "../file/sparseVerify.ts"
import { blockSumsBlockBytes } from "../format/blockSums.ts"
import { type ControlledChunk, controlChunks, type ControlRecord } from "../format/controlRecord.ts"
import type { ControlState } from "../format/controlSlots.ts"
import { attempt } from "../io/attempt.ts"
import type { IoFile, IoService } from "../io/Io.ts"
import { readSums } from "./chunkSums.ts"
import { readControl } from "./controlFile.ts"
import { fileGone } from "./storeOpening.ts"
import type { StorePaths } from "./storePaths.ts"
import { findControl } from "./storeRecovery.ts"
import type {
  StoreChecked,
  StoreScanError,
  StoreDamage,
  StoreDamageKind,
  StoreScanOptions
} from "./storeService.ts"

/** How many collections may finish while one state is being checked. */
const maxAttempts = 100
/** How often a slot that a writer may be writing is looked at again. */
const slotAttempts = 5
const slotAgainMillis = 2

type Missing = NoSuchFile | NotAFile | NotADirectory

/** Checks the store in a directory, whether or not it can be opened. `NoSuchFile` when there is none. */
export const checkStore = (
  io: IoService,
  paths: StorePaths,
  options: StoreScanOptions = {}
): Effect.Effect<StoreChecked, StoreScanError> =>
  Effect.gen(function* () {
    for (let attempts = 1; ; attempts++) {
      const check = new Check(io, paths, options)
      if (!(yield* check.isStore)) return check.result
      const record = yield* check.control
      if (record === undefined) return check.result
      yield* check.files(record)
      if (!check.missing || attempts === maxAttempts) return check.result
      const now = yield* Effect.result(readControl(io, paths))
      if (now._tag === "Failure" || now.success.record.generation === record.generation) return check.result
    }
  }).pipe(Effect.withSpan("Store.check", { attributes: { directory: paths.directory } }))

class Check {
  /** Whether a file was not there. */
  missing = false
  private readonly io: IoService
  private readonly paths: StorePaths
  private readonly damage = new Map<StoreDamageKind, StoreDamage>()
  private verifiedBytes = 0
  private unverifiedBytes = 0
  private extents = 0
  private totalBytes = 0
  private readonly options: StoreScanOptions

  constructor(io: IoService, paths: StorePaths, options: StoreScanOptions) {
    this.io = io
    this.paths = paths
    this.options = options
  }

  get result(): StoreChecked {
    const { extents, unverifiedBytes, verifiedBytes } = this
    return { damage: [...this.damage.values()], verifiedBytes, unverifiedBytes, extents }
  }

  /** Whether control is there. Files of a store without it are damage; nothing at all is no store. */
  readonly isStore: Effect.Effect<boolean, IoFailed | NoSuchFile | NotADirectory> = Effect.suspend(() =>
    Effect.catchTag(findControl(this.io, this.paths, false), "Corrupt", (damage) =>
      Effect.sync(() => {
        this.add("control", damage)
        return false
      })
    )
  )

  /** The record that counts, if there is one. */
  readonly control: Effect.Effect<ControlRecord | undefined, StoreScanError> = Effect.gen(
    { self: this },
    function* () {
      let found: ControlState | undefined
      for (let attempts = 1; ; attempts++) {
        found = yield* this.report("control", readControl(this.io, this.paths))
        const { damage } = found ?? {}
        if (damage === undefined) return found?.record
        if (attempts === slotAttempts) {
          this.add("control", damage)
          return found?.record
        }
        yield* Effect.sleep(slotAgainMillis)
      }
    }
  )

  files(record: ControlRecord): Effect.Effect<void, StoreScanError> {
    const chunks = controlChunks(record)
    this.totalBytes = chunks.reduce((sum, { length, sealed }) => sum + (sealed ? length : 0), 0)
    this.totalBytes += record.prefixDataBytes + record.prefixMapBytes
    return Effect.gen({ self: this }, function* () {
      for (const chunk of chunks) yield* this.chunk(chunk)
      if (record.generation > 0) yield* this.prefix(record)
    })
  }

  private chunk(chunk: ControlledChunk): Effect.Effect<void, StoreScanError> {
    const { io, paths } = this
    const { length, number, sealed } = chunk
    return Effect.gen({ self: this }, function* () {
      const sums = sealed ? yield* this.report("sums", readSums(io, paths.sums(number), length)) : undefined
      const verify = Effect.flatMap(io.open(paths.chunk(number), { readonly: true }), (file) =>
        this.blocks(file, length, sums)
      )
      yield* this.report("chunk", Effect.scoped(verify))
    })
  }

  /** The size of a chunk, and its blocks where there are checksums. */
  private blocks(file: IoFile, length: number, sums: Uint32Array | undefined) {
    return Effect.gen({ self: this }, function* () {
      const { path } = file
      const size = yield* file.size
      if (size < length) {
        const reason = `the file ends here, and ${length} bytes were committed`
        this.add("file", new Corrupt({ path, offset: size, reason }))
      }
      // Of a file that is too short the last block is not whole: that is said already.
      const end = size < length ? size - (size % blockSumsBlockBytes) : length
      if (sums === undefined) this.unverifiedBytes += end
      else {
        yield* forEachPiece(file, { length: end, sums }, (piece) =>
          Effect.sync(() => this.verified(piece.length))
        )
      }
    }).pipe(Effect.catchTag("Closed", Effect.die))
  }

  private prefix(record: ControlRecord): Effect.Effect<void, StoreScanError> {
    const path = this.paths.prefix(record.generation)
    const { io } = this
    const verify = Effect.gen({ self: this }, function* () {
      const opened = yield* openFinishedSparseFile(io, sparsePaths(path))
      const { data, dataLength, mapBytes, mapFile } = opened
      this.compare(path, dataLength, record.prefixDataBytes)
      this.compare(mapFile.path, mapBytes, record.prefixMapBytes)
      yield* this.report("map", this.map(opened, record))
      const sums = yield* loadSums(opened)
      yield* forEachPiece(data, { length: dataLength, sums }, (piece) =>
        Effect.sync(() => this.verified(piece.length))
      )
    }).pipe(Effect.scoped, Effect.catchTag("Closed", Effect.die))
    return Effect.asVoid(this.report("prefix", verify))
  }

  private map(opened: OpenedSparseFile, record: ControlRecord): Effect.Effect<void, Corrupt> {
    return attempt<void, Corrupt>(() => {
      const { map, mapBytes, mapFile } = opened
      this.extents = checkMap(opened)
      const beyond = map.next(record.suffixStart)
      if (beyond !== undefined) {
        const reason = `the map binds ${beyond}, and the prefix ends at ${record.suffixStart}`
        throw new Corrupt({ path: mapFile.path, offset: 0, reason })
      }
      this.verified(mapBytes)
    })
  }

  private verified(bytes: number): void {
    this.verifiedBytes += bytes
    this.options.onProgress?.({ bytes: this.verifiedBytes, total: this.totalBytes })
  }

  private compare(path: string, found: number, expected: number): void {
    if (found === expected) return
    const reason = `the file has ${found} bytes, and control says ${expected}`
    this.add("file", new Corrupt({ path, offset: Math.min(found, expected), reason }))
  }

  /** Runs a part of the check; damage that ends it is added, and gives undefined. */
  private report<A, E>(
    kind: StoreDamageKind,
    part: Effect.Effect<A, E | Corrupt | Missing>
  ): Effect.Effect<A | undefined, Exclude<E, Corrupt | Missing>> {
    const absent = (missing: Missing): void => {
      this.missing = true
      this.add(
        "file",
        missing._tag === "NotAFile" || missing._tag === "NotADirectory"
          ? notAFile(missing)
          : fileGone(missing)
      )
    }
    return Effect.catchIf(
      part,
      (error): error is Corrupt | Missing => isDamage(error),
      (error) =>
        Effect.sync(() => {
          if (error._tag !== "Corrupt") absent(error)
          else this.add(kind === "prefix" && error.path.endsWith(".map") ? "map" : kind, error)
          return undefined
        })
    ) as Effect.Effect<A | undefined, Exclude<E, Corrupt | Missing>>
  }

  private add(kind: StoreDamageKind, { offset, path, reason }: Corrupt): void {
    if (!this.damage.has(kind)) this.damage.set(kind, { kind, path, offset, reason })
  }
}

const notAFile = ({ message, path }: NotAFile | NotADirectory): Corrupt =>
  new Corrupt({ path, offset: 0, reason: message })

const damageTags: ReadonlySet<unknown> = new Set(["Corrupt", "NoSuchFile", "NotADirectory", "NotAFile"])

const isDamage = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && damageTags.has(error._tag)
