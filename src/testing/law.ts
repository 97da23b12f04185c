/**
 * Laws: tests for any runner. Each is a sentence, and a promise that is rejected where it is broken.
 *
 * ```ts
 * for (const law of ioSuite(MyIo.layer)) it(law.name, law.run)
 * ```
 *
 * The assertions are as few as the suites need, and of no test framework.
 */
import * as Effect from "effect/Effect"

/** A sentence about behaviour, and the attempt to break it. */
export interface Law {
  readonly name: string
  readonly run: () => Promise<void>
}

/** What a law is rejected with when an implementation breaks it. */
export class LawBroken extends Error {
  override readonly name = "LawBroken"
}

const shown = (value: unknown): string => {
  if (value instanceof Error)
    return "_tag" in value ? `${String(value._tag)}: ${value.message}` : String(value)
  return typeof value === "string" ? JSON.stringify(value) : String(value)
}

/** Demands `condition`. */
export const check = (condition: boolean, what: string): void => {
  if (!condition) throw new LawBroken(`broken: ${what}`)
}

/** Demands that two primitive values, or two lists of them, are the same. */
export const checkEqual = (actual: unknown, expected: unknown, what: string): void => {
  if (Array.isArray(actual) && Array.isArray(expected)) {
    checkEqual(actual.length, expected.length, `${what}: number of elements`)
    expected.forEach((value, index) => checkEqual(actual[index], value, `${what}, element ${index}`))
  } else if (!Object.is(actual, expected)) {
    throw new LawBroken(`${what}: ${shown(expected)} expected, ${shown(actual)} found`)
  }
}

/** Demands the same bytes, and names the first that differs. */
export const checkBytes = (actual: Uint8Array, expected: Uint8Array, what: string): void => {
  checkEqual(actual.length, expected.length, `${what}: number of bytes`)
  for (let i = 0; i < expected.length; i++) {
    if (actual[i] !== expected[i]) checkEqual(actual[i], expected[i], `${what}: byte ${i}`)
  }
}

const checkTag = <Tag extends string>(error: unknown, tag: Tag, what: string): { readonly _tag: Tag } => {
  const found = typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined
  if (found !== tag) throw new LawBroken(`${what}: ${tag} expected, ${shown(error)} found`)
  return error as { readonly _tag: Tag }
}

/** Demands that `body` throws an error of this tag, and gives it. */
export const checkThrows = <E extends { readonly _tag: string } = { readonly _tag: string }>(
  tag: E["_tag"],
  body: () => unknown,
  what: string
): E => {
  let value: unknown
  try {
    value = body()
  } catch (error) {
    return checkTag(error, tag, what) as E
  }
  throw new LawBroken(`${what}: ${tag} expected, but it gave ${shown(value)}`)
}

/** Demands that `effect` fails with an error of this tag, and gives it. */
export const checkFails = <A, E, R, Tag extends string>(
  tag: Tag,
  effect: Effect.Effect<A, E, R>,
  what: string
): Effect.Effect<Extract<E, { readonly _tag: Tag }>, never, R> =>
  Effect.matchEffect(effect, {
    onFailure: (error) => Effect.sync(() => checkTag(error, tag, what) as Extract<E, { readonly _tag: Tag }>),
    onSuccess: (value) =>
      Effect.sync(() => {
        throw new LawBroken(`${what}: ${tag} expected, but it gave ${shown(value)}`)
      })
  })
