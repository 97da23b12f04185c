/**
 * The law of page slots: whatever is found, inserted and removed, a page that is in has one slot of
 * its own until it is removed or makes room, and one makes room only where no slot is free.
 */
import * as fc from "fast-check"
import { it } from "vitest"
import { PageSlots } from "../src/file/pageSlots.ts"
import { PageTable } from "../src/file/pageTable.ts"
import { runProperty } from "./runs.ts"

type Step = readonly [verb: "read" | "peek" | "remove" | "keep", page: number]

const slotCounts = fc.oneof(
  fc.integer({ min: 0, max: 6 }).map((bits) => 2 ** bits),
  fc.integer({ min: 1, max: 40 })
)

/** Few enough pages that they come back, near zero and near the end of what a page may be. */
const pagesOf = (count: number): fc.Arbitrary<number> =>
  fc
    .tuple(fc.nat(3 * count), fc.constantFrom(0, 2 ** 32, 2 ** 53 - 1 - 3 * count))
    .map(([i, base]) => base + i)

const stepsOf = (pages: fc.Arbitrary<number>): fc.Arbitrary<Array<Step>> => {
  const verb = fc.constantFrom<Array<Step[0]>>("read", "read", "read", "read", "keep", "peek", "remove")
  const runs = fc
    .tuple(fc.nat(200), fc.constantFrom(1, 2))
    .map(([length, times]) =>
      Array.from({ length: length * times }, (_, i): Step => ["read", 1e6 + Math.floor(i / times)])
    )
  const some = fc.array(fc.tuple(verb, pages), { maxLength: 200 })
  return fc
    .array(fc.oneof({ weight: 4, arbitrary: some }, { weight: 1, arbitrary: runs }), { maxLength: 6 })
    .map((parts) => parts.flat())
}

const scenarios = slotCounts.chain((count) => fc.tuple(fc.constant(count), stepsOf(pagesOf(count))))

/** Vitest's own assertions are too slow for every step. */
const check = (what: string, holds: boolean): void => {
  if (!holds) throw new Error(`${what}: not so`)
}

const insert = (slots: PageSlots, model: Map<number, number>, count: number, [verb, page]: Step): void => {
  const wasFull = model.size === count
  const slot = verb === "keep" ? slots.insertKept(page) : slots.insert(page)
  const evicted = [...model.keys()].filter((each) => slots.peek(each) === -1)
  check("one page makes room where all slots are taken, and none otherwise", evicted.length === +wasFull)
  check("it says which page made room", slots.evicted === (evicted[0] ?? -1))
  for (const each of evicted) model.delete(each)
  check("the slot is one of the cache's", Number.isInteger(slot) && slot >= 0 && slot < count)
  check(
    "the slot is nobody else's",
    [...model.values()].every((each) => each !== slot)
  )
  model.set(page, slot)
  check("the page is there right after", slots.find(page) === slot)
}

it("a page that is in has one slot of its own; one makes room only where none is free", () =>
  runProperty(
    fc.property(scenarios, ([count, steps]) => {
      const slots = new PageSlots(count)
      const model = new Map<number, number>()
      for (const [verb, page] of steps) {
        check("a page stays where it is", slots.peek(page) === (model.get(page) ?? -1))
        if (verb === "remove") {
          slots.remove(page)
          model.delete(page)
          check("a removed page is gone", slots.peek(page) === -1)
        } else if (verb === "keep" && model.has(page)) slots.keep(page)
        else if (verb !== "peek" && slots.find(page) === -1) insert(slots, model, count, [verb, page])
        check("the size is the number of pages", slots.size === model.size)
      }
      for (const [page, slot] of model) check("a page stays where it is", slots.peek(page) === slot)
    }),
    { runs: 300 }
  ))

/** Undoes the table's hash, so that pages can be made that crowd around a few of its entries. */
const inverse = 0xe8b2f51
const crowded = fc
  .tuple(fc.nat(7), fc.nat(11))
  .map(([entry, i]) => Math.imul(inverse, (entry << 29) + i) >>> 0)

it("a table of places finds what a map finds", () =>
  runProperty(
    fc.property(
      fc
        .integer({ min: 1, max: 40 })
        .chain((places) =>
          fc.tuple(
            fc.constant(places),
            fc.array(fc.tuple(fc.nat(places - 1), fc.oneof(pagesOf(places), crowded)), { maxLength: 300 })
          )
        ),
      ([places, steps]) => {
        const table = new PageTable(places)
        const placeOf = new Map<number, number>()
        const pageOf = new Map<number, number>()
        for (const [place, page] of steps) {
          const before = pageOf.get(place) ?? -1
          check("a place gives back what it held", table.empty(place) === before)
          placeOf.delete(before)
          pageOf.delete(place)
          if (!placeOf.has(page)) {
            table.put(place, page)
            placeOf.set(page, place)
            pageOf.set(place, page)
          }
          for (const [, each] of steps)
            check("a page is found", table.find(each) === (placeOf.get(each) ?? -1))
        }
      }
    ),
    { runs: 200 }
  ))
