/**
 * The reference model of an offmap: a sorted array of bindings, searched from end to end, and of its
 * builder: a list of bindings that are compared each with each. Slow, and too simple to be wrong.
 */
import type { Binding } from "../../bytes/extent.ts"

/** One past the last offset that answers: a point answers at its own offset alone. */
export const modelEnd = ({ length, virtual }: Binding): number => virtual + Math.max(1, length)

const isOffset = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 2 ** 53 - 1

/** A map of bindings that don't overlap. */
export class OffmapModel {
  readonly bindings: ReadonlyArray<Binding>

  constructor(bindings: ReadonlyArray<Binding>) {
    this.bindings = [...bindings].sort((a, b) => a.virtual - b.virtual)
  }

  get size(): number {
    return this.bindings.length
  }

  locate(virtual: number): Binding | undefined {
    return this.bindings.find((binding) => binding.virtual <= virtual && virtual < modelEnd(binding))
  }

  find(virtual: number): number | undefined {
    return this.bindings.find((binding) => binding.virtual === virtual)?.physical
  }

  translate(virtual: number): number {
    const binding = this.locate(virtual)
    return binding === undefined ? -1 : binding.physical + (virtual - binding.virtual)
  }

  next(virtual: number): number | undefined {
    const binding = this.bindings.find(
      (binding) => binding.length > 0 && virtual < binding.virtual + binding.length
    )
    return binding === undefined ? undefined : Math.max(virtual, binding.virtual)
  }

  entries(): IterableIterator<Binding> {
    return this.bindings.values()
  }
}

/** What a builder does with what it is given. A method that refuses gives `"InvalidArgument"`. */
export class OffmapBuilderModel {
  /** Everything taken so far, in the order in which it came. */
  readonly taken: Array<Binding> = []
  /** The binding that an ascending one must not overlap: what it would overlap is known at once. */
  private last: Binding | undefined

  add(binding: Binding): "InvalidArgument" | undefined {
    const { length, physical, virtual } = binding
    if (![virtual, physical, length, virtual + length, physical + length].every(isOffset)) {
      return "InvalidArgument"
    }
    if (this.last === undefined || virtual >= modelEnd(this.last)) this.last = binding
    else if (virtual >= this.last.virtual) return "InvalidArgument"
    this.taken.push(binding)
    return undefined
  }

  build(): OffmapModel | "InvalidArgument" {
    const overlap = this.taken.some((a, i) =>
      this.taken.some((b, j) => i < j && a.virtual < modelEnd(b) && b.virtual < modelEnd(a))
    )
    return overlap ? "InvalidArgument" : new OffmapModel(this.taken)
  }
}
