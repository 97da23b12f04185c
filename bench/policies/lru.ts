/** Least recently used: a map remembers the order in which its keys were set. */
import type { Policy } from "./policy.ts"

/** The key that was set first. */
export const oldest = (pages: Iterable<number>): number => {
  for (const page of pages) return page
  return -1
}

export const lru: Policy = {
  name: "LRU",
  make: (slots) => {
    const pages = new Set<number>()
    return (page) => {
      const hit = pages.delete(page)
      if (!hit && pages.size === slots) pages.delete(oldest(pages))
      pages.add(page)
      return hit
    }
  }
}
