/**
 * A device of which only what was synced is sure, under a system that shows what was written.
 *
 * Every write, punch, change of size and change of a name since the last sync can be lost, each on its own,
 * and writes are torn at sectors. At any call the machine can stop: the call may have taken effect in part,
 * and none after it does. A call can also fail, and a sync that fails has dropped what it did not write,
 * while the system goes on showing it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { IoFailed, NoSpace, Poisoned } from "../src/bytes/errors.ts"
import { attempt } from "../src/io/attempt.ts"
import type { IoFile, IoService } from "../src/io/Io.ts"

const sectorBytes = 512

/** A source of choices, so that a failure can be replayed. */
export type Choose = (choices: number) => number

export const choices = (seed: number): Choose => {
  let state = seed >>> 0
  return (count) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * count)
  }
}

type Change =
  | { readonly kind: "bytes"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "size"; readonly size: number }

/** What the device has of a file for certain, and what may have happened to it since. */
class Medium {
  durable: Uint8Array = new Uint8Array(0)
  pending: Array<Change> = []

  /** What a power cut leaves. */
  afterCut(choose: Choose): Uint8Array {
    let bytes = this.durable.slice()
    const resize = (size: number): void => {
      const resized = new Uint8Array(size)
      resized.set(bytes.subarray(0, size))
      bytes = resized
    }
    // Much is lost, or little, or nothing, or all.
    const odds = [0, 10, 50, 90, 100][choose(5)]
    for (const change of this.pending) {
      if (change.kind === "size") {
        if (choose(100) < odds) resize(change.size)
        continue
      }
      const { bytes: written, offset } = change
      const end = offset + written.length
      // The length may have got there without the bytes.
      if (end > bytes.length && choose(100) < odds) resize(end)
      for (let at = offset; at < end;) {
        const next = Math.min(end, (Math.floor(at / sectorBytes) + 1) * sectorBytes)
        if (choose(100) < odds) {
          if (next > bytes.length) resize(next)
          bytes.set(written.subarray(at - offset, next - offset), at)
        }
        at = next
      }
    }
    return bytes
  }

  /** All of it, as the system shows it. */
  settled(): Uint8Array {
    let bytes = this.durable.slice()
    for (const change of this.pending) {
      const size = change.kind === "size" ? change.size : change.offset + change.bytes.length
      if (change.kind === "size" || size > bytes.length) {
        const resized = new Uint8Array(size)
        resized.set(bytes.subarray(0, size))
        bytes = resized
      }
      if (change.kind === "bytes") bytes.set(change.bytes, change.offset)
    }
    return bytes
  }
}

/** A change of a name that no sync of the directory has made durable. */
interface Renaming {
  readonly path: string
  readonly medium: Medium | undefined
}

/** What happens to one of the calls to come. */
export interface Trouble {
  /** Calls that are made before it. */
  readonly after: number
  readonly kind: "stop" | "EIO" | "ENOSPC"
  /**
   * Whether all calls behind it fail as well, until it is over. A sync fails alone: when nothing at all can be
   * written after it, nobody can tell the next to open the file not to believe what the system shows.
   */
  readonly lasting: boolean
}

/** The machine has stopped. */
export class Stopped extends Error {}

export class CrashingDevice {
  readonly io: IoService
  readonly choose: Choose
  private trouble: Trouble | undefined
  private left = 0
  private stopped = false
  /** Whether the trouble has come. */
  hit = false
  private names = new Map<string, Medium>()
  private durableNames = new Map<string, Medium>()
  private renamings: Array<Renaming> = []

  private readonly inner: IoService

  constructor(inner: IoService, choose: Choose) {
    this.inner = inner
    this.choose = choose
    const opened = <E>(path: string, file: Effect.Effect<IoFile, E, Scope.Scope>, isNew: boolean) =>
      Effect.map(file, (inside) => this.wrap(inside, this.medium(path, isNew)))
    this.io = {
      ...inner,
      create: (path, options) =>
        Effect.andThen(this.before("create", path), opened(path, inner.create(path, options), true)),
      open: (path, options) => opened(path, inner.open(path, options), false),
      remove: (path) =>
        Effect.andThen(
          this.before("remove", path),
          Effect.tap(inner.remove(path), () => this.noting(() => this.name(path, undefined)))
        ),
      rename: (from, to) =>
        Effect.andThen(
          this.before("rename", from),
          Effect.tap(inner.rename(from, to), () =>
            this.noting(() => {
              const medium = this.medium(from, false)
              this.name(to, medium)
              this.name(from, undefined)
            })
          )
        ),
      syncDirectory: (path) =>
        Effect.andThen(
          this.before("syncDirectory", path),
          this.noting(() => {
            this.durableNames = new Map(this.names)
            this.renamings = []
          })
        ),
      lock: (path) => Effect.tap(inner.lock(path), () => this.noting(() => void this.medium(path, false)))
    }
  }

  arm(trouble: Trouble | undefined): void {
    this.trouble = trouble
    this.left = trouble?.after ?? 0
    this.hit = false
  }

  /** From here on no call has any effect. */
  stop(): void {
    this.stopped = true
  }

  /** The next process begins. */
  goOn(): void {
    this.stopped = false
    this.arm(undefined)
  }

  /** The files that a power cut leaves. */
  afterCut(): Map<string, Uint8Array> {
    const names = new Map(this.durableNames)
    for (const { medium, path } of this.renamings) {
      if (this.choose(2) === 0) continue
      if (medium === undefined) names.delete(path)
      else names.set(path, medium)
    }
    const files = new Map<string, Uint8Array>()
    for (const [path, medium] of names) files.set(path, medium.afterCut(this.choose))
    return files
  }

