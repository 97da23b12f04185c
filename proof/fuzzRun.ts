/**
 * Fuzzing one target: inputs are changed, those that reach something new are kept and changed further.
 *
 * V8 takes milliseconds to tell what was reached, and a decoder microseconds. So many inputs are tried between two
 * questions; where something is new they are tried again by halves, to find out which it was.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib"
import type { AllocationMeter } from "../src/testing/exploreDamage.ts"
import { guard } from "./damageHooks.ts"
import type { BlockCoverage } from "./fuzzCoverage.ts"
import { mutated, type Random } from "./fuzzMutation.ts"
import type { FuzzTarget } from "./fuzzTarget.ts"
import type { PartFailure } from "./part.ts"

const batchInputs = 400
/** For a batch; a single input has as much. */
const limitMillis = 2000
const maxFailures = 3

/** An input as a part of a command. */
export const encodeInput = (bytes: Uint8Array): string => deflateRawSync(bytes).toString("base64url")

export const decodeInput = (text: string): Uint8Array =>
  new Uint8Array(inflateRawSync(Buffer.from(text, "base64url")))

export class Fuzzing {
  readonly corpus: Array<Uint8Array>
  readonly failures: Array<PartFailure> = []
  /** Inputs that have reached something new. */
  readonly found: Array<Uint8Array> = []
  executions = 0
  refused = 0
  private readonly stories = new Set<string>()
  private readonly target: FuzzTarget
  private readonly coverage: BlockCoverage
  private readonly meter: AllocationMeter
  private readonly random: Random

  constructor(
    target: FuzzTarget,
    options: { readonly coverage: BlockCoverage; readonly meter: AllocationMeter; readonly random: Random }
  ) {
    this.target = target
    this.coverage = options.coverage
    this.meter = options.meter
    this.random = options.random
    this.corpus = []
  }

  /** Begins with inputs that were found before, as far as they still reach something, and some new ones. */
  seed(inputs: Iterable<Uint8Array>): void {
    this.sift([...inputs])
    this.found.length = 0
    this.sift(Array.from({ length: 50 }, () => this.target.generate(this.random)))
  }

  /** Fuzzes for so long. */
  fuzz(millis: number): void {
    const end = performance.now() + millis
    while (performance.now() < end && this.failures.length < maxFailures) {
      const inputs = Array.from({ length: batchInputs }, () => this.next())
      this.sift(inputs)
    }
  }

  /** Tries one input; the story of what it did wrong. */
  tryOne(bytes: Uint8Array): string | undefined {
    const { meter, target } = this
    const began = performance.now()
    let story: string | undefined
    meter.reset()
    try {
      target.run(bytes)
    } catch (error) {
      if (target.isRefusal(error)) this.refused++
      else story = error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error)
    }
    const asked = meter.bytes()
    const millis = performance.now() - began
    this.executions++
    if (asked > (1 << 20) + 64 * bytes.length)
      story ??= `${asked} bytes of memory for ${bytes.length} of input`
    if (millis > limitMillis) story ??= `it took ${Math.round(millis)} ms`
    return story
  }

  /** Tries inputs, and keeps those that reach something for the first time: half of them at a time. */
  sift(given: ReadonlyArray<Uint8Array>): void {
    const inputs = this.tryAll(given)
    const isOne = inputs.length === 1
    if (!this.coverage.take(isOne) && this.corpus.length > 0) return
    if (isOne) {
      this.corpus.push(inputs[0])
      this.found.push(inputs[0])
    } else if (inputs.length > 0) {
      const middle = inputs.length >> 1
      this.sift(inputs.slice(0, middle))
      this.sift(inputs.slice(middle))
    }
  }

  /** Gives those that have ended. */
  private tryAll(given: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> {
    const inputs = [...given]
    for (let next = 0; next < inputs.length;) {
      const ended = guard(() => {
        for (; next < inputs.length; next++) {
          const story = this.tryOne(inputs[next])
          if (story !== undefined) this.fail(inputs[next], story)
        }
      }, limitMillis * 2)
      if (!ended) for (const endless of inputs.splice(next, 1)) this.fail(endless, "it did not end")
      if (this.failures.length >= maxFailures) break
    }
    return inputs
  }

  private fail(bytes: Uint8Array, story: string): void {
    const { name } = this.target
    // The same bug is found a thousand times: its first words and its place tell it from others.
    const key = story.split("\n").slice(0, 2).join().replace(/\d+/g, "")
    if (this.stories.has(key)) return
    this.stories.add(key)
    this.failures.push({ at: `${name}/${encodeInput(bytes)}`, story: `${name}: ${story.slice(0, 1500)}` })
  }

  private next(): Uint8Array {
    const { corpus, random, target } = this
    const { align, dictionary, maxBytes } = target
    const base = random.once(12) || corpus.length === 0 ? target.generate(random) : random.of(corpus)
    const other = corpus.length > 0 ? random.of(corpus) : base
    let bytes = mutated(base, { align, dictionary, other, random })
    if (bytes.length > maxBytes) bytes = bytes.slice(0, maxBytes)
    if (!random.once(5)) target.repair?.(bytes, random)
    return bytes
  }
}
