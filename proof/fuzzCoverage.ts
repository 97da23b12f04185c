/**
 * Which blocks of the code under test have been run, as V8 counts them: precise block coverage, through the
 * inspector of this very process.
 *
 * V8 tells ranges of the source and joins neighbours that ran equally often, so that ranges are not the same twice.
 * What is kept is therefore which characters were ever reached; a block is what lies between two places at which any
 * range has ever begun or ended.
 */
import inspector from "node:inspector"

interface Script {
  /** For each character: 1: reached, 2: a range begins here. */
  marks: Uint8Array
}

const reached = 1
const edge = 2

export class BlockCoverage {
  private readonly session = new inspector.Session()
  private readonly scripts = new Map<string, Script>()
  private readonly isWanted: (url: string) => boolean

  /** Counts in scripts whose address is wanted. */
  constructor(isWanted: (url: string) => boolean) {
    this.isWanted = isWanted
    this.session.connect()
    this.session.post("Profiler.enable")
    this.session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true })
  }

  /**
   * Whether what has run since the last call has reached anything for the first time. Unless that is remembered,
   * it will be new again.
   */
  take(isRemembered: boolean): boolean {
    let isNew = false
    this.session.post("Profiler.takePreciseCoverage", (error, answer) => {
      if (error !== null) throw error
      for (const { functions, url } of answer.result) {
        if (!this.isWanted(url)) continue
        const ranges = functions.flatMap((one) => one.ranges)
        if (this.paint(url, ranges, isRemembered)) isNew = true
      }
    })
    return isNew
  }

  /** How many blocks were reached. */
  get blocks(): number {
    let count = 0
    for (const { marks } of this.scripts.values()) {
      for (let i = 0, inside = false; i < marks.length; i++) {
        const isReached = (marks[i] & reached) !== 0
        if (isReached && (!inside || (marks[i] & edge) !== 0)) count++
        inside = isReached
      }
    }
    return count
  }

  stop(): void {
    this.session.post("Profiler.stopPreciseCoverage")
    this.session.disconnect()
  }

  /** Ranges lie within each other: what is inside counts, and comes behind. */
  private paint(
    url: string,
    ranges: ReadonlyArray<inspector.Profiler.CoverageRange>,
    isRemembered: boolean
  ): boolean {
    let size = 0
    for (const { endOffset } of ranges) size = Math.max(size, endOffset)
    const script = this.scriptOf(url, size + 1)
    const now = new Uint8Array(size)
    const nested = [...ranges].sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset)
    for (const { count, endOffset, startOffset } of nested) {
      script.marks[startOffset] |= edge
      script.marks[endOffset] |= edge
      now.fill(count > 0 ? 1 : 0, startOffset, endOffset)
    }
    let isNew = false
    for (let i = 0; i < size; i++) {
      if (now[i] === 0 || (script.marks[i] & reached) !== 0) continue
      if (!isRemembered) return true
      script.marks[i] |= reached
      isNew = true
    }
    return isNew
  }

  private scriptOf(url: string, size: number): Script {
    const found = this.scripts.get(url) ?? { marks: new Uint8Array(0) }
    if (found.marks.length < size) {
      const marks = new Uint8Array(size)
      marks.set(found.marks)
      found.marks = marks
    }
    this.scripts.set(url, found)
    return found
  }
}
