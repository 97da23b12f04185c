/** Direct mapping: a page has one slot, given by its hash, and overwrites whatever lies there. */
import type { Policy } from "./policy.ts"

const hash = (page: number): number => {
  const mixed = Math.imul((page | 0) ^ Math.imul((page * 2 ** -32) | 0, 0x85ebca6b), 0x9e3779b1)
  return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) >>> 8
}

export const direct: Policy = {
  name: "direct",
  make: (slots) => {
    const pages = new Float64Array(slots).fill(-1)
    return (page) => {
      const slot = hash(page) % slots
      if (pages[slot] === page) return true
      pages[slot] = page
      return false
    }
  }
}
