/**
 * Faults of an append-only file: creating, overwriting and opening it, appends that flush by themselves and by a procedure
 * of the user's, flushes, fsyncs and closing.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { PendingFlush } from "../src/bytes/errors.ts"
import { AppendOnlyFile } from "../src/file/AppendOnlyFile.ts"
import type { AppendOnlyFileService } from "../src/file/appendOnlyFileService.ts"
import { attempt } from "../src/io/attempt.ts"
import { Io } from "../src/io/Io.ts"
import type { ExploreFaultsOptions } from "../src/testing/exploreFaults.ts"
import { demand, faultPart, mayFail } from "./faultPart.ts"
import { memoryImage } from "./memoryImage.ts"
import { Refusals } from "./refusals.ts"

const path = "/file"
const deadHeaderSize = 10
const header = "H".repeat(deadHeaderSize)

/** What must be a beginning of the file from now on. */
type Note = string
type Scenario = ExploreFaultsOptions<string, Note>

const decode = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")
const encode = (text: string): Uint8Array => Buffer.from(text, "latin1")

/** Everything that the file has, flushed by whom ever. */
const recover = Effect.gen(function* () {
  const io = yield* Io
  if ((yield* io.classify(path)) === "none") return ""
  const endPoff = yield* io.sizeOf(path)
  const file = yield* AppendOnlyFile.openRo({ path, endPoff, deadHeaderSize: 0 })
  return decode(yield* file.read(0, endPoff))
})

const law = (found: string, notes: ReadonlyArray<Note>): void => {
  const promised = notes[notes.length - 1] ?? ""
  demand(found.startsWith(promised), `found "${found}", and "${promised}" was flushed`)
}

/** Appends behind what was found, in a new file where there was none. */
const goOn = Effect.fnUntraced(function* (found: string, note: (note: Note) => void) {
  const io = yield* Io
  const isThere = (yield* io.classify(path)) === "file"
  const file = isThere
    ? yield* AppendOnlyFile.openRw({ path, endPoff: found.length, deadHeaderSize: 0 })
    : yield* AppendOnlyFile.createRw({ path, overwrite: false })
  yield* file.append(encode("again"))
  yield* file.flush
  yield* file.fsync
  note(`${found}again`)
  yield* file.close
})

/** Appends in every way, and holds what the file tells of itself against what was appended. */
const appends = Effect.fnUntraced(function* (
  file: AppendOnlyFileService<unknown>,
  { before, note, refusals }: { before: string; note: (note: Note) => void; refusals: Refusals }
) {
  let content = ""
  const after = (exit: Exit.Exit<number, unknown>, offset: number): void => {
    // "Has been made all the same": whatever the flush said.
    demand(file.endPoff() === content.length, `it ends at ${file.endPoff()}, not at ${content.length}`)
    if (Exit.isSuccess(exit)) demand(exit.value === offset, `${exit.value} is not ${offset}`)
    if (file.emptyBuffer()) note(before + content)
  }
  const append = (text: string, how: (bytes: Uint8Array) => Effect.Effect<number, unknown>) =>
    Effect.suspend(() => {
      const offset = content.length
      content += text
      return Effect.map(refusals.attempted(how(encode(text))), (exit) => after(exit, offset))
    })
  const flush = Effect.map(refusals.attempted(file.flush), (exit) => {
    demand(file.emptyBuffer() === Exit.isSuccess(exit), "a flush is told as what it was not")
    if (Exit.isSuccess(exit)) note(before + content)
  })
  // "After a failure it is never tried again, and every later flush and fsync fails with Poisoned."
  const fsync = Effect.flatMap(refusals.attempted(file.fsync), (exit) =>
    Exit.isSuccess(exit)
      ? Effect.void
      : Effect.map(Effect.exit(file.fsync), (again) => {
          const failed = Exit.isFailure(again) && again.cause.reasons.some(isPoisoned)
          demand(failed, "after a failed fsync the next one is not Poisoned")
        })
  )
  const read = Effect.suspend(() => {
    const { length } = content
    return Effect.map(refusals.attempted(file.read(0, length)), (exit) => {
      if (Exit.isSuccess(exit)) demand(decode(exit.value) === content, `read "${decode(exit.value)}"`)
    })
  })
  yield* append("one two ", file.append)
  yield* append("three four five six ", file.append)
  yield* append("seven ", (bytes) => file.appendAll([bytes.subarray(0, 3), bytes.subarray(3)]))
  yield* flush
  yield* fsync
  yield* read
  yield* append("eight nine ten eleven ", (bytes) =>
    Effect.catchIf(
      attempt<number, { readonly _tag: string }>(() => file.unsafe.append(bytes)),
      ({ _tag }) => _tag === "Unsupported",
      () => file.append(bytes)
    )
  )
  yield* append("twelve", file.append)
  yield* flush
  yield* read
  yield* fsync
  const exit = yield* refusals.attempted(file.close)
  // What was refused to be flushed is in the way of a close, and nothing else is.
  if (Exit.isSuccess(exit)) demand(file.emptyBuffer(), "closed with bytes that were not flushed")
})

const isPoisoned = (reason: Cause.Reason<{ readonly _tag: string }>): boolean =>
  Cause.isFailReason(reason) && reason.error._tag === "Poisoned"

const options = { path, autoFlushThreshold: 16, readsBuffer: true }

type Make = Effect.Effect<AppendOnlyFileService<unknown>, unknown, Io | Scope.Scope>

const scenario = (
  make: Make,
  { before = "", prepare }: { before?: string; prepare?: Effect.Effect<void, unknown, Io> } = {}
): Scenario => ({
  prepare,
  workload: (note) =>
    Effect.gen(function* () {
      const refusals = new Refusals()
      const file = yield* make
      yield* appends(file, { before, note, refusals })
      yield* refusals.end
    }),
  recover,
  law,
  goOn,
  mayFail: (error, faults) => mayFail(error, faults) || error instanceof PendingFlush
})

const scenarios = async (): Promise<Readonly<Record<string, Scenario>>> => {
  const { lay: prepare } = await memoryImage(
    Effect.gen(function* () {
      const file = yield* (yield* Io).create(path, { overwrite: false })
      yield* file.writeAt(0, encode(`${header}a tail that no one knows of`))
    })
  )
  const external = {
    external: (file: AppendOnlyFileService<never>) => Effect.andThen(file.flush, file.fsync)
  }
  return {
    create: scenario(AppendOnlyFile.createRw({ ...options, overwrite: false })),
    overwrite: scenario(
      AppendOnlyFile.createRw({ ...options, overwrite: true, autoFlushProcedure: external }),
      { prepare }
    ),
    open: scenario(AppendOnlyFile.openRw({ ...options, endPoff: 0, deadHeaderSize }), {
      before: header,
      prepare
    })
  }
}

export const part = faultPart<string, Note>({ scenarios })
