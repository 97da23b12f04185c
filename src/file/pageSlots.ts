/**
 * Which page lies in which slot of a cache, and which page makes room for another.
 *
 * A page arrives in a short queue, which it leaves in the order of arrival however often it was found:
 * the many small reads of one pass over a page don't make it worth keeping, and a scan goes through
 * this queue alone. Pages that left are remembered by number, and one that comes back while it is
 * remembered is kept: it joins a clock, where a page that was found since the hand last came by stays
 * for another round. While slots are free, what leaves the queue is kept too. (2Q, with the order of a
 * clock, so that a find sets one byte and moves nothing.)
 *
 * Invariants: every slot is on one of three rings, free, arrivals, and kept; at most `arrivalsLimit`
 * are arrivals. Arrivals and remembered pages together are as many as there are slots, so that pages
 * which would fit into the cache meet again before they are forgotten, and come to be kept. Pages are
 * integers from 0 to 2^53-1. No bytes, no I/O, no time; only the constructor allocates, some 60 bytes
 * a slot.
 */
import { PageTable } from "./pageTable.ts"

/** The rings, each through a place of its own behind the slots, from its eldest to its youngest. */
const free = 0
const arrivals = 1
const kept = 2
const rings = 3

const arrivalsShare = 1 / 8

export class PageSlots {
  private readonly slots: number
  private readonly arrivalsLimit: number
  private readonly table: PageTable
  /** Whether a slot's page was found: since it came, or since the hand last passed it. */
  private readonly used: Uint8Array
  private readonly ringOf: Uint8Array
  private readonly younger: Int32Array
  private readonly elder: Int32Array
  private readonly counts = new Int32Array(rings)
  /** Pages that left the arrivals, the eldest at `departedNext`, where the next one goes. */
  private readonly departed: PageTable
  private readonly departedLimit: number
  private departedNext = 0
  private lastEvicted = -1

  /** Any number from 1 to 2^28. */
  constructor(slots: number) {
    this.slots = slots
    // Two cursors that move together each need a page: a queue of one would make them miss in turns.
    this.arrivalsLimit = slots < 4 ? 1 : Math.max(2, Math.floor(slots * arrivalsShare))
    this.departedLimit = Math.max(1, slots - this.arrivalsLimit)
    this.table = new PageTable(slots)
    this.departed = new PageTable(this.departedLimit)
    this.used = new Uint8Array(slots)
    this.ringOf = new Uint8Array(slots)
    this.younger = new Int32Array(slots + rings)
    this.elder = new Int32Array(slots + rings)
    for (let end = slots; end < slots + rings; end++) this.younger[end] = this.elder[end] = end
    for (let slot = 0; slot < slots; slot++) this.join(slot, free)
  }

  /** How many pages are in. */
  get size(): number {
    return this.slots - this.counts[free]
  }

  /** The page that lost its slot to the one that was inserted last; -1 where none did. */
  get evicted(): number {
    return this.lastEvicted
  }

  /** The slot of `page`, which counts as used; -1 when it is absent. */
  find(page: number): number {
    const slot = this.table.find(page)
    if (slot !== -1) this.used[slot] = 1
    return slot
  }

  /** The slot of `page`, or -1. Nothing is changed. */
  peek(page: number): number {
    return this.table.find(page)
  }

  /** Gives a slot to `page`, which must be absent. Where none is free, another page loses its own. */
  insert(page: number): number {
    const target = this.recall(page) ? kept : arrivals
    this.lastEvicted = -1
    if (this.counts[free] === 0) this.makeRoom(target)
    const slot = this.place(page, target)
    if (this.counts[arrivals] > this.arrivalsLimit) this.keepEldest()
    return slot
  }

  /**
   * `insert` of a page that is known to be worth keeping: as long as others are in that came earlier and are not
   * found meanwhile, those make room, for it and for the next of its kind.
   */
  insertKept(page: number): number {
    this.recall(page)
    this.lastEvicted = -1
    if (this.counts[free] === 0) this.makeRoomAnywhere()
    const slot = this.place(page, kept)
    this.used[slot] = 1
    return slot
  }

  /** Makes `page`, if it is in, one that came by `insertKept` just now. */
  keep(page: number): void {
    const slot = this.find(page)
    if (slot !== -1) this.move(slot, kept)
  }

  /** Frees the slot of `page`, if it has one. */
  remove(page: number): void {
    const slot = this.table.find(page)
    if (slot !== -1) this.release(slot)
  }

  /** As many slots more as are wanted, with the same pages in the same order; these have new slots. */
  grown(slots: number): PageSlots {
    const grown = new PageSlots(slots)
    for (const ring of [kept, arrivals]) {
      for (let slot = this.eldest(ring); slot < this.slots; slot = this.younger[slot]) {
        const place = grown.eldest(free)
        grown.table.put(place, this.table.at(slot))
        grown.used[place] = this.used[slot]
        grown.move(place, ring)
      }
    }
    return grown
  }

  /** Evicts a page, so that another can join `target`. */
  private makeRoom(target: number): void {
    const { counts } = this
    const full = target === arrivals && counts[arrivals] === this.arrivalsLimit
    if (full || counts[kept] === 0) this.depart(this.eldest(arrivals))
    else this.lastEvicted = this.release(this.unused())
  }

  /** Evicts one of the pages that are least worth keeping. */
  private makeRoomAnywhere(): void {
    if (this.counts[arrivals] > 0) this.depart(this.eldest(arrivals))
    else this.lastEvicted = this.release(this.unused())
  }

  /** Whether a page is remembered, which it is no longer. */
  private recall(page: number): boolean {
    const remembered = this.departed.find(page)
    if (remembered !== -1) this.departed.empty(remembered)
    return remembered !== -1
  }

  private place(page: number, ring: number): number {
    const slot = this.eldest(free)
    this.table.put(slot, page)
    this.used[slot] = 0
    this.move(slot, ring)
    return slot
  }

  private depart(slot: number): void {
    const { departed, departedNext } = this
    departed.empty(departedNext)
    this.lastEvicted = this.release(slot)
    departed.put(departedNext, this.lastEvicted)
    this.departedNext = departedNext + 1 === this.departedLimit ? 0 : departedNext + 1
  }

  /** Moves the hand, which is the end of the ring, to the first page that was not found since it came by. */
  private unused(): number {
    const { used } = this
    for (;;) {
      const slot = this.eldest(kept)
      if (used[slot] === 0) return slot
      used[slot] = 0
      this.move(slot, kept)
    }
  }

  /** There was a free slot, so the eldest arrival need not go. */
  private keepEldest(): void {
    const slot = this.eldest(arrivals)
    this.used[slot] = 0
    this.move(slot, kept)
  }

  /** Frees a slot. Gives the page that it held. */
  private release(slot: number): number {
    this.move(slot, free)
    return this.table.empty(slot)
  }

  private eldest(ring: number): number {
    return this.younger[this.slots + ring]
  }

  /** Takes a slot from its ring and makes it the youngest of `ring`. */
  private move(slot: number, ring: number): void {
    const { elder, younger } = this
    younger[elder[slot]] = younger[slot]
    elder[younger[slot]] = elder[slot]
    this.counts[this.ringOf[slot]]--
    this.join(slot, ring)
  }

  private join(slot: number, ring: number): void {
    const { elder, younger } = this
    const end = this.slots + ring
    const youngest = elder[end]
    younger[youngest] = slot
    elder[slot] = youngest
    younger[slot] = end
    elder[end] = slot
    this.ringOf[slot] = ring
    this.counts[ring]++
  }
}
