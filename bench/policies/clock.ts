/** CLOCK, or second chance: a hand passes over the pages that were found since it last came by. */
import type { Policy } from "./policy.ts"

export const clock: Policy = {
  name: "CLOCK",
  make: (slots) => {
    const slotOf = new Map<number, number>()
    const pages = new Float64Array(slots).fill(-1)
    const used = new Uint8Array(slots)
    let hand = 0
    return (page) => {
      const slot = slotOf.get(page)
      if (slot !== undefined) {
        used[slot] = 1
        return true
      }
      while (used[hand] === 1) {
        used[hand] = 0
        hand = (hand + 1) % slots
      }
      slotOf.delete(pages[hand])
      pages[hand] = page
      slotOf.set(page, hand)
      hand = (hand + 1) % slots
      return false
    }
  }
}
