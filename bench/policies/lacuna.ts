/** What the page cache does: its own code. */
import { PageSlots } from "../../src/file/pageSlots.ts"
import type { Policy } from "./policy.ts"

export const lacuna: Policy = {
  name: "lacuna",
  make: (count) => {
    const slots = new PageSlots(count)
    return (page) => {
      if (slots.find(page) !== -1) return true
      slots.insert(page)
      return false
    }
  }
}
