/**
 * The instance of an offloaded file: what it checks, and what becomes of it at the end of its scope.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Closed, InvalidArgument, MemoryLimit } from "../bytes/errors.ts"
import type { MemoryLimiter } from "../bytes/memoryLimiter.ts"
import { checkOffset, checkRange } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import { synchronousTransferBytes } from "../io/Io.ts"
import type { OffloadedBacking } from "./offloadedBacking.ts"
import { backingContent, repeatContent } from "./offloadedContent.ts"
import { makeCursor } from "./offloadedCursor.ts"
import { isOutOfMemory, OffloadedExtents } from "./offloadedExtents.ts"
import type {
  OffloadedData,
  OffloadedFileService,
  OffloadedReadError,
  OffloadedResizeError,
  OffloadedWriteError
} from "./offloadedFileService.ts"
import { materialise } from "./offloadedMaterialising.ts"
import { readExtents, readExtentsLater } from "./offloadedReading.ts"
import { reportExtents } from "./offloadedReport.ts"

class OffloadedState {
  readonly backing: OffloadedBacking
  readonly limiter: MemoryLimiter | undefined
  extents: OffloadedExtents
  private closed = false

  constructor(backing: OffloadedBacking, limiter: MemoryLimiter | undefined, extents: OffloadedExtents) {
    this.backing = backing
    this.limiter = limiter
    this.extents = extents
  }

  checkOpen(operation: string): void {
    if (this.closed) throw new Closed({ path: this.backing.path, operation })
  }

  /** Gives back what is reserved, and lets go of the bytes. */
  close(): void {
    this.closed = true
    this.limiter?.release(this.extents.memoryBytes)
    this.extents = new OffloadedExtents(undefined)
  }

  write(offset: number, data: OffloadedData): void {
    this.checkOpen("writeAt")
    const { length } = data
    checkRange("writeAt", offset, length)
    const backingOffset = data instanceof Uint8Array ? this.backing.offsetOf(data) : data.backingOffset
    if (data instanceof Uint8Array && backingOffset < 0) {
      if (length > 0) this.change(length, () => this.extents.writeBytes(offset, data))
      return
    }
    checkOffset("writeAt", "backingOffset", backingOffset)
    if (length === 0) return
    this.backing.check("writeAt", { backingOffset, length })
    this.change(0, () => this.extents.writeContent(offset, offset + length, backingContent(backingOffset)))
  }

  /** Makes a change that keeps so many bytes more: `MemoryLimit` where the system has no memory for it. */
  private change(bytes: number, write: () => void): void {
    try {
      write()
    } catch (cause) {
      if (!isOutOfMemory(cause)) throw cause
      const { memoryBytes } = this.extents
      const limit = this.limiter?.limit ?? memoryBytes
      throw new MemoryLimit({ limit, wanted: memoryBytes + bytes })
    }
  }

  resize(length: number, fill: number): void {
    this.checkOpen("resize")
    checkOffset("resize", "length", length)
    if (!Number.isInteger(fill) || fill < 0 || fill > 255) {
      const reason = `fill must be an integer from 0 to 255, not ${fill}`
      throw new InvalidArgument({ operation: "resize", reason })
    }
    const { extents } = this
    if (length < extents.length) extents.cut(length)
    else if (length > extents.length) extents.writeContent(extents.length, length, repeatContent(fill))
  }
}

/** A file of these extents, until the end of the scope. */
export const makeInstance = <E>(
  backing: OffloadedBacking,
  limiter: MemoryLimiter | undefined,
  extents: Effect.Effect<OffloadedExtents, E>
): Effect.Effect<OffloadedFileService, E, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.map(extents, (acquired) => new OffloadedState(backing, limiter, acquired)),
      (state) => Effect.sync(() => state.close())
    ),
    serviceOf
  )

/** The same once more. */
const cloneOf = (
  state: OffloadedState
): Effect.Effect<OffloadedFileService, Closed | MemoryLimit, Scope.Scope> =>
  makeInstance(
    state.backing,
    state.limiter,
    attempt(() => {
      state.checkOpen("clone")
      return state.extents.share(state.limiter)
    })
  )

const serviceOf = (state: OffloadedState): OffloadedFileService => {
  const { backing } = state
  const { path } = backing

  const unsafeReadAt = (offset: number, buffer: Uint8Array): number => {
    state.checkOpen("readAt")
    checkRange("readAt", offset, buffer.length)
    return readExtents({ extents: state.extents, backing, offset, buffer })
  }
  const unsafeWriteAt = (offset: number, data: OffloadedData): void => state.write(offset, data)

  const readAt = (offset: number, buffer: Uint8Array): Effect.Effect<number, OffloadedReadError> =>
    buffer.length <= synchronousTransferBytes
      ? attempt(() => unsafeReadAt(offset, buffer))
      : Effect.flatten(
          attempt<Effect.Effect<number, OffloadedReadError>, OffloadedReadError>(() => {
            state.checkOpen("readAt")
            checkRange("readAt", offset, buffer.length)
            return readExtentsLater({ extents: state.extents, backing, offset, buffer })
          })
        )
  const writeAt = (offset: number, data: OffloadedData): Effect.Effect<void, OffloadedWriteError> =>
    attempt(() => unsafeWriteAt(offset, data))

  const length = (): number => state.extents.length
  const extents = () => {
    state.checkOpen("extents")
    return reportExtents(state.extents)
  }
  const unsafe = { readAt: unsafeReadAt, writeAt: unsafeWriteAt }
  const cursorFile = { length, readAt, unsafe, checkOpen: (operation: string) => state.checkOpen(operation) }

  return {
    path,
    length,
    memoryBytes: () => state.extents.memoryBytes,
    readAt,
    writeAt,
    resize: (length, fill = 0) => attempt<void, OffloadedResizeError>(() => state.resize(length, fill)),
    truncate: attempt<void, Closed>(() => {
      state.checkOpen("truncate")
      state.extents.cut(0)
    }),
    flush: attempt<void, Closed>(() => state.checkOpen("flush")),
    materialise: (path) =>
      Effect.flatMap(
        attempt<OffloadedExtents, Closed>(() => {
          state.checkOpen("materialise")
          return state.extents.share(undefined)
        }),
        (shared) => materialise({ extents: shared, backing }, path)
      ).pipe(Effect.withSpan("OffloadedFile.materialise", { attributes: { path } })),
    extents,
    holes: () =>
      extents().flatMap((extent) =>
        extent.kind === "repeat" && extent.value === 0
          ? [{ offset: extent.offset, length: extent.length }]
          : []
      ),
    cursor: (options = {}) => makeCursor(cursorFile, options),
    clone: cloneOf(state),
    unsafe
  }
}
