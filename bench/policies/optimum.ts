/**
 * The most that any policy could reach on a trace: Belady's, which knows the future, and evicts the
 * page that is asked for last. A page that will not be asked for before all that are in is passed by.
 */

const never = 2 ** 53

/** For every position of the trace, the next one that asks for the same page. */
const nextUses = (trace: Float64Array): Float64Array => {
  const next = new Float64Array(trace.length)
  const seen = new Map<number, number>()
  for (let i = trace.length - 1; i >= 0; i--) {
    next[i] = seen.get(trace[i]) ?? never
    seen.set(trace[i], i)
  }
  return next
}

/** Which lookups of `trace` a cache of `slots` pages could answer, a byte each. */
export const optimalHits = (trace: Float64Array, slots: number): Uint8Array => {
  const next = nextUses(trace)
  const hits = new Uint8Array(trace.length)
  /** The next use of every page that is in. Each page has the latest of its uses in the heap, and older ones. */
  const inCache = new Map<number, number>()
  const heap = makeHeap()
  for (let i = 0; i < trace.length; i++) {
    const page = trace[i]
    if (inCache.has(page)) hits[i] = 1
    else if (next[i] === never) continue
    inCache.set(page, next[i])
    heap.push(next[i], page)
    while (inCache.size > slots) {
      const { page: last, use } = heap.pop()
      if (inCache.get(last) === use) inCache.delete(last)
    }
  }
  return hits
}

/** A binary heap, the latest use on top. */
const makeHeap = () => {
  const uses: Array<number> = []
  const pages: Array<number> = []
  const swap = (i: number, j: number): void => {
    ;[uses[i], uses[j]] = [uses[j], uses[i]]
    ;[pages[i], pages[j]] = [pages[j], pages[i]]
  }
  const sink = (): void => {
    for (let i = 0; ;) {
      const left = 2 * i + 1
      if (left >= uses.length) return
      const child = left + 1 < uses.length && uses[left + 1] > uses[left] ? left + 1 : left
      if (uses[child] <= uses[i]) return
      swap(i, child)
      i = child
    }
  }
  return {
    push: (use: number, page: number): void => {
      uses.push(use)
      pages.push(page)
      for (let i = uses.length - 1; i > 0;) {
        const parent = (i - 1) >> 1
        if (uses[parent] >= uses[i]) return
        swap(i, parent)
        i = parent
      }
    },
    pop: (): { readonly use: number; readonly page: number } => {
      const top = { use: uses[0], page: pages[0] }
      swap(0, uses.length - 1)
      uses.pop()
      pages.pop()
      sink()
      return top
    }
  }
}
