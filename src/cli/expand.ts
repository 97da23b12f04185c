/**
 * `lacuna expand`: the live bytes back at their old offsets, in a file that any tool can read.
 *
 * Where nothing was kept the new file has holes, which read as zeros and take no space. It is
 * written as `<FILE>.tmp`, under a lock, and gets its name once it is whole and durable.
 */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type { Binding } from "../bytes/extent.ts"
import { claimTemporaryFile } from "../file/temporaryFile.ts"
import { attempt } from "../io/attempt.ts"
import { Io, type IoFile, type ReadError, type WriteError } from "../io/Io.ts"
import { duration, exactSize } from "./figures.ts"
import { mustBeFree, mustDiffer } from "./filePlaces.ts"
import { jsonFlag, pathArgument, pathFlag } from "./flags.ts"
import { print, printJson } from "./output.ts"
import { withProgress } from "./progress.ts"
import { piecesOf, readAhead } from "./readAhead.ts"
import { openSparse } from "./sparseInput.ts"
import { totalsOf } from "./totals.ts"

/** Holes are made of whole blocks of this size; file systems know no smaller ones. */
const blockBytes = 4096
const bufferBytes = 1 << 20

export const expand = Command.make(
  "expand",
  {
    path: pathArgument("PATH").pipe(Argument.withDescription("the sparse file")),
    out: pathFlag("out").pipe(Flag.withMetavar("FILE"), Flag.withDescription("the file to create")),
    json: jsonFlag
  },
  (input) => Effect.scoped(run(input))
).pipe(
  Command.withDescription("Write the live bytes back at their old offsets, with holes between them."),
  Command.withShortDescription("write an ordinary file, with holes, from a sparse file"),
  Command.withExamples([{ command: "lacuna expand events.sparse --out events.log" }])
)

const run = Effect.fnUntraced(function* (input: {
  readonly path: string
  readonly out: string
  readonly json: boolean
}) {
  const start = performance.now()
  const { json, out, path } = input
  const io = yield* Io
  yield* mustDiffer({ path: out, other: path, roles: "both PATH and --out" })
  yield* mustBeFree(out)
  const reader = yield* openSparse(path)
  const target = yield* claimTemporaryFile(io, out)
  const { bytes, end } = yield* totalsOf(reader)
  // The whole size at once: a file system that can't have it says so before a byte is written.
  yield* target.file.truncate(end)
  const writing = holeyWriter(target.file)
  yield* withProgress(copyLive(reader.offmap.entries(), reader.file, writing), {
    label: "expanding",
    progress: () => ({ bytes: writing.written(), total: bytes }),
    quiet: json
  })
  yield* target.promote
  const result = {
    path,
    out,
    liveBytes: bytes,
    fileBytes: end,
    millis: Math.round(performance.now() - start)
  }
  yield* json
    ? printJson(result)
    : print(`${out} has ${exactSize(end)}, ${exactSize(bytes)} of them live, in ${duration(result.millis)}`)
})

const copyLive = (
  bindings: Iterable<Binding>,
  data: IoFile,
  writing: HoleyWriter
): Effect.Effect<void, ReadError | WriteError> => {
  const source = readAhead(data)
  const pieces = piecesOf(bindings)
  /** Copies for a few milliseconds, and says whether there is more. */
  const slice = (): boolean => {
    for (let left = 4 * bufferBytes; left > 0;) {
      const next = pieces.next()
      if (next.done === true) {
        writing.flush()
        return false
      }
      const { length, physical, virtual } = next.value
      const bytes = source.read(physical, length)
      if (bytes.length < length) data.unsafe.readAt(physical, new Uint8Array(length)) // says how
      writing.add(virtual, bytes)
      left -= length
    }
    return true
  }
  return Effect.gen(function* () {
    while (yield* attempt<boolean, ReadError | WriteError>(slice)) yield* Effect.yieldNow
  })
}

interface HoleyWriter {
  /** Adds bytes behind those added before. */
  readonly add: (offset: number, bytes: Uint8Array) => void
  readonly flush: () => void
  /** The bytes added so far. */
  readonly written: () => number
}

/**
 * Gathers what lies close together, and writes it at once: across a gap within which no whole block
 * could be a hole, zeros cost nothing and a second system call would.
 */
const holeyWriter = (file: IoFile): HoleyWriter => {
  const buffer = new Uint8Array(bufferBytes)
  let start = 0
  let size = 0
  let written = 0
  const flush = (): void => {
    if (size > 0) file.unsafe.writeAt(start, buffer.subarray(0, size))
    size = 0
  }
  const add = (offset: number, bytes: Uint8Array): void => {
    const gap = offset - start - size
    const nextBlock = Math.ceil((start + size) / blockBytes) * blockBytes
    const holeFits = nextBlock + blockBytes <= offset
    if (size > 0 && (holeFits || size + gap + bytes.length > bufferBytes)) flush()
    if (size === 0) start = offset
    else buffer.fill(0, size, size + gap)
    size = offset - start
    buffer.set(bytes, size)
    size += bytes.length
    written += bytes.length
  }
  return { add, flush, written: () => written }
}
