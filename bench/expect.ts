/** Nothing is timed that gives wrong answers: these end a case whose sides disagree. */

type Numbers = Float64Array | Uint32Array | Uint8Array

/** Throws unless both hold the same numbers. */
export const expectSame = (what: string, found: Numbers, wanted: Numbers): void => {
  if (found.length !== wanted.length) {
    throw new Error(`${what} differ: ${found.length} and ${wanted.length} elements`)
  }
  for (let i = 0; i < wanted.length; i++) {
    if (found[i] !== wanted[i]) throw new Error(`${what} differ at ${i}: ${found[i]} and ${wanted[i]}`)
  }
}

/** Throws unless `holds`. */
export const expect = (what: string, holds: boolean): void => {
  if (!holds) throw new Error(`${what}: not so`)
}
