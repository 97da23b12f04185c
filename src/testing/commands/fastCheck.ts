/**
 * fast-check, as a type: the caller hands in the module itself. It is an optional peer, so that programs
 * without it can import `lacuna/testing`, and have their types checked; the types of arbitraries are `any` there.
 */
// eslint-disable-next-line @typescript-eslint/ban-ts-comment
/** @ts-ignore: without fast-check there are no arbitraries, and nobody who wants some. */
import type * as Module from "fast-check"

/** The module: `import * as fc from "fast-check"`. */
export type FastCheck = typeof Module
export type Arbitrary<A> = Module.Arbitrary<A>

/** One of several, by weight; a weight of 0 leaves it out. */
export const oneOf = <A>(
  fc: FastCheck,
  ...choices: ReadonlyArray<readonly [weight: number, arbitrary: Arbitrary<A>]>
): Arbitrary<A> =>
  fc.oneof(...choices.filter(([weight]) => weight > 0).map(([weight, arbitrary]) => ({ weight, arbitrary })))
