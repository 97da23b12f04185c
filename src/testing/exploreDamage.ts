/**
 * Exploring damage: everything that can happen to the bytes of a file is tried on whoever reads them.
 *
 * ```ts
 * const explored = await exploreDamage({
 *   path: "index",
 *   bytes: encodeIndex(index),
 *   judge: (bytes) => (isEqual(decodeIndex(bytes, "index"), index) ? "harmless" : { wrong: "another index" })
 * })
 * ```
 *
 * The law: whoever reads a damaged file gives the right content, or fails with an error whose `_tag` is
 * `Corrupt`, whose `path` is the file's, and whose `offset` lies in it. Anything else is a failure: wrong content,
 * another error, a defect, more time than a limit, more memory than the file deserves.
 *
 * Two things can't be done without a platform, and are handed in. A decoder that never ends can only be ended by a
 * `guard`; without one it is noticed when it comes back. And what was allocated is counted by a `meter`.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import {
  type Damage,
  damageAddress,
  damageAt,
  DamagedBytes,
  damagesOf,
  type DamageSubject
} from "./damage.ts"

/** What a judge finds: the right content; damage that was noticed though something was given; or what must not be. */
export type DamageVerdict = "harmless" | "detected" | { readonly wrong: string }

/** Runs `body` on this thread and ends it after so many milliseconds, wherever it is: false. */
export type DamageGuard = (body: () => void, limitMillis: number) => boolean

/** Counts the memory that is asked for. */
export interface AllocationMeter {
  readonly reset: () => void
  /** The bytes asked for since `reset`, all together. */
  readonly bytes: () => number
}

/** A promise, or an Effect that needs nothing. */
type Later = Promise<DamageVerdict> | Effect.Effect<DamageVerdict, unknown>

export interface ExploreDamageOptions extends DamageSubject {
  /** What `Corrupt` must say of where it is: a path, or one of several that belong together. */
  readonly path: string | ReadonlyArray<string>
  /**
   * Reads the bytes, which are its own until it has ended, and only to be read. Failing with `Corrupt` is to
   * detect the damage.
   */
  readonly judge: (bytes: Uint8Array, damage: Damage) => DamageVerdict | Later
  /** Whether another error than `Corrupt` is documented for this damage: it counts as detected. */
  readonly refusal?: ((error: unknown, damage: Damage) => boolean) | undefined
  /** For one damage; default 2000. */
  readonly limitMillis?: number | undefined
  readonly guard?: DamageGuard | undefined
  readonly meter?: AllocationMeter | undefined
  /** For one damage. Default: 64 KiB, and eight times the file's size. */
  readonly limitBytes?: number | undefined
  /** The address of the one damage to be tried. */
  readonly at?: string | undefined
  /** So many failures are told; all are counted. Default: 5. */
  readonly maxFailures?: number | undefined
  /** Ends at the first failure. */
  readonly untilFailure?: boolean | undefined
}

export interface DamageFailure {
  /** The address of the damage. */
  readonly at: string
  readonly story: string
}

export interface DamageExplored {
  readonly tried: number
  readonly detected: number
  readonly harmless: number
  readonly failed: number
  /** How many were tried of each kind. */
  readonly kinds: Readonly<Record<Damage["kind"], number>>
  /** The first few. */
  readonly failures: ReadonlyArray<DamageFailure>
}

/** Tries all damage of a subject, or the one that is asked for. */
export const exploreDamage = (options: ExploreDamageOptions): Promise<DamageExplored> =>
  new Exploration(options).run()

/** A guard that can't end anything. */
const unguarded: DamageGuard = (body) => {
  body()
  return true
}

/** Between two looks at the event loop. */
const turnMillis = 200

class Exploration {
  private readonly options: ExploreDamageOptions
  private readonly bytes: DamagedBytes
  private readonly limitMillis: number
  private readonly limitBytes: number
  private tried = 0
  private detected = 0
  private harmless = 0
  private failed = 0
  private readonly kinds = { flip: 0, zero: 0, swap: 0, stale: 0, cut: 0, grow: 0 }
  private readonly failures: Array<DamageFailure> = []

  constructor(options: ExploreDamageOptions) {
    this.options = options
    this.bytes = new DamagedBytes(options)
    this.limitMillis = options.limitMillis ?? 2000
    this.limitBytes = options.limitBytes ?? (1 << 16) + 8 * options.bytes.length
  }

