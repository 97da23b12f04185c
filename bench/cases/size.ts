/** The size of maps that are not the common case, and that every binding is found in them. */
import * as Effect from "effect/Effect"
import path from "node:path"
import { Io } from "../../src/io/Io.ts"
import { Offmap } from "../../src/file/Offmap.ts"
import { expect } from "../expect.ts"
import { makeRandom } from "../random.ts"
import { extentStream } from "../extents.ts"
import type { Row } from "../result.ts"
import type { Settings } from "../settings.ts"

const mostBytes = 24
const checkedBindings = 100_000

interface Bindings {
  readonly variant: string
  readonly virtuals: Float64Array
  readonly physicals: Float64Array
  readonly lengths: Float64Array
}

const emptyBindings = (variant: string, count: number): Bindings => ({
  variant,
  virtuals: new Float64Array(count),
  physicals: new Float64Array(count),
  lengths: new Float64Array(count)
})

/** The usual extents, stored in an order that has nothing to do with their virtual one. */
const shuffled = (count: number): Bindings => {
  const bindings = emptyBindings("arbitrary physical order", count)
  const stream = extentStream("uniform")
  for (let i = 0; i < count; i++, stream.advance()) {
    bindings.virtuals[i] = stream.virtual
    bindings.lengths[i] = stream.length
  }
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  const random = makeRandom(21)
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const held = order[i]
    order[i] = order[j]
    order[j] = held
  }
  let physical = 0
  for (const i of order) {
    bindings.physicals[i] = physical
    physical += bindings.lengths[i]
  }
  return bindings
}

/** Extents of 64 KiB to 1 MiB, back to back. */
const large = (count: number): Bindings => {
  const bindings = emptyBindings("large extents", count)
  const random = makeRandom(22)
  let virtual = 0
  let physical = 0
  for (let i = 0; i < count; i++) {
    const length = (1 << 16) + random.below(15 << 16)
    virtual += 1 + random.below(2 << 20)
    bindings.virtuals[i] = virtual
    bindings.physicals[i] = physical
    bindings.lengths[i] = length
    virtual += length
    physical += length
  }
  return bindings
}

/** Starts alone, as irmin-pack keeps them: their objects lie back to back, and say their own length. */
const points = (count: number): Bindings => {
  const bindings = emptyBindings("points", count)
  const stream = extentStream("uniform")
  for (let i = 0; i < count; i++, stream.advance()) {
    bindings.virtuals[i] = stream.virtual
    bindings.physicals[i] = stream.physical
  }
  return bindings
}

const measure = Effect.fnUntraced(function* (file: string, bindings: Bindings) {
  const { lengths, physicals, variant, virtuals } = bindings
  const count = virtuals.length
  const builder = Offmap.builder()
  for (let i = 0; i < count; i++) builder.add(virtuals[i], physicals[i], lengths[i])
  const io = yield* Io
  const target = yield* io.create(file, { overwrite: true })
  const imageBytes = yield* Offmap.write(builder.build(), target, 0)
  const map = yield* Offmap.open(file)
  for (let k = 0; k < checkedBindings; k++) {
    const i = Math.floor((k * count) / checkedBindings)
    expect(`binding ${i} of ${variant} is found`, map.find(virtuals[i]) === physicals[i])
  }
  const row: Row = {
    case: "offmap size",
    variant: `${count / 1e6}M ${variant}`,
    side: "lacuna",
    value: imageBytes / count,
    unit: "bytes an extent",
    goal: { most: mostBytes, of: "value" }
  }
  return row
})

export const sizeCase = Effect.fnUntraced(function* (settings: Settings) {
  const count = settings.quick ? 200_000 : 3_000_000
  const rows: Array<Row> = []
  for (const make of [shuffled, large, points]) {
    rows.push(yield* Effect.scoped(measure(path.join(settings.directory, "size.map"), make(count))))
  }
  return rows
})
