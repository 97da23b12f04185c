/**
 * The paged map: an offmap that can't be mapped, whose cells come through the frames of a page cache.
 *
 * The pages of the cache are those that the checksums are for, counted from the first cell. A page is
 * verified each time that it is fetched, so that whatever is in a frame has been; its cells are gone
 * through the first time, since the same checksum means the same cells. The index is in memory. What
 * that and the frames take does not grow with what is looked up.
 *
 * Pages are fetched at once, by reads on the caller's thread, and for lookups one at a time: only
 * walks over many of them fetch some ahead.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { crc32 } from "../bytes/crc32.ts"
import { type Corrupt, ReadOutOfBounds } from "../bytes/errors.ts"
import { cellBytes, cellViews } from "../format/offmapCell.ts"
import { offmapLayout, pageBytes } from "../format/offmapImage.ts"
import type { OffmapHeader } from "../format/offmapImage.ts"
import { pageFault } from "../format/offmapPage.ts"
import { attempt } from "../io/attempt.ts"
import type { IoFile, ReadError } from "../io/Io.ts"
import { truncated } from "./fixedData.ts"
import { OffmapSearch } from "./offmapSearch.ts"
import { PageFetching } from "./pageFetching.ts"
import { PageFrames } from "./pageFrames.ts"
import type { FetchedBytes, PageRange } from "./pageSource.ts"

/** 32 MiB of frames: the cells of 4 million bindings. */
const maxFrames = 8192
/** Pages that a walk fetches with the one it has come to: 64 KiB together. */
const pagesAhead = 15

export interface OffmapPagedOptions {
  /** The file that the image begins. */
  readonly file: IoFile
  readonly header: OffmapHeader
  readonly index: Uint8Array
  /** Pages, a power of two. Default: as many as there are, at most 32 MiB. */
  readonly cacheSize?: number | undefined
}

/** Opens the map whose image begins `file`, and whose header was decoded, for as long as the scope lasts. */
export const openOffmapPaged = (
  options: Omit<OffmapPagedOptions, "index">
): Effect.Effect<OffmapPaged, ReadError | Corrupt, Scope.Scope> =>
  Effect.gen(function* () {
    const { imageBytes, pageSums } = offmapLayout(options.header)
    const index = new Uint8Array(imageBytes - pageSums)
    yield* options.file.readAt(pageSums, index)
    const map = yield* attempt<OffmapPaged, Corrupt>(() => new OffmapPaged({ ...options, index }))
    yield* Effect.addFinalizer(() => Effect.sync(() => map.close()))
    return map
  })

export class OffmapPaged extends OffmapSearch {
  private readonly file: IoFile
  /** Undefined once the map is closed: the frames are let go. */
  private fetching: PageFetching<Corrupt> | undefined
  /** The page that was asked for last, and what its cells' numbers in the views are beyond their own. */
  private page = -1
  private shift = 0
  /** Pages whose cells have been gone through. */
  private readonly checked: Uint8Array
  private readonly run = new Uint8Array((1 + pagesAhead) * pageBytes)
  private readonly runViews = cellViews(this.run)

  /** Throws `Corrupt` when the index is damaged. */
  constructor({ cacheSize, file, header, index }: OffmapPagedOptions) {
    const { pages } = offmapLayout(header)
    const frames = new PageFrames({ pageSize: pageBytes, cacheSize: cacheSize ?? framesFor(pages) })
    const origin = { path: file.path, offset: 0 }
    super({ header, index, origin, trusted: false, views: cellViews(frames.bytes) })
    const fetch = (range: PageRange) => this.fetch(range)
    this.file = file
    this.checked = new Uint8Array(pages)
    this.fetching = new PageFetching({
      frames,
      source: { path: file.path, fetch, fetchNow: fetch },
      readAhead: 0,
      context: Context.empty()
    })
  }

  override at(cell: number): number {
    if (cell >> 6 !== this.page) this.turnTo(cell, 0)
    return cell + this.shift
  }

  override atAhead(cell: number): number {
    if (cell >> 6 !== this.page) this.turnTo(cell, pagesAhead)
    return cell + this.shift
  }

  private turnTo(cell: number, ahead: number): void {
    this.checkOpen()
    const fetching = this.fetching!
    const { frames } = fetching
    const page = cell >> 6
    const address = cell * cellBytes
    let place = frames.place(address, cellBytes)
    if (place < 0) {
      const lastPage = Math.min(page + ahead, this.layout.pages - 1)
      const { bytes, position } = fetching.fetchNow({ wanted: address, last: lastPage * pageBytes })
      // Where there are few frames, those that were fetched ahead may have taken the wanted one's.
      if (!frames.has(page)) frames.put(page, position, bytes)
      place = frames.place(address, cellBytes)
    }
    this.page = page
    this.shift = place / cellBytes - cell
  }

  /** The first of a run of pages is wanted; those behind it are given as far as they are whole. */
  private fetch({ length, position }: PageRange): FetchedBytes {
    const bytes = this.readRun(position, length)
    for (let from = 0; from < bytes.length; from += pageBytes) {
      const fault = this.faultOf((position + from) / pageBytes, from)
      if (fault !== undefined && from === 0) throw fault
      if (fault !== undefined) return { position, bytes: bytes.subarray(0, from) }
    }
    return { position, bytes }
  }

  /** Reads cells, from `position` behind the first one's beginning: those that there are, but one page at least. */
  private readRun(position: number, length: number): Uint8Array {
    const bytes = this.run.subarray(0, Math.min(length, this.cellsBytes - position))
    try {
      this.file.unsafe.readAt(this.layout.cells + position, bytes)
      return bytes
    } catch (cause) {
      if (!(cause instanceof ReadOutOfBounds)) throw cause
      if (length <= pageBytes) throw truncated(cause)
      return this.readRun(position, pageBytes)
    }
  }

  /** What is wrong with a page that was read to `from` in the run, or undefined. */
  private faultOf(page: number, from: number): Corrupt | undefined {
    const length = Math.min(pageBytes, this.cellsBytes - page * pageBytes)
    if (crc32(this.run.subarray(from, from + length)) !== this.pageSums[page]) return this.wrongSum(page)
    if (this.checked[page] !== 0) return undefined
    const fault = pageFault(this.runViews, { at: from / cellBytes, header: this.header, page })
    if (fault !== undefined) return this.corrupt(fault.position, fault.reason)
    this.checked[page] = 1
    return undefined
  }

  /** The length of all cells. */
  private get cellsBytes(): number {
    return this.layout.pageSums - this.layout.cells
  }

  /** Read anew, whole pages of it, and kept by nobody: who writes a map asks for each part once. */
  override imagePart(from: number, to: number): Uint8Array {
    this.checkOpen()
    const { cells } = this.layout
    const begin = Math.floor((from - cells) / pageBytes) * pageBytes
    const end = Math.min(Math.ceil((to - cells) / pageBytes) * pageBytes, this.cellsBytes)
    const part = new Uint8Array(end - begin)
    for (let position = begin; position < end;) {
      const length = Math.min(this.run.length, end - position)
      const { bytes } = this.fetch({ position, length, wanted: position })
      part.set(bytes, position - begin)
      position += bytes.length
    }
    return part.subarray(from - cells - begin, to - cells - begin)
  }

  /** That of the index, which it was verified against. */
  override sumOf(page: number): number {
    return this.pageSums[page]
  }

  override close(): void {
    super.close()
    this.page = -1
    this.fetching = undefined
  }
}

/** The smallest power of two that holds all pages. */
const framesFor = (pages: number): number => Math.min(maxFrames, 2 ** Math.ceil(Math.log2(pages)))
