/**
 * S3-FIFO (Yang et al., SOSP 2023): a tenth of the pages is a first queue, from which only those that
 * were found again, twice, move to the second, where each find is worth a further round, three at most.
 * Pages that leave the first queue are remembered; one that comes back soon goes to the second at once.
 */
import { oldest } from "./lru.ts"
import type { Policy } from "./policy.ts"

const most = 3
const enough = 2

export const s3Fifo: Policy = {
  name: "S3-FIFO",
  make: (slots) => {
    const firstSize = Math.max(1, Math.floor(slots / 10))
    const first = new Map<number, { finds: number }>()
    const second = new Map<number, { finds: number }>()
    const remembered = new Set<number>()

    const leaveFirst = (): boolean => {
      const page = oldest(first.keys())
      const state = first.get(page)
      first.delete(page)
      if (state !== undefined && state.finds >= enough) {
        second.set(page, { finds: 0 })
        return false
      }
      remembered.add(page)
      if (remembered.size > slots - firstSize) remembered.delete(oldest(remembered))
      return true
    }

    const leaveSecond = (): boolean => {
      const page = oldest(second.keys())
      const state = second.get(page)
      second.delete(page)
      if (state === undefined || state.finds === 0) return true
      state.finds--
      second.set(page, state)
      return false
    }

    return (page) => {
      const state = first.get(page) ?? second.get(page)
      if (state !== undefined) {
        state.finds = Math.min(most, state.finds + 1)
        return true
      }
      let full = first.size + second.size === slots
      while (full) full = !(first.size >= firstSize || second.size === 0 ? leaveFirst() : leaveSecond())
      const target = remembered.delete(page) ? second : first
      target.set(page, { finds: 0 })
      return false
    }
  }
}
