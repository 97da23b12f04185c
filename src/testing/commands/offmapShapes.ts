/**
 * Sets of bindings, and the offsets worth asking for: runs of bindings that resemble each other, so that
 * every kind of cell and every shape of index comes up, and orders to add them in.
 */
import type { Binding } from "../../bytes/extent.ts"
import { modelEnd } from "../models/offmap.ts"
import { Random } from "../random.ts"
import { type Arbitrary, type FastCheck, oneOf } from "./fastCheck.ts"

const maxOffset = 2 ** 53 - 1

/** Spread evenly over the orders of magnitude up to 2^`bits`: log-normal, or nearly. */
const magnitude = (fc: FastCheck, bits: number): Arbitrary<number> =>
  fc
    .tuple(fc.integer({ min: 0, max: bits }), fc.maxSafeNat())
    .map(([order, value]) => Math.floor(value / 2 ** (53 - order)))

/** Where a run's bindings are bound to: each right behind the one before, or wherever. */
type Place = "behind" | "near" | "far" | "same"

interface Run {
  readonly count: number
  readonly gap: number
  readonly length: number
  readonly place: Place
  /** Varies gaps and lengths within the run. */
  readonly jitter: number
}

const runOf = (fc: FastCheck): Arbitrary<Run> =>
  fc.record({
    count: fc.integer({ min: 1, max: 40 }),
    gap: oneOf(fc, [3, fc.constant(0)], [4, fc.nat(300)], [3, magnitude(fc, 33)], [1, magnitude(fc, 52)]),
    length: oneOf(
      fc,
      [3, fc.constant(0)],
      [5, fc.integer({ min: 1, max: 12_000 })],
      [3, fc.integer({ min: 1, max: 2 ** 29 })],
      [1, fc.constantFrom(0xfffe, 0xffff, 0x10000, 0x7ffffffd, 0x7ffffffe, 0x7fffffff)],
      [1, magnitude(fc, 50)]
    ),
    place: fc.constantFrom<Place>("behind", "behind", "behind", "near", "far", "same"),
    jitter: fc.nat(8)
  })

/** Lays the runs out from `start` on, and leaves out what would end beyond 2^53-1. */
const layOut = (runs: ReadonlyArray<Run>, start: number, seed: number): Array<Binding> => {
  const random = new Random(seed)
  const bindings: Array<Binding> = []
  let at = start
  let place = Math.floor(random.fraction() * 2 ** 40)
  for (const { count, gap, jitter, length, place: where } of runs) {
    for (let i = 0; i < count; i++) {
      // Some runs are even, as fixed-size records are, and some are not.
      const virtual = at + (jitter === 0 ? gap : Math.floor(gap * random.fraction() * 2))
      const bytes = jitter < 2 || length === 0 ? length : Math.max(1, Math.floor(length * random.fraction()))
      if (where === "near") place = Math.max(0, place + Math.floor((random.fraction() - 0.5) * 2 ** 31))
      if (where === "far")
        place = Math.floor(random.fraction() * 2 ** (20 + Math.floor(random.fraction() * 33)))
      if (virtual + bytes > maxOffset) return bindings
      if (place + bytes > maxOffset) place = 0
      bindings.push({ virtual, physical: place, length: bytes })
      at = modelEnd(bindings[bindings.length - 1])
      if (where !== "same") place += bytes
    }
  }
  return bindings
}

/** Moves all of them up so that the last one ends, or the last point lies, at 2^53-1. */
const moveToTheEnd = (bindings: ReadonlyArray<Binding>): Array<Binding> => {
  if (bindings.length === 0) return []
  const last = bindings[bindings.length - 1]
  const shift = maxOffset - (last.virtual + last.length)
  return bindings.map((binding) => ({ ...binding, virtual: binding.virtual + shift }))
}

/** Bindings that ascend and don't overlap. */
export const ascendingBindings = (fc: FastCheck, maxRuns: number): Arbitrary<Array<Binding>> =>
  fc
    .record({
      runs: fc.array(runOf(fc), { maxLength: maxRuns, size: "max" }),
      start: fc.oneof(fc.constant(0), fc.nat(1000), magnitude(fc, 53)),
      seed: fc.nat(),
      toTheEnd: fc.integer({ min: 0, max: 3 }).map((value) => value === 3)
    })
    .map(({ runs, seed, start, toTheEnd }) => {
      const bindings = layOut(runs, start, seed)
      return toTheEnd ? moveToTheEnd(bindings) : bindings
    })

export type BindingOrder = "ascending" | "descending" | "shuffled" | "runs"
export const bindingOrders = (fc: FastCheck): Arbitrary<BindingOrder> =>
  fc.constantFrom<BindingOrder>("ascending", "descending", "shuffled", "runs")

const shuffled = <A>(values: ReadonlyArray<A>, random: Random): Array<A> => {
  const result = [...values]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random.fraction() * (i + 1))
    const value = result[i]
    result[i] = result[j]
    result[j] = value
  }
  return result
}

/** The bindings in the order in which they are to be added. */
export const inOrder = (
  bindings: ReadonlyArray<Binding>,
  order: BindingOrder,
  seed: number
): Array<Binding> => {
  const random = new Random(seed)
  switch (order) {
    case "ascending":
      return [...bindings]
    case "descending":
      return [...bindings].reverse()
    case "shuffled":
      return shuffled(bindings, random)
    case "runs": {
      const runs: Array<Array<Binding>> = []
      for (let from = 0; from < bindings.length;) {
        const to = from + 1 + Math.floor(random.fraction() * 30)
        runs.push(bindings.slice(from, to))
        from = to
      }
      return shuffled(runs, random).flat()
    }
  }
}

/** Offsets worth asking for: in, at the edges of, between and around the bindings. */
export const askedOffsets = (bindings: ReadonlyArray<Binding>, seed: number): Float64Array => {
  const random = new Random(seed)
  const asked = [0, 1, maxOffset - 1, maxOffset]
  for (const binding of bindings) {
    const { length, virtual } = binding
    const end = modelEnd(binding)
    asked.push(virtual - 1, virtual, virtual + 1, end - 1, end, end + 1)
    asked.push(virtual + Math.floor(length / 2), virtual + Math.floor(length * random.fraction()))
  }
  for (let i = 1; i < bindings.length; i++) {
    const end = modelEnd(bindings[i - 1])
    asked.push(end + Math.floor((bindings[i].virtual - end) * random.fraction()))
  }
  for (let i = 0; i < 20; i++) asked.push(Math.floor(random.fraction() * 2 ** (53 * random.fraction())))
  return Float64Array.from(asked.filter((offset) => offset >= 0 && offset <= maxOffset))
}
