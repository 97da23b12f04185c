/**
 * The backing of an offloaded file under test, in memory or in a file, and what can be written of it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { OffloadedData } from "../src/file/offloadedFileService.ts"
import { Io, type IoFile } from "../src/io/Io.ts"
import {
  type OffloadedCursorModel,
  type OffloadedFileModel,
  OffloadedModelBacking,
  type OffloadedModelOutcome
} from "../src/testing/models/offloadedFile.ts"
import type { Source } from "./offloadedFileSteps.ts"

export const noise = (length: number, seed: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (Math.imul(i + seed, 2_654_435_761) >>> 13) & 255
  return bytes
}

/** Bytes before and behind the backing in its buffer. */
const besideBytes = 16

export class TestBacking {
  readonly model: OffloadedModelBacking
  private readonly around: Uint8Array
  private file: IoFile | undefined

  constructor(length: number) {
    this.around = noise(length + 2 * besideBytes, 1)
    this.model = new OffloadedModelBacking(this.around.subarray(besideBytes, -besideBytes))
  }

  /** What an offloaded file is made over. */
  get real(): Uint8Array | IoFile {
    return this.file ?? this.model.bytes
  }

  /** Moves the backing to a file, which may grow. */
  moveTo(path: string): Effect.Effect<void, never, Io | Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const io = yield* Io
      this.file = yield* io.create(path, { overwrite: true })
      yield* this.file.writeAt(0, this.model.bytes)
    }).pipe(Effect.orDie)
  }

  grow(bytes: Uint8Array): Effect.Effect<void> {
    if (this.file === undefined) return Effect.void
    const before = this.model.bytes
    this.model.bytes = new Uint8Array(before.length + bytes.length)
    this.model.bytes.set(before)
    this.model.bytes.set(bytes, before.length)
    return Effect.orDie(this.file.writeAt(before.length, bytes))
  }

  /** What is handed to a write. */
  dataOf(source: Source): OffloadedData {
    const { bytes } = this.model
    switch (source.from) {
      case "memory":
        return noise(source.length, source.seed)
      case "nowhere":
        return { backingOffset: source.backingOffset, length: source.length }
      case "beside": {
        const start = source.edge === "start" ? besideBytes - 1 : this.around.length - besideBytes - 1
        return this.around.subarray(start, start + source.length)
      }
    }
    const backingOffset = Math.floor((source.at * bytes.length) / 1000)
    const length = Math.min(source.length, bytes.length - backingOffset)
    if (source.from === "range") return { backingOffset, length }
    return bytes.subarray(backingOffset, backingOffset + length)
  }

  writeTo(model: OffloadedFileModel, offset: number, data: OffloadedData): OffloadedModelOutcome<undefined> {
    const of = this.meaningOf(data)
    return of instanceof Uint8Array ? model.writeBytes(offset, of) : model.writeRange(offset, of)
  }

  writeBy(cursor: OffloadedCursorModel, data: OffloadedData): OffloadedModelOutcome<number> {
    const of = this.meaningOf(data)
    return of instanceof Uint8Array ? cursor.writeBytes(of) : cursor.writeRange(of)
  }

  /** The range of the backing that bytes are, if they lie in it. */
  private meaningOf(data: OffloadedData): OffloadedData {
    if (!(data instanceof Uint8Array) || this.file !== undefined) return data
    const { bytes } = this.model
    const backingOffset = data.byteOffset - bytes.byteOffset
    const within = backingOffset >= 0 && backingOffset + data.length <= bytes.length
    return data.buffer === bytes.buffer && within ? { backingOffset, length: data.length } : data
  }
}
