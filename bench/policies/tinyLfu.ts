/**
 * W-TinyLFU (Einziger et al., 2017): what leaves a window of a hundredth is let into the main part,
 * a segmented LRU, only if a sketch has counted it more often than the page it would replace. The
 * counts are halved every ten times as many lookups as there are pages.
 */
import { oldest } from "./lru.ts"
import type { Policy } from "./policy.ts"

const rows = 4
const most = 15
const seeds = [0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f]

const makeSketch = (slots: number) => {
  const width = 2 ** Math.ceil(Math.log2(4 * slots))
  const counts = new Uint8Array(rows * width)
  let lookups = 0
  const place = (page: number, row: number): number => {
    const mixed = Math.imul((page | 0) ^ Math.imul((page * 2 ** -32) | 0, seeds[3 - row]), seeds[row])
    return row * width + ((mixed ^ (mixed >>> 15)) & (width - 1))
  }
  return {
    count: (page: number): void => {
      for (let row = 0; row < rows; row++) {
        const at = place(page, row)
        if (counts[at] < most) counts[at]++
      }
      if (++lookups < 10 * slots) return
      lookups = 0
      for (let i = 0; i < counts.length; i++) counts[i] >>= 1
    },
    counted: (page: number): number => {
      let least = most
      for (let row = 0; row < rows; row++) least = Math.min(least, counts[place(page, row)])
      return least
    }
  }
}

export const tinyLfu: Policy = {
  name: "W-TinyLFU",
  make: (slots) => {
    const windowSize = Math.max(1, Math.floor(slots / 100))
    const mainSize = slots - windowSize
    const protectedSize = Math.floor(mainSize * 0.8)
    const sketch = makeSketch(slots)
    const window = new Set<number>()
    const probation = new Set<number>()
    const kept = new Set<number>()

    const promote = (page: number): void => {
      kept.add(page)
      if (kept.size <= protectedSize) return
      const demoted = oldest(kept)
      kept.delete(demoted)
      probation.add(demoted)
    }
    const leaveWindow = (): void => {
      const candidate = oldest(window)
      window.delete(candidate)
      if (probation.size + kept.size < mainSize) {
        probation.add(candidate)
        return
      }
      const victims = probation.size > 0 ? probation : kept
      const victim = oldest(victims)
      if (victim === -1 || sketch.counted(candidate) <= sketch.counted(victim)) return
      victims.delete(victim)
      probation.add(candidate)
    }

    return (page) => {
      sketch.count(page)
      if (window.delete(page)) window.add(page)
      else if (kept.delete(page)) kept.add(page)
      else if (probation.delete(page)) promote(page)
      else {
        window.add(page)
        if (window.size > windowSize) leaveWindow()
        return false
      }
      return true
    }
  }
}