  async run(): Promise<DamageExplored> {
    const { guard = unguarded } = this.options
    const list = this.list()
    let current = list.next()
    while (!current.done) {
      let later: Promise<void> | undefined
      const began = performance.now()
      const ended = guard(() => {
        do {
          later = this.tryOne(current.value as Damage)
          if (later === undefined) current = list.next()
        } while (later === undefined && !current.done && performance.now() - began < turnMillis)
      }, turnMillis + this.limitMillis)
      if (later !== undefined) await later
      if (!ended) this.settle(current.value as Damage, { wrong: this.tooLong("did not end") })
      if (later !== undefined || !ended) current = list.next()
      else await new Promise((resolve) => setTimeout(resolve, 0))
    }
    if (!this.bytes.isWhole) this.fail("", "the judge has changed the bytes that it was to read")
    const { detected, failed, failures, harmless, kinds, tried } = this
    return { tried, detected, harmless, failed, kinds, failures }
  }

  private *list(): Generator<Damage, void> {
    const { at, untilFailure = false } = this.options
    if (at === undefined) {
      for (const damage of damagesOf(this.options)) {
        if (untilFailure && this.failed > 0) return
        yield damage
      }
      return
    }
    const damage = damageAt(at)
    if (damage === undefined) throw new RangeError(`${at} is not the address of a damage`)
    yield damage
  }

  /** Tries a damage; a promise where that is not over at once. */
  private tryOne(damage: Damage): Promise<void> | undefined {
    const { judge, meter } = this.options
    const bytes = this.bytes.apply(damage)
    const began = performance.now()
    let verdict: DamageVerdict | Later
    meter?.reset()
    try {
      verdict = judge(bytes, damage)
    } catch (error) {
      verdict = this.verdictOf(error, damage, bytes)
    }
    if (typeof verdict === "object" && !("wrong" in verdict)) return this.wait(verdict, damage, bytes, began)
    this.settle(damage, this.measured(verdict, began))
    return undefined
  }

  private async wait(later: Later, damage: Damage, bytes: Uint8Array, began: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const limit = new Promise<DamageVerdict>((resolve) => {
      timer = setTimeout(() => resolve({ wrong: this.tooLong("did not end") }), this.limitMillis)
    })
    const ending = (Effect.isEffect(later) ? run(later) : later).catch((error: unknown) =>
      this.verdictOf(error, damage, bytes)
    )
    const verdict = await Promise.race([ending, limit])
    clearTimeout(timer)
    this.settle(damage, this.measured(verdict, began))
  }

  private measured(verdict: DamageVerdict, began: number): DamageVerdict {
    const millis = performance.now() - began
    const bytes = this.options.meter?.bytes() ?? 0
    if (typeof verdict === "object") return verdict
    if (millis > this.limitMillis) return { wrong: this.tooLong(`took ${Math.round(millis)} ms`) }
    if (bytes > this.limitBytes) {
      const size = this.options.bytes.length
      const reason = `${bytes} bytes of memory were asked for, by a file of ${size}; ${this.limitBytes} are allowed`
      return { wrong: reason }
    }
    return verdict
  }

  private tooLong(what: string): string {
    return `reading it ${what}, and ${this.limitMillis} ms are allowed`
  }

  /** What the error says that a judge ended with. */
  private verdictOf(error: unknown, damage: Damage, bytes: Uint8Array): DamageVerdict {
    const { path, refusal } = this.options
    if (refusal?.(error, damage) === true) return "detected"
    if (!isTagged(error) || error._tag !== "Corrupt") return { wrong: `it failed with ${shown(error)}` }
    const paths = typeof path === "string" ? [path] : path
    if (!paths.includes(String(error["path"]))) {
      return {
        wrong: `Corrupt names ${String(error["path"])} and not ${paths.join(" or ")}: ${shown(error)}`
      }
    }
    const offset = error["offset"]
    const end = Math.max(this.options.bytes.length, bytes.length)
    if (typeof offset === "number" && Number.isSafeInteger(offset) && offset >= 0) {
      // Of files that belong together the error may be another's, whose length isn't known here.
      if (paths.length > 1 || offset <= end) return "detected"
    }
    return { wrong: `Corrupt names offset ${String(offset)} of a file of ${end} bytes` }
  }

  private settle(damage: Damage, verdict: DamageVerdict): void {
    this.bytes.restore()
    this.tried++
    this.kinds[damage.kind]++
    if (verdict === "harmless") this.harmless++
    else if (verdict === "detected") this.detected++
    else this.fail(damageAddress(damage), verdict.wrong)
  }

  private fail(at: string, story: string): void {
    this.failed++
    if (this.failures.length < (this.options.maxFailures ?? 5)) this.failures.push({ at, story })
  }
}

const run = async (effect: Effect.Effect<DamageVerdict, unknown>): Promise<DamageVerdict> => {
  const exit = await Effect.runPromiseExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}

const isTagged = (error: unknown): error is Record<string, unknown> & { readonly _tag: string } =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"

const shown = (error: unknown): string => {
  if (isTagged(error)) return `${error._tag} (${String(error["message"])})`
  // A bug: where it was thrown says more than what.
  return error instanceof Error
    ? (error.stack ?? error.message).split("\n").slice(0, 4).join(" ")
    : String(error)
}
