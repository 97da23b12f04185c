/** A map of offsets as a stranger might write it: sorted arrays and a binary search; and what may be wrong about one. */
import type { Binding } from "../../src/bytes/extent.ts"
import type { OffmapEngine } from "../../src/testing/index.ts"

export const mapDefects = {
  "the byte behind a binding in it": "end",
  "points that answer nothing": "point",
  "offsets of 32 bits": "offsets of 32 bits",
  "a map that goes on growing with its builder": "alias",
  "overlaps that are taken": "overlap",
  "a search that misses the last binding": "last",
  "a next that stops at points": "next",
  "sums beyond 2^53": "sum",
  "an order of adding that is believed": "order"
} as const

export type MapDefect = (typeof mapDefects)[keyof typeof mapDefects]

const refused = (): never => {
  throw Object.assign(new Error("no"), { _tag: "InvalidArgument" })
}

const isOffset = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

const endOf = ({ length, virtual }: Binding): number => virtual + Math.max(1, length)

export const plainMap = (defect?: MapDefect): OffmapEngine => {
  const stored = (value: number): number => (defect === "offsets of 32 bits" ? value >>> 0 : value)
  const answers = (bindings: ReadonlyArray<Binding>) => {
    const covering = (virtual: number): Binding | undefined => {
      let [low, high] = [0, bindings.length - (defect === "last" ? 1 : 0)]
      while (low < high) {
        const middle = (low + high) >> 1
        if (bindings[middle].virtual <= virtual) low = middle + 1
        else high = middle
      }
      const found = bindings[low - 1]
      if (found === undefined || (defect === "point" && found.length === 0)) return undefined
      return virtual < endOf(found) + (defect === "end" ? 1 : 0) ? found : undefined
    }
    return {
      translate: (virtual: number) => {
        const found = covering(virtual)
        if (found === undefined) return -1
        if (defect === "sum") return found.physical + virtual - found.virtual
        return found.physical + (virtual - found.virtual)
      },
      find: (virtual: number) => {
        const found = covering(virtual)
        return found?.virtual === virtual ? found.physical : undefined
      },
      next: (virtual: number) => {
        const found = bindings.find(
          (binding) => (binding.length > 0 || defect === "next") && virtual < binding.virtual + binding.length
        )
        return found === undefined ? undefined : Math.max(virtual, found.virtual)
      },
      entries: () => bindings
    }
  }
  return {
    begin: () => {
      const taken: Array<Binding> = []
      let last: Binding | undefined
      return {
        add: ({ length, physical, virtual }) => {
          if (![virtual, physical, length, virtual + length, physical + length].every(isOffset)) refused()
          const binding = { virtual: stored(virtual), physical: stored(physical), length }
          if (last === undefined || virtual >= endOf(last)) last = binding
          else if (virtual >= last.virtual && defect !== "overlap") refused()
          taken.push(binding)
        },
        build: () => {
          if (defect === "alias") {
            taken.sort((a, b) => a.virtual - b.virtual)
            return answers(taken)
          }
          const sorted = defect === "order" ? [...taken] : [...taken].sort((a, b) => a.virtual - b.virtual)
          const overlaps = sorted.some((one, i) => i > 0 && one.virtual < endOf(sorted[i - 1]))
          if (overlaps && defect !== "overlap" && defect !== "order") refused()
          return answers(sorted)
        }
      }
    }
  }
}
