/**
 * `lacuna read`: the bytes at a virtual offset, or at one of an object behind a URL, to standard output.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { ReadOutOfBounds } from "../bytes/errors.ts"
import { OnlyForUrls } from "./errors.ts"
import { isDirectory } from "./filePlaces.ts"
import { bytesFlag, directoryFlag } from "./flags.ts"
import { write } from "./output.ts"
import { sparseRuns, storeRuns } from "./readableRuns.ts"
import { defaultCacheDirectory } from "./remoteCache.ts"
import { type Headers, headersFlag, isUrl, placeArgument, urlFlag } from "./remoteInput.ts"
import { remoteRuns } from "./remoteRuns.ts"

export const read = Command.make(
  "read",
  {
    path: placeArgument("PATH|URL").pipe(
      Argument.withDescription(
        "the sparse file, the directory of a store, or a URL, which may be that of a sparse file"
      )
    ),
    offset: bytesFlag("offset").pipe(
      Flag.withDescription("the offset that the bytes had in the source, or got in the store")
    ),
    length: bytesFlag("length").pipe(
      Flag.optional,
      Flag.withDescription("how many bytes; without it, up to the end of what was kept there")
    ),
    cache: directoryFlag("cache").pipe(
      Flag.withMetavar("DIR"),
      Flag.optional,
      Flag.withDescription(
        "with a URL: where to keep what was read (default: lacuna in the user's cache directory)"
      )
    ),
    map: urlFlag("map").pipe(
      Flag.withMetavar("URL"),
      Flag.optional,
      Flag.withDescription(
        "with a URL: that of the sparse file's map (default: the same with .map behind it, if it is there)"
      )
    ),
    plain: Flag.Boolean("plain").pipe(
      Flag.withDefault(false),
      Flag.withDescription("with a URL: read the object as it is, even if a map lies beside it")
    ),
    headers: headersFlag
  },
  (input) => Effect.scoped(run(input))
).pipe(
  Command.withDescription(
    "Write the bytes at an offset of the source, of a store, or of an object behind a URL to standard output."
  ),
  Command.withShortDescription("read bytes at an old offset"),
  Command.withExamples([
    { command: "lacuna read events.sparse --offset 1048576 --length 512" },
    { command: "lacuna read https://host/events.sparse --offset 1048576 --length 512" }
  ])
)

const localRuns = Effect.fnUntraced(function* (path: string) {
  return yield* (yield* isDirectory(path)) ? storeRuns(path) : sparseRuns(path)
})

interface ReadInput {
  readonly path: string
  readonly offset: number
  readonly length: Option.Option<number>
  readonly cache: Option.Option<string>
  readonly map: Option.Option<string>
  readonly plain: boolean
  readonly headers: Headers
}

const runsOf = Effect.fnUntraced(function* ({ cache, headers, map, path, plain }: ReadInput) {
  if (isUrl(path)) {
    return yield* remoteRuns({
      url: path,
      headers,
      cache: Option.getOrElse(cache, defaultCacheDirectory),
      map: Option.getOrUndefined(map),
      plain
    })
  }
  const given = [
    ["cache", Option.isSome(cache)],
    ["map", Option.isSome(map)],
    ["plain", plain],
    ["header", headers.length > 0]
  ] as const
  const flag = given.find(([, isGiven]) => isGiven)?.[0]
  if (flag !== undefined) yield* new OnlyForUrls({ path, flag })
  return yield* localRuns(path)
})

const run = Effect.fnUntraced(function* (input: ReadInput) {
  const { offset } = input
  const runs = yield* runsOf(input)
  // The end is known before the first byte is out: what is not there never follows half a result.
  const length = Option.getOrElse(input.length, () => 0)
  const wanted = Option.map(input.length, (length) => offset + length)
  const limit = Option.getOrElse(wanted, () => Infinity)
  const end = yield* runs.endOf(offset, limit)
  if (Option.isSome(wanted) && end > offset && end < wanted.value) {
    yield* new ReadOutOfBounds({ path: runs.name, offset, length, end })
  }
  if (Option.isNone(wanted) || end === offset) {
    yield* runs.check(offset, Option.isSome(wanted) && length === 0 ? 0 : 1)
  }
  if (end > offset) yield* Stream.runForEach(runs.bytes(offset, end), write)
})
