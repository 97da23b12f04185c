/**
 * Damage to an offmap: images with all kinds of cells, and of several pages, as they are searched in memory, by
 * pages, and from far away.
 *
 * The law: every lookup gives what it gave before, or `Corrupt`, whatever was found out until then; and every byte
 * of an image is under a checksum, so what reads all of it finds any change at all.
 */
import * as Effect from "effect/Effect"
import type { Binding } from "../src/bytes/extent.ts"
import { Offmap } from "../src/file/Offmap.ts"
import { OffmapRemote } from "../src/file/offmapRemote.ts"
import type { OffmapSearch } from "../src/file/offmapSearch.ts"
import { OffmapTable } from "../src/file/offmapTable.ts"
import { decodeOffmapHeader } from "../src/format/offmapImage.ts"
import type { Damage } from "../src/testing/damage.ts"
import type { DamageVerdict } from "../src/testing/exploreDamage.ts"
import { type DamageCase, runDamageCases } from "./damageCases.ts"
import { DamageWorld } from "./damageWorld.ts"
import type { PartOptions } from "./part.ts"

const path = "/map"

/** Bindings that take a cell of each kind: dense, long, scattered, far, huge and points. */
export const bindingsOfAllKinds = (): Array<Binding> => {
  const bindings: Array<Binding> = []
  let at = 100
  let place = 0
  const add = (gap: number, length: number, physical = place): void => {
    bindings.push({ virtual: at + gap, physical, length })
    at += gap + Math.max(1, length)
    place = physical + length
  }
  for (let i = 0; i < 20; i++) add(3 + (i % 4), 40 + i) // dense
  for (let i = 0; i < 7; i++) add(100, 70_000) // long
  for (let i = 0; i < 5; i++) add(9, 50, 1_000_000 - i * 60) // scattered
  for (let i = 0; i < 4; i++) add(9, 50, 2 ** 42 - i * 2 ** 35) // far
  for (let i = 0; i < 3; i++) add(2 ** 41, 2 ** 40 + i) // huge
  for (let i = 0; i < 8; i++) add(5, 0, 7 + i * 3) // points
  return bindings
}

/** Three pages of cells, the last one the sentinel's. */
export const bindingsOfPages = (): Array<Binding> =>
  Array.from({ length: 8 * 128 }, (_, i) => ({
    virtual: i * 100 + (i >> 6) * 5000,
    physical: i * 60,
    length: 60
  }))

export const imageOf = (bindings: ReadonlyArray<Binding>): Uint8Array => {
  const builder = Offmap.builder()
  for (const { length, physical, virtual } of bindings) builder.add(virtual, physical, length)
  const world = new DamageWorld()
  world.put(path, new Uint8Array(0))
  world.run(
    Effect.flatMap(world.io.open(path, { readonly: false }), (file) => Offmap.write(builder.build(), file, 0))
  )
  return world.get(path)!
}

/** Offsets in, at the edges of, and between the bindings, and what they lead to. */
interface Questions {
  readonly asked: Float64Array
  readonly answers: Float64Array
}

const questionsOf = (bindings: ReadonlyArray<Binding>, every: number): Questions => {
  const asked: Array<number> = [0, 2 ** 53 - 1]
  bindings.forEach(({ length, virtual }, i) => {
    if (i % every === 0) asked.push(virtual + 1, virtual, virtual + Math.floor(length / 2), virtual + length)
  })
  const answers = asked.map((offset) => {
    const found = bindings.find(({ length, virtual }) =>
      length === 0 ? offset === virtual : offset >= virtual && offset < virtual + length
    )
    return found === undefined ? -1 : found.physical + offset - found.virtual
  })
  return { asked: Float64Array.from(asked), answers: Float64Array.from(answers) }
}

const isCorrupt = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "Corrupt"

/** Of what is asked of one damaged image, and how thoroughly. */
interface Asking extends Questions {
  /** A page that is damaged is damaged for all who ask. */
  readonly enoughRefusals: number
  /** Whether all of it is gone through where a lookup has found the damage already. */
  readonly isVerified: boolean
}

/** What a map gives for one question that is not what it should; undefined where it is. */
const wrongAnswer = (map: OffmapSearch, offset: number, right: number): string | undefined => {
  const found = map.translate(offset)
  if (found !== right) return `${offset} leads to ${found} and not to ${right}`
  const located = map.locate(offset)
  const byLocate = located === undefined ? -1 : located.physical + offset - located.virtual
  return byLocate === right ? undefined : `${offset} is located at ${byLocate} and not at ${right}`
}

/** Asks a map that is open everything; `Corrupt` when going through all of it finds the damage. */
const judgeMap = (map: OffmapSearch, asking: Asking): DamageVerdict => {
  const { answers, asked, enoughRefusals, isVerified } = asking
  let refusals = 0
  for (let i = 0; i < asked.length && refusals < enoughRefusals; i++) {
    try {
      const wrong = wrongAnswer(map, asked[i], answers[i])
      if (wrong !== undefined) return { wrong }
    } catch (error) {
      if (!isCorrupt(error)) throw error
      refusals++
    }
  }
  if (refusals > 0 && !isVerified) return "detected"
  map.verifyAll()
  return "harmless"
}

