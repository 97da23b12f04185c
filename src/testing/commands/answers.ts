/**
 * What an engine answers, whichever way it does: at once, by a promise or by an Effect; and how that is
 * held against what a model answers.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { checkBytes, checkEqual, LawBroken } from "../law.ts"

/** A value, or a promise or an Effect of one. A refusal is thrown, rejected or failed with. */
export type Answer<A> = A | PromiseLike<A> | Effect.Effect<A, unknown>

/** A refusal in the model's words: the tag of an error, and what else is told of it. */
export interface Refusal {
  readonly failure: string
  readonly end?: number | undefined
  readonly reason?: string | undefined
}

/** What an operation gave. */
export type Outcome<A> = { readonly value: A } | Refusal

/** What all engines have. */
export interface Engine {
  /**
   * The refusal that an error is, in the model's words, or undefined for errors that are none. Default: the
   * error's `_tag`, with its `end` and `reason` where it has them.
   */
  readonly refusalOf?: ((error: unknown) => Refusal | undefined) | undefined
}

const taggedRefusal = (error: unknown): Refusal | undefined => {
  if (typeof error !== "object" || error === null || !("_tag" in error)) return undefined
  const { _tag, end, reason } = error as { readonly _tag: unknown; end?: unknown; reason?: unknown }
  return {
    failure: String(_tag),
    ...(typeof end === "number" ? { end } : {}),
    ...(typeof reason === "string" ? { reason } : {})
  }
}

const valueOf = async <A>(ask: () => Answer<A>): Promise<A> => {
  const answer = ask()
  if (!Effect.isEffect(answer)) return answer
  const exit = await Effect.runPromiseExit(answer as Effect.Effect<A, unknown>)
  if (Exit.isSuccess(exit)) return exit.value
  // A defect is never a refusal, whatever it looks like.
  if (Cause.hasDies(exit.cause)) throw new Error(`a defect: ${Cause.pretty(exit.cause)}`)
  throw Cause.squash(exit.cause)
}

/** Asks an engine. What isn't a refusal is thrown on. */
export const outcomeOf = async <A>(engine: Engine, ask: () => Answer<A>): Promise<Outcome<A>> => {
  try {
    return { value: await valueOf(ask) }
  } catch (error) {
    const refusal = engine.refusalOf === undefined ? taggedRefusal(error) : engine.refusalOf(error)
    if (refusal === undefined) throw error
    return refusal
  }
}

const told = (outcome: Outcome<unknown>): string => {
  if ("value" in outcome) return outcome.value === undefined ? "success" : `the value ${shown(outcome.value)}`
  const { end, failure, reason } = outcome
  return `${failure}${reason === undefined ? "" : ` (${reason})`}${end === undefined ? "" : ` (end ${end})`}`
}

const shown = (value: unknown): string => {
  if (value instanceof Uint8Array) return `[${value.length} bytes]`
  return typeof value === "object" ? JSON.stringify(value) : String(value)
}

const checkValue = (found: unknown, expected: unknown, what: string): void => {
  if (expected instanceof Uint8Array) {
    if (!(found instanceof Uint8Array)) throw new LawBroken(`${what}: bytes expected, ${shown(found)} found`)
    checkBytes(found, expected, what)
  } else if (typeof expected === "object" && expected !== null) {
    checkEqual(shown(found), shown(expected), what)
  } else if (found !== expected) checkEqual(found, expected, what) // -0 is 0
}

/**
 * Demands of an engine what the model says. Where the model gives nothing any value will do, and of what is told
 * of a refusal only that is compared which both tell.
 */
export const checkOutcome = (found: Outcome<unknown>, expected: Outcome<unknown>, what: string): void => {
  if ("value" in expected && "value" in found) {
    if (expected.value !== undefined) checkValue(found.value, expected.value, what)
    return
  }
  const isSame =
    "failure" in expected &&
    "failure" in found &&
    found.failure === expected.failure &&
    (found.end ?? expected.end) === (expected.end ?? found.end) &&
    (found.reason ?? expected.reason) === (expected.reason ?? found.reason)
  if (!isSame) throw new LawBroken(`${what}: the model gives ${told(expected)}, the engine ${told(found)}`)
}
