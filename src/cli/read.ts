/**
 * `lacuna read`: the bytes at a virtual offset, to standard output.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { ReadOutOfBounds } from "../bytes/errors.ts"
import { isDirectory } from "./filePlaces.ts"
import { bytesFlag, pathArgument } from "./flags.ts"
import { write } from "./output.ts"
import { pieceBytes, sparseRuns, storeRuns } from "./readableRuns.ts"

export const read = Command.make(
  "read",
  {
    path: pathArgument("PATH").pipe(Argument.withDescription("the sparse file, or the directory of a store")),
    offset: bytesFlag("offset").pipe(
      Flag.withDescription("the offset that the bytes had in the source, or got in the store")
    ),
    length: bytesFlag("length").pipe(
      Flag.optional,
      Flag.withDescription("how many bytes; without it, up to the end of what was kept there")
    )
  },
  (input) => Effect.scoped(run(input))
).pipe(
  Command.withDescription("Write the bytes at an offset of the source, or of a store, to standard output."),
  Command.withShortDescription("read bytes at an old offset"),
  Command.withExamples([{ command: "lacuna read events.sparse --offset 1048576 --length 512" }])
)

const run = Effect.fnUntraced(function* (input: {
  readonly path: string
  readonly offset: number
  readonly length: Option.Option<number>
}) {
  const { offset, path } = input
  const runs = yield* (yield* isDirectory(path)) ? storeRuns(path) : sparseRuns(path)
  // The end is known before the first byte is out: an error never follows half a result.
  const length = Option.getOrElse(input.length, () => 0)
  const wanted = Option.map(input.length, (length) => offset + length)
  const limit = Option.getOrElse(wanted, () => Infinity)
  const end = yield* runs.endOf(offset, limit)
  if (Option.isSome(wanted) && end > offset && end < wanted.value) {
    yield* new ReadOutOfBounds({ path, offset, length, end })
  }
  if (Option.isNone(wanted) || end === offset) {
    // Fails where `offset` is in no extent, and says what is there instead. No bytes are anywhere.
    const least = Option.getOrElse(input.length, () => 1)
    yield* runs.read(offset, Math.min(1, least))
  }
  for (let at = offset; at < end; at += pieceBytes) {
    yield* write(yield* runs.read(at, Math.min(pieceBytes, end - at)))
  }
})
