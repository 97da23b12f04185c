/**
 * 2Q (Johnson and Shasha, VLDB 1994), the full version: a quarter of the pages is a queue that finds
 * don't reorder; half as many as there are pages are remembered when they leave it, and only those of
 * them that come back enter the part that is kept by recency.
 */
import { oldest } from "./lru.ts"
import type { Policy } from "./policy.ts"

export const twoQueues: Policy = {
  name: "2Q",
  make: (slots) => {
    const queueSize = Math.max(1, Math.floor(slots / 4))
    const rememberedSize = Math.max(1, Math.floor(slots / 2))
    const queue = new Set<number>()
    const remembered = new Set<number>()
    const kept = new Set<number>()

    const makeRoom = (): void => {
      if (queue.size + kept.size < slots) return
      if (queue.size > queueSize || kept.size === 0) {
        const page = oldest(queue)
        queue.delete(page)
        remembered.add(page)
        if (remembered.size > rememberedSize) remembered.delete(oldest(remembered))
      } else kept.delete(oldest(kept))
    }

    return (page) => {
      if (kept.delete(page)) {
        kept.add(page)
        return true
      }
      if (queue.has(page)) return true
      makeRoom()
      if (remembered.delete(page)) kept.add(page)
      else queue.add(page)
      return false
    }
  }
}
