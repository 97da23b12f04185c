/**
 * What a disk holds while nothing runs: names, and the bytes behind them.
 */
import { CrashContent, type Digest } from "./crashContent.ts"
import { mixed } from "./random.ts"

/** A directory. The same content under two names is one file. */
export interface CrashImage {
  readonly entries: ReadonlyMap<string, CrashImage | CrashContent>
}

export const emptyImage: CrashImage = { entries: new Map() }

const nameDigests = new Map<string, number>()

const nameDigest = (name: string): number => {
  let digest = nameDigests.get(name)
  if (digest === undefined) {
    digest = 0x7f4a7c15
    for (let i = 0; i < name.length; i++) digest = mixed(digest ^ name.charCodeAt(i)) + i
    nameDigests.set(name, digest)
  }
  return digest
}

const treeDigest = (image: CrashImage): Digest => {
  let a = 1
  let b = image.entries.size
  for (const [name, content] of image.entries) {
    const inner = content instanceof CrashContent ? content.digest() : treeDigest(content)
    const place = nameDigest(name)
    a = (a + Math.imul(mixed(inner.a ^ place), 0x165667b1)) | 0
    b = (b + mixed(inner.b + mixed(place ^ 0x5bd1e995))) | 0
  }
  return { a: mixed(a), b: mixed(b) }
}

/** A number of 53 bits that is another one where names, sizes or bytes are others, but for a chance in 2^53. */
export const imageDigest = (image: CrashImage): number => {
  const { a, b } = treeDigest(image)
  return (a >>> 0) * 2 ** 21 + (b >>> 11)
}
