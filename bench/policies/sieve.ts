/**
 * SIEVE (Zhang et al., NSDI 2024): a queue whose pages never move. A hand walks from the oldest to the
 * youngest, unmarks what was found, and takes the first page that was not.
 */
import type { Policy } from "./policy.ts"

interface Node {
  readonly page: number
  used: boolean
  older: Node | undefined
  younger: Node | undefined
}

export const sieve: Policy = {
  name: "SIEVE",
  make: (slots) => {
    const nodes = new Map<number, Node>()
    let eldest: Node | undefined
    let youngest: Node | undefined
    let hand: Node | undefined

    const evict = (): void => {
      let node = hand ?? eldest
      while (node?.used === true) {
        node.used = false
        node = node.younger ?? eldest
      }
      if (node === undefined) return
      hand = node.younger
      if (node.older === undefined) eldest = node.younger
      else node.older.younger = node.younger
      if (node.younger === undefined) youngest = node.older
      else node.younger.older = node.older
      nodes.delete(node.page)
    }

    return (page) => {
      const found = nodes.get(page)
      if (found !== undefined) {
        found.used = true
        return true
      }
      if (nodes.size === slots) evict()
      const node: Node = { page, used: false, older: youngest, younger: undefined }
      if (youngest === undefined) eldest = node
      else youngest.younger = node
      youngest = node
      nodes.set(page, node)
      return false
    }
  }
}
