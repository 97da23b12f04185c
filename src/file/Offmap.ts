// PROVISIONAL: interface final, insides being replaced.
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Corrupt, InvalidArgument } from "../bytes/errors.ts"
import type { Binding } from "../bytes/extent.ts"
import type { PhysicalOffset, VirtualOffset } from "../bytes/offset.ts"
import { Io } from "../io/Io.ts"
import type { CloseError, IoFile, MapError, OpenError, ReadError, WriteError } from "../io/Io.ts"

export interface OffmapService {
  /** The number of bindings. */
  readonly size: number
  readonly find: (virtual: VirtualOffset) => PhysicalOffset | undefined
  readonly locate: (virtual: VirtualOffset) => Binding | undefined
  readonly translate: (virtual: VirtualOffset) => number
  readonly translateMany: (virtuals: Float64Array, out: Float64Array) => void
  readonly next: (virtual: VirtualOffset) => VirtualOffset | undefined
  readonly entries: () => IterableIterator<Binding>
}

export interface OffmapBuilder {
  readonly size: number
  readonly add: (virtual: VirtualOffset, physical: PhysicalOffset, length?: number) => void
  readonly build: () => Offmap["Service"]
}

export type OffmapReadError = ReadError | Corrupt
export type OffmapOpenError = Exclude<OpenError | ReadError | MapError, never> | Corrupt

export class Offmap extends Context.Service<Offmap, OffmapService>()("lacuna/Offmap") {
  static builder(): OffmapBuilder {
    const list: Array<Binding> = []
    return {
      get size() {
        return list.length
      },
      add: (virtual, physical, length = 0) => {
        list.push({ virtual, physical, length })
      },
      build: () => make([...list])
    }
  }

  /** Writes the map at `offset` of `file`: gives the number of bytes written. */
  static readonly write = (
    map: Offmap["Service"],
    file: IoFile,
    offset: number
  ): Effect.Effect<number, WriteError> =>
    Effect.suspend(() => {
      const list = [...map.entries()]
      const bytes = new Float64Array(1 + list.length * 3)
      bytes[0] = list.length
      list.forEach((b, i) => bytes.set([b.virtual, b.physical, b.length], 1 + i * 3))
      return file.writeAt(offset, new Uint8Array(bytes.buffer)).pipe(Effect.as(bytes.byteLength))
    })

  /** Reads a whole map into memory. */
  static readonly read = (
    file: IoFile,
    offset: number
  ): Effect.Effect<Offmap["Service"], OffmapReadError | InvalidArgument> =>
    Effect.gen(function* () {
      const head = new Float64Array(1)
      yield* file.readAt(offset, new Uint8Array(head.buffer))
      const body = new Float64Array(head[0] * 3)
      yield* file.readAt(offset + 8, new Uint8Array(body.buffer))
      return make(
        Array.from({ length: head[0] }, (_, i) => ({
          virtual: body[i * 3],
          physical: body[i * 3 + 1],
          length: body[i * 3 + 2]
        }))
      )
    })

  /** The map at the start of an open file, in place. `bytes` is its length: what follows it in the file is not the map's. */
  static readonly over = (
    file: IoFile
  ): Effect.Effect<
    { readonly map: Offmap["Service"]; readonly bytes: number },
    OffmapReadError | InvalidArgument,
    Scope.Scope
  > =>
    Effect.map(Offmap.read(file, 0), (map) => ({ map, bytes: 8 + map.size * 24 }))

  /** Opens the map at `path`, mapped into memory where possible. */
  static readonly open = (
    path: string
  ): Effect.Effect<Offmap["Service"], OffmapOpenError | CloseError, Io | Scope.Scope> =>
    Effect.gen(function* () {
      const io = yield* Io
      const file = yield* io.open(path, { readonly: true })
      return (yield* Offmap.over(file)).map
    })

  static readonly layer = (path: string): Layer.Layer<Offmap, OffmapOpenError | CloseError, Io> =>
    Layer.effect(Offmap, Offmap.open(path))
}

const make = (unsorted: Array<Binding>): OffmapService => {
  const list = unsorted.sort((a, b) => a.virtual - b.virtual)
  for (let i = 1; i < list.length; i++) {
    if (list[i - 1].virtual + Math.max(1, list[i - 1].length) > list[i].virtual) {
      throw new InvalidArgument({ operation: "Offmap.build", reason: "overlap" })
    }
  }
  const locate = (v: number) =>
    list.find((b) => (b.length === 0 ? b.virtual === v : v >= b.virtual && v < b.virtual + b.length))
  const translate = (v: number) => {
    const b = locate(v)
    return b === undefined ? -1 : b.physical + (v - b.virtual)
  }
  return {
    size: list.length,
    find: (v) => list.find((b) => b.virtual === v)?.physical,
    locate,
    translate,
    translateMany: (vs, out) => vs.forEach((v, i) => (out[i] = translate(v))),
    next: (v) => {
      const b = list.find((b) => b.virtual + b.length > v && b.length > 0)
      return b === undefined ? undefined : Math.max(v, b.virtual)
    },
    entries: () => list.values()
  }
}
