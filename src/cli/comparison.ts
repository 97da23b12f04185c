/**
 * Every live byte of a sparse file, compared with the same offset of its source.
 *
 * Both are read forwards in large pieces; memory is two buffers, whatever the sizes.
 */
import * as Effect from "effect/Effect"
import type { Binding } from "../bytes/extent.ts"
import type { SparseFileReader } from "../file/SparseFileReader.ts"
import { attempt } from "../io/attempt.ts"
import type { IoFile, ReadError } from "../io/Io.ts"
import { Different, SourceTooShort } from "./errors.ts"
import { piecesOf, readAhead } from "./readAhead.ts"

const sliceBytes = 8 << 20

export type ComparisonError = ReadError | Different | SourceTooShort

export interface Comparison {
  /** Fails at the first byte, in ascending virtual order, that is another. */
  readonly run: Effect.Effect<void, ComparisonError>
  /** The bytes compared so far. */
  readonly done: () => number
}

export const comparison = (options: {
  readonly path: string
  readonly reader: SparseFileReader["Service"]
  readonly source: IoFile
}): Comparison => {
  const { path, reader, source } = options
  const data = readAhead(reader.file)
  const original = readAhead(source)
  const pieces = piecesOf(reader.offmap.entries())
  let done = 0

  const compare = ({ length, physical, virtual }: Binding): void => {
    const here = data.read(physical, length)
    if (here.length < length) reader.file.unsafe.readAt(physical, new Uint8Array(length)) // says how
    const there = original.read(virtual, length)
    if (there.length < length) {
      throw new SourceTooShort({ source: source.path, size: source.unsafe.size(), end: virtual + length })
    }
    if (Buffer.compare(here, there) !== 0) {
      const at = here.findIndex((byte, i) => byte !== there[i])
      const [mine, other] = [here[at], there[at]]
      throw new Different({ path, source: source.path, offset: virtual + at, here: mine, there: other })
    }
    done += length
  }

  /** Compares for a few milliseconds, and says whether there is more. */
  const slice = (): boolean => {
    for (const until = done + sliceBytes; done < until;) {
      const next = pieces.next()
      if (next.done === true) return false
      compare(next.value)
    }
    return true
  }

  const run = Effect.gen(function* () {
    while (yield* attempt<boolean, ComparisonError>(slice)) yield* Effect.yieldNow
  })
  return { run, done: () => done }
}