  /** The storage flips a byte of a file. */
  rot(path: string, offset: number): Effect.Effect<void, unknown> {
    const medium = this.medium(path, false)
    const flip = (bytes: Uint8Array, at: number): void => {
      if (at >= 0 && at < bytes.length) bytes[at] ^= 0xff
    }
    flip(medium.durable, offset)
    for (const change of medium.pending)
      if (change.kind === "bytes") flip(change.bytes, offset - change.offset)
    return Effect.scoped(
      Effect.flatMap(this.inner.open(path, { readonly: false }), (file) =>
        Effect.gen(function* () {
          const byte = new Uint8Array(1)
          yield* file.readSomeAt(offset, byte)
          flip(byte, 0)
          yield* file.writeAt(offset, byte)
        })
      )
    )
  }

  /** Puts files on a new device, durably. */
  begin(files: Map<string, Uint8Array>): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      for (const [path, bytes] of files) {
        yield* Effect.scoped(
          Effect.flatMap(this.io.create(path, { overwrite: true }), (file) =>
            Effect.andThen(file.writeAt(0, bytes), file.sync)
          )
        )
      }
      yield* this.io.syncDirectory("/")
    })
  }

  private noting(note: () => void): Effect.Effect<void> {
    return Effect.sync(note)
  }

  private medium(path: string, isNew: boolean): Medium {
    const found = this.names.get(path)
    if (found !== undefined && !isNew) return found
    const medium = new Medium()
    this.name(path, medium)
    return medium
  }

  private name(path: string, medium: Medium | undefined): void {
    if (medium === undefined) this.names.delete(path)
    else this.names.set(path, medium)
    this.renamings.push({ path, medium })
  }

  /** Counts a call. What it throws, the call fails with. */
  private step(operation: string, path: string): boolean {
    if (this.stopped) throw new Stopped()
    if (this.trouble === undefined || (this.hit && !this.trouble.lasting)) return false
    if (this.left-- > 0) return false
    this.hit = true
    if (operation === "sync") this.trouble = { ...this.trouble, lasting: false }
    if (this.trouble.kind === "stop") {
      this.stopped = true
      return true
    }
    if (this.trouble.kind === "ENOSPC" && operation !== "punchHole")
      throw new NoSpace({ path, syscall: operation })
    throw new IoFailed({ syscall: operation, path, code: "EIO", cause: new Error("made up") })
  }

  private before(operation: string, path: string): Effect.Effect<void> {
    return attempt<void, never>(() => {
      if (this.step(operation, path)) throw new Stopped()
    })
  }

  private wrap(inner: IoFile, medium: Medium): IoFile {
    const { path, unsafe } = inner
    let poison: unknown
    const change = (operation: string, note: Change, apply: () => void): void => {
      if (poison !== undefined && !this.stopped) throw new Poisoned({ path, cause: poison })
      let stops: boolean
      try {
        stops = this.step(operation, path)
      } catch (failure) {
        // A write that fails may have been made in part.
        const part = note.kind === "bytes" ? Math.floor((note.bytes.length * this.choose(5)) / 4) : 0
        if (failure instanceof Stopped || note.kind !== "bytes" || part === 0 || operation !== "writeAt")
          throw failure
        unsafe.writeAt(note.offset, note.bytes.subarray(0, part))
        medium.pending.push({ ...note, bytes: note.bytes.slice(0, part) })
        throw failure
      }
      if (stops) {
        // The device may have some of it; a process that was killed has left all of it, or a beginning.
        if (this.choose(2) === 0) apply()
        else return fail(new Stopped())
        medium.pending.push(note)
        return fail(new Stopped())
      }
      apply()
      medium.pending.push(note)
    }
    const fail = (error: Error): never => {
      throw error
    }
    const write = (offset: number, bytes: Uint8Array): void =>
      change("writeAt", { kind: "bytes", offset, bytes: bytes.slice() }, () => unsafe.writeAt(offset, bytes))
    const punch = (offset: number, length: number): void => {
      const within = Math.max(0, Math.min(length, unsafe.size() - offset))
      if (within === 0) return
      const note: Change = { kind: "bytes", offset, bytes: new Uint8Array(within) }
      change("punchHole", note, () => unsafe.punchHole(offset, within))
    }
    const truncate = (size: number): void =>
      change("truncate", { kind: "size", size }, () => unsafe.truncate(size))
    const sync = (): void => {
      if (poison !== undefined && !this.stopped) throw new Poisoned({ path, cause: poison })
      try {
        if (this.step("sync", path)) throw new Stopped()
      } catch (failure) {
        if (!(failure instanceof Stopped)) {
          poison = failure
          // What it has not written it never will, and goes on showing it.
          medium.durable = medium.afterCut(this.choose)
          medium.pending = []
        }
        throw failure
      }
      medium.durable = medium.settled()
      medium.pending = []
    }
    // Others may run before it, as with the thread pool.
    const later = (call: () => void): Effect.Effect<void> =>
      Effect.andThen(Effect.yieldNow, attempt<void, never>(call))
    return {
      ...inner,
      writeAt: (offset, bytes) => later(() => write(offset, bytes)),
      punchHole: (offset, length) => later(() => punch(offset, length)),
      truncate: (size) => later(() => truncate(size)),
      sync: later(sync),
      unsafe: { ...unsafe, writeAt: write, punchHole: punch, truncate, sync }
    }
  }
}
