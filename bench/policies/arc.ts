/**
 * ARC (Megiddo and Modha, FAST 2003): pages seen once and pages seen again, each by recency, and each
 * with a memory of what left it. Whichever memory is asked for gets more room.
 */
import { oldest } from "./lru.ts"
import type { Policy } from "./policy.ts"

export const arc: Policy = {
  name: "ARC",
  make: (slots) => {
    const once = new Set<number>()
    const again = new Set<number>()
    const onceGone = new Set<number>()
    const againGone = new Set<number>()
    let onceTarget = 0

    const move = (from: Set<number>, to: Set<number>): void => {
      const page = oldest(from)
      from.delete(page)
      to.add(page)
    }
    const makeRoom = (wasAgain: boolean): void => {
      if (once.size > 0 && (once.size > onceTarget || (wasAgain && once.size === onceTarget)))
        move(once, onceGone)
      else move(again, againGone)
    }

    const miss = (page: number): void => {
      const total = once.size + again.size + onceGone.size + againGone.size
      if (once.size + onceGone.size === slots) {
        if (once.size < slots) {
          onceGone.delete(oldest(onceGone))
          makeRoom(false)
        } else once.delete(oldest(once))
      } else if (total >= slots) {
        if (total === 2 * slots) againGone.delete(oldest(againGone))
        makeRoom(false)
      }
      once.add(page)
    }

    return (page) => {
      if (once.delete(page) || again.delete(page)) {
        again.add(page)
        return true
      }
      if (onceGone.has(page)) {
        onceTarget = Math.min(slots, onceTarget + Math.max(1, againGone.size / onceGone.size))
        makeRoom(false)
        onceGone.delete(page)
        again.add(page)
      } else if (againGone.has(page)) {
        onceTarget = Math.max(0, onceTarget - Math.max(1, onceGone.size / againGone.size))
        makeRoom(true)
        againGone.delete(page)
        again.add(page)
      } else miss(page)
      return false
    }
  }
}