/** An image of its own has nothing behind it that is nobody's: only what lies behind may change unnoticed. */
const demandNoticed = (verdict: DamageVerdict, { kind }: Damage): DamageVerdict =>
  verdict === "harmless" && kind !== "grow" ? { wrong: "the change was passed over" } : verdict

type Opening = (bytes: Uint8Array, asking: Asking) => DamageVerdict

/** In memory, without a file: the decoders by themselves. */
const inMemory: Opening = (bytes, asking) => {
  const header = decodeOffmapHeader(bytes, { path, origin: 0, available: bytes.length })
  return judgeMap(new OffmapTable(bytes, header, { path, offset: 0 }, false), asking)
}

/** By `Offmap.open`, mapped or by pages. */
const opened = (world: DamageWorld): Opening => {
  return (bytes, asking) => {
    world.put(path, bytes)
    return world.run(Effect.map(Offmap.open(path), (map) => judgeMap(map as OffmapSearch, asking)))
  }
}

/** By `Offmap.read`, which checks all of it at once. */
const read = (world: DamageWorld): Opening => {
  return (bytes, asking) => {
    world.put(path, bytes)
    return world.run(
      Effect.gen(function* () {
        const map = yield* Offmap.read(yield* world.io.open(path, { readonly: true }), 0)
        return judgeMap(map as OffmapSearch, asking)
      })
    )
  }
}

/** From far away: every page has to be waited for. */
const remote = (world: DamageWorld): Opening => {
  return (bytes, { answers, asked, enoughRefusals, isVerified }) => {
    const file = {
      length: Effect.succeed(bytes.length),
      readAt: (offset: number, buffer: Uint8Array) =>
        Effect.sync(() => {
          const part = bytes.subarray(offset, offset + buffer.length)
          buffer.set(part)
          return part.length
        })
    }
    return world.run(
      Effect.gen(function* () {
        const map = yield* OffmapRemote.open(file, { name: path, fileBytes: bytes.length })
        let refusals = 0
        for (let i = 0; i < asked.length && refusals < enoughRefusals; i++) {
          const refused = () => Effect.sync(() => (refusals++, answers[i]))
          const found = yield* map
            .ask((pages) => pages.translate(asked[i]))
            .pipe(Effect.catchTag("Corrupt", refused))
          if (found !== answers[i]) return { wrong: `${asked[i]} leads to ${found} and not to ${answers[i]}` }
        }
        if (refusals > 0 && !isVerified) return "detected" as const
        yield* map.ask((pages) => pages.verifyAll())
        return "harmless" as const
      })
    )
  }
}

/** A bit lies in one place: who has met it once has met it, and every fourth is looked for to the end. */
const askingOf = (questions: Questions, damage: Damage, effort: number): Asking => {
  const isOnce = damage.kind === "flip" && effort < 5
  const isVerified = !isOnce || (damage.byte + damage.bit) % 4 === 0
  return { ...questions, enoughRefusals: isOnce ? 1 : 3, isVerified }
}

function* cases({ effort }: PartOptions): Generator<DamageCase> {
  const kinds = bindingsOfAllKinds()
  const pages = bindingsOfPages()
  const files = [
    { name: "kinds", bindings: kinds, questions: questionsOf(kinds, 2) },
    { name: "pages", bindings: pages, questions: questionsOf(pages, 29) },
    { name: "empty", bindings: [], questions: questionsOf([], 1) }
  ]
  const ways: ReadonlyArray<readonly [string, Opening, number]> = [
    ["memory", inMemory, 1],
    ["mapped", opened(new DamageWorld()), 7],
    ["paged", opened(new DamageWorld({ mapping: false })), 3],
    ["read", read(new DamageWorld()), 11],
    ["remote", remote(new DamageWorld()), 5]
  ]
  for (const { bindings, name, questions } of files) {
    const bytes = imageOf(bindings)
    const stale = imageOf(bindings.map((binding) => ({ ...binding, physical: binding.physical + 1 })))
    for (const [way, open, every] of ways) {
      // A page is a page, and what is mapped is in memory: there the code is the same again.
      const isSampled = (name === "pages" ? way !== "memory" : every > 5) && effort < 50
      yield {
        name: `${way} ${name}`,
        path,
        bytes,
        stale,
        ranges: [{ from: 0, to: bytes.length, every: isSampled ? every * 15 : 1 }],
        cutEvery: isSampled ? 61 : 1,
        // Frames of a page cache, and 64 KiB of a file in memory.
        limitBytes: 1 << 20,
        judge: (damaged, damage) => demandNoticed(open(damaged, askingOf(questions, damage, effort)), damage)
      }
    }
  }
}

export const part = { run: (options: PartOptions) => runDamageCases(cases(options), options) }
