/**
 * Runs of a sparse file that lies elsewhere: what can be read without a break in virtual space, over however
 * many extents, and what is said of the rest. Its answers are those of `SparseRuns`, but have to be waited for.
 */
import * as Effect from "effect/Effect"
import type { InvalidArgument, SourceFailed } from "../bytes/errors.ts"
import { Corrupt, InvalidSparseRead, ReadOutOfBounds } from "../bytes/errors.ts"
import type { Binding } from "../bytes/extent.ts"
import { checkOffset, checkRange } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import type { OffmapRemote } from "./offmapRemote.ts"
import { nextCoveredIn, pageOfCells } from "./offmapWalks.ts"
import type { RemoteData } from "./remoteData.ts"

export type RemoteLookupError<E> = E | Corrupt | InvalidArgument | SourceFailed
export type RemoteReadError<E> = RemoteLookupError<E> | InvalidSparseRead | ReadOutOfBounds

/** A piece of a run, back to back in the data. */
export interface RunPart {
  readonly physical: number
  /** How far behind the beginning of what is read. */
  readonly at: number
  readonly length: number
}

/** What of a range can be read without a break. */
export interface Run {
  readonly parts: ReadonlyArray<RunPart>
  readonly end: number
}

export interface RemoteRunsOptions<E> {
  readonly data: RemoteData<E>
  readonly map: OffmapRemote<E | SourceFailed>
}

/** Bindings that one lookup follows before it is a new one, and has nothing to repeat. */
const bindingsPerLookup = 64

export class RemoteRuns<E> {
  private readonly data: RemoteData<E>
  private readonly map: OffmapRemote<E | SourceFailed>

  constructor({ data, map }: RemoteRunsOptions<E>) {
    this.data = data
    this.map = map
  }

  /** A run that must hold all of a range. */
  whole(offset: number, length: number): Effect.Effect<Run, RemoteReadError<E>> {
    return Effect.flatMap(this.from(offset, length), (run) =>
      run.end === offset + length
        ? Effect.succeed(run)
        : Effect.fail(new ReadOutOfBounds({ path: this.data.name, offset, length, end: run.end }))
    )
  }

  /** The run that begins at `offset`, as far as `atMost` bytes of it. */
  from(offset: number, atMost: number): Effect.Effect<Run, RemoteReadError<E>> {
    return Effect.gen({ self: this }, function* () {
      yield* attempt<void, InvalidArgument>(() => checkRange("read", offset, atMost))
      const parts: Array<RunPart> = []
      const limit = offset + atMost
      let end = offset
      while (end < limit) {
        const bindings = yield* this.map.ask((map) => bindingsFrom(map, end, limit))
        for (const binding of bindings) {
          const fault = this.beyondData(binding)
          if (fault !== undefined) return yield* fault
          const part = partOf(binding, { from: end, limit })
          append(parts, { ...part, at: end - offset })
          end += part.length
        }
        if (bindings.length < bindingsPerLookup) break
      }
      if (end === offset && atMost > 0) return yield* this.notKept(offset)
      return { parts, end }
    })
  }

  /** The smallest offset at or after this one that an extent covers, or undefined. */
  next(offset: number): Effect.Effect<number | undefined, RemoteLookupError<E>> {
    return Effect.gen({ self: this }, function* () {
      yield* attempt<void, InvalidArgument>(() => checkOffset("nextValidOffset", "offset", offset))
      const { cells, first, last } = this.map.map
      if (cells === 0 || offset > last) return undefined
      // A page at a time: a walk over points may go through more pages than are ever here at once.
      let cell = yield* this.map.ask((map) => map.cellOf(Math.max(offset, first)))
      while (cell < cells) {
        const range = pageOfCells(cell, cells)
        const found = yield* this.map.ask((map) => nextCoveredIn(map, offset, range))
        if (found !== undefined) return found
        cell = range.end
      }
      return undefined
    })
  }

  private notKept(offset: number): Effect.Effect<never, RemoteReadError<E>> {
    return Effect.gen({ self: this }, function* () {
      const next = yield* this.next(offset)
      const first = next === undefined ? undefined : yield* this.next(0)
      const reason = next === undefined ? "after" : next === first ? "before" : "hole"
      return yield* new InvalidSparseRead({ path: this.data.name, offset, reason })
    })
  }

  private beyondData({ length, physical, virtual }: Binding): Corrupt | undefined {
    if (physical + length <= this.data.length) return undefined
    const reason = `the binding of ${length} bytes at ${virtual} reaches beyond the data`
    return new Corrupt({ path: this.map.name, offset: 0, reason })
  }
}

/** What of a binding lies from `from` on, up to `limit`. */
const partOf = (
  binding: Binding,
  { from, limit }: { readonly from: number; readonly limit: number }
): { readonly physical: number; readonly length: number } => {
  const into = from - binding.virtual
  return { physical: binding.physical + into, length: Math.min(limit - from, binding.length - into) }
}

/** Adds a part behind the others: to the last one, if it goes on where that ends. */
const append = (parts: Array<RunPart>, part: RunPart): void => {
  const before = parts.at(-1)
  if (before !== undefined && before.physical + before.length === part.physical) {
    parts[parts.length - 1] = { ...before, length: before.length + part.length }
  } else {
    parts.push(part)
  }
}

/** The bindings that cover a range without a break, from its beginning on: some of them. */
const bindingsFrom = (
  map: { locate(virtual: number): Binding | undefined },
  from: number,
  limit: number
): Array<Binding> => {
  const bindings: Array<Binding> = []
  for (let at = from; at < limit && bindings.length < bindingsPerLookup;) {
    const binding = map.locate(at)
    if (binding === undefined || binding.length === 0) break
    bindings.push(binding)
    at = binding.virtual + binding.length
  }
  return bindings
}
