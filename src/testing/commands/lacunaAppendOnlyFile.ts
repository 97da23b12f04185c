/**
 * lacuna's own append-only file as an engine: one file of an Io, with writes and syncs that fail when they are told to.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { IoFailed, NoSpace } from "../../bytes/errors.ts"
import {
  AppendOnlyFile,
  type AppendOnlyFileService,
  type AppendOnlyFlushError,
  type AutoFlushProcedure
} from "../../file/AppendOnlyFile.ts"
import { attempt } from "../../io/attempt.ts"
import { Io, type IoFile, type IoService, type SyncError, type WriteError } from "../../io/Io.ts"
import { type ModelProcedure, procedureFailure } from "../models/appendOnlyFile.ts"
import type { AppendOnlyFileEngine, AppendOnlyFileHandle } from "./appendOnlyFileEngine.ts"

class ProcedureRefused extends Data.TaggedError(procedureFailure) {}

/** What the model's disk can be told too. */
interface Faults {
  failingWrite: number
  failingWriteBytes: number
  failsNextSync: boolean
}

const faultyFile = (file: IoFile, faults: Faults): IoFile => {
  const writeAt = (offset: number, bytes: Uint8Array): void => {
    if (faults.failingWrite > 0) {
      faults.failingWrite -= 1
      if (faults.failingWrite === 0) {
        const written = Math.min(bytes.length, faults.failingWriteBytes)
        if (written > 0) file.unsafe.writeAt(offset, bytes.subarray(0, written))
        throw new NoSpace({ path: file.path, syscall: "write" })
      }
    }
    file.unsafe.writeAt(offset, bytes)
  }
  return {
    ...file,
    writeAt: (offset, bytes) => attempt<void, WriteError>(() => writeAt(offset, bytes)),
    sync: Effect.suspend((): Effect.Effect<void, SyncError> => {
      if (!faults.failsNextSync) return file.sync
      faults.failsNextSync = false
      return Effect.fail(new IoFailed({ syscall: "fsync", path: file.path, code: "EIO", cause: "told to" }))
    }),
    unsafe: { ...file.unsafe, writeAt }
  }
}

const procedureOf = (
  procedure: ModelProcedure
): AutoFlushProcedure<AppendOnlyFlushError | ProcedureRefused> => {
  switch (procedure) {
    case "internal":
      return "internal"
    case "flushes":
      return { external: (file) => file.flush }
    case "does nothing":
      return { external: () => Effect.void }
    case "fails":
      return { external: () => Effect.fail(new ProcedureRefused()) }
  }
}

/** Warnings about tails and errors about lost bytes are expected here. */
const quietly = Effect.provide(Logger.layer([]))

const handleOf = (file: AppendOnlyFileService<unknown>, scope: Scope.Closeable): AppendOnlyFileHandle => ({
  append: (bytes) => file.append(bytes),
  appendAll: (records) => file.appendAll(records),
  unsafeAppend: (bytes) => file.unsafe.append(bytes),
  read: (offset, length) => file.read(offset, length),
  readInto: (offset, buffer) => file.readInto(offset, buffer),
  unsafeReadInto: (offset, buffer) => file.unsafe.readInto(offset, buffer),
  flush: () => file.flush,
  fsync: () => file.fsync,
  refreshEndPoff: (end) => file.refreshEndPoff(end),
  endPoff: () => file.endPoff(),
  emptyBuffer: () => file.emptyBuffer(),
  close: () => file.close,
  leave: () => quietly(Scope.close(scope, Exit.void))
})

/** The file at `path`, which does not exist yet. It has all features. */
export const lacunaAppendOnlyFile = (io: IoService, path: string): AppendOnlyFileEngine => {
  const faults: Faults = { failingWrite: 0, failingWriteBytes: 0, failsNextSync: false }
  const faulty: IoService = {
    ...io,
    create: (at, options) => Effect.map(io.create(at, options), (file) => faultyFile(file, faults)),
    open: (at, options) => Effect.map(io.open(at, options), (file) => faultyFile(file, faults))
  }
  const opened = (file: Effect.Effect<AppendOnlyFileService<unknown>, unknown, Io | Scope.Scope>) =>
    Effect.suspend(() => {
      const scope = Scope.makeUnsafe()
      return file.pipe(
        Effect.map((service) => handleOf(service, scope)),
        Effect.provideService(Io, faulty),
        Scope.provide(scope),
        // The scope lives on while it is seen that a refusal keeps no lock.
        Effect.tapError(() => Effect.orDie(unlocked)),
        Effect.onError(() => Scope.close(scope, Exit.void)),
        quietly
      )
    })
  const unlocked = Effect.gen(function* () {
    if ((yield* io.classify(path)) === "file") yield* Effect.scoped(io.lock(path))
  })
  return {
    create: ({ autoFlushThreshold, procedure, readsBuffer }, overwrite) =>
      opened(
        AppendOnlyFile.createRw({
          path,
          overwrite,
          autoFlushThreshold,
          autoFlushProcedure: procedureOf(procedure),
          readsBuffer
        })
      ),
    open: ({ autoFlushThreshold, deadHeaderSize, endPoff, procedure, readonly, readsBuffer }) => {
      const place = { path, endPoff, deadHeaderSize }
      const writing = { autoFlushThreshold, autoFlushProcedure: procedureOf(procedure), readsBuffer }
      return opened(readonly ? AppendOnlyFile.openRo(place) : AppendOnlyFile.openRw({ ...place, ...writing }))
    },
    bytes: () =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* io.open(path, { readonly: true })
          const bytes = new Uint8Array(yield* file.size)
          yield* file.readAt(0, bytes)
          return bytes
        })
      ),
    failWrite: (after, written) => {
      faults.failingWrite = after
      faults.failingWriteBytes = written
    },
    failSync: () => {
      faults.failsNextSync = true
    }
  }
}
