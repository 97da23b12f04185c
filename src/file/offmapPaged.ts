/**
 * The paged map: an offmap that can't be mapped, whose cells come through the frames of a page cache.
 *
 * The pages of the cache are those that the checksums are for, counted from the first cell. A page is
 * verified each time that it is fetched, so that whatever is in a frame has been; its cells are gone
 * through the first time, since the same checksum means the same cells. The index is in memory. What
 * that and the frames take does not grow with what is looked up.
 *
 * Pages of a file are fetched at once, by reads on the caller's thread, and for lookups one at a time: only
 * walks over many of them fetch some ahead. Where they come from elsewhere, offmapRemote.ts waits for them.
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
import { PageFetching, type PageSpan } from "./pageFetching.ts"
import { PageFrames } from "./pageFrames.ts"
import type { FetchedBytes, PageRange } from "./pageSource.ts"

/** 32 MiB of frames: the cells of 4 million bindings. */
const maxFrames = 8192
/** Pages that a walk fetches with the one it has come to: 64 KiB together. */
const pagesAhead = 15

/**
 * Where the cells of an image come from. Positions count from the first cell, and what is asked for are whole
 * pages, but for the last one. The first page of a range is given, or it fails.
 */
export interface CellSource<E> {
  /** What errors call the map. */
  readonly path: string
  readonly fetch: (range: PageRange) => FetchedBytes | Effect.Effect<FetchedBytes, E>
  /** `fetch`, at once; undefined where cells have to be waited for. */
  readonly fetchNow: ((range: PageRange) => FetchedBytes) | undefined
}

/** What a lookup is given up with that comes to a page which has to be waited for. */
export class PageAway {
  readonly span: PageSpan
  constructor(span: PageSpan) {
    this.span = span
  }
}

export interface OffmapPagedOptions<E> {
  readonly cells: CellSource<E>
  readonly header: OffmapHeader
  readonly index: Uint8Array
  /** Pages, a power of two. Default: as many as there are, at most 32 MiB. */
  readonly cacheSize?: number | undefined
  /** What calls under way run in; of no matter where pages come at once. */
  readonly context?: Context.Context<never> | undefined
}

export interface OffmapPagedFile {
  /** The file that the image begins. */
  readonly file: IoFile
  readonly header: OffmapHeader
  readonly cacheSize?: number | undefined
}

/** Opens the map whose image begins `file`, and whose header was decoded, for as long as the scope lasts. */
export const openOffmapPaged = ({
  cacheSize,
  file,
  header
}: OffmapPagedFile): Effect.Effect<OffmapPaged, ReadError | Corrupt, Scope.Scope> =>
  Effect.gen(function* () {
    const { imageBytes, pageSums } = offmapLayout(header)
    const index = new Uint8Array(imageBytes - pageSums)
    yield* file.readAt(pageSums, index)
    const cells = cellsOfFile(file, offmapLayout(header).cells)
    const map = yield* attempt<OffmapPaged, Corrupt>(
      () => new OffmapPaged({ cacheSize, cells, header, index })
    )
    yield* Effect.addFinalizer(() => Effect.sync(() => map.close()))
    return map
  })

/** The cells in a file, of which the first lies at `start`. Each answer overwrites the one before. */
const cellsOfFile = (file: IoFile, start: number): CellSource<never> => {
  const run = new Uint8Array((1 + pagesAhead) * pageBytes)
  const fetchNow = ({ length, position, wanted }: PageRange): FetchedBytes => {
    const bytes = run.subarray(0, Math.min(length, run.length))
    try {
      file.unsafe.readAt(start + position, bytes)
      return { position, bytes }
    } catch (cause) {
      if (!(cause instanceof ReadOutOfBounds)) throw cause
      if (length <= pageBytes) throw truncated(cause)
      return fetchNow({ length: pageBytes, position, wanted })
    }
  }
  return { path: file.path, fetch: fetchNow, fetchNow }
}

export class OffmapPaged<E = never> extends OffmapSearch {
  private readonly source: CellSource<E>
  /** Undefined once the map is closed: the frames are let go. */
  private fetching: PageFetching<E | Corrupt> | undefined
  /** The page that was asked for last, and what its cells' numbers in the views are beyond their own. */
  private page = -1
  private shift = 0
  /** Pages whose cells have been gone through. */
  private readonly checked: Uint8Array

  /** Throws `Corrupt` when the index is damaged. */
  constructor({ cacheSize, cells, context, header, index }: OffmapPagedOptions<E>) {
    const { pages } = offmapLayout(header)
    const frames = new PageFrames({ pageSize: pageBytes, cacheSize: cacheSize ?? framesFor(pages) })
    const origin = { path: cells.path, offset: 0 }
    super({ header, index, origin, trusted: false, views: cellViews(frames.bytes) })
    this.source = cells
    this.checked = new Uint8Array(pages)
    this.fetching = new PageFetching<E | Corrupt>({
      frames,
      source: {
        path: cells.path,
        fetch: (range) => this.fetch(range),
        fetchNow: (range) => this.fetchNow(range)
      },
      readAhead: 0,
      context: context ?? Context.empty()
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
      const span = { wanted: address, last: lastPage * pageBytes }
      if (this.source.fetchNow === undefined) throw new PageAway(span)
      const { bytes, position } = fetching.fetchNow(span)
      // Where there are few frames, those that were fetched ahead may have taken the wanted one's.
      if (!frames.has(page)) frames.put(page, position, bytes)
      place = frames.place(address, cellBytes)
    }
    this.page = page
    this.shift = place / cellBytes - cell
  }

  /** Waits for pages, and hands over what came of them: it is in the frames then, as far as there is room. */
  load<A>(span: PageSpan, take: (fetched: FetchedBytes) => A): Effect.Effect<A, E | Corrupt> {
    return Effect.suspend(() => {
      this.checkOpen()
      return this.fetching!.fetch(span, take)
    })
  }

  /**
   * A lookup begins after others may have run: the frames have changed since, and get back those pages that it
   * has waited for already.
   */
  resume(waitedFor: ReadonlyMap<number, Uint8Array>): void {
    this.checkOpen()
    const { frames } = this.fetching!
    this.page = -1
    // To put one may take the frame of another. What was put is the youngest, so the second pass leaves all of them.
    for (let pass = 0; pass < 3; pass++) {
      for (const [page, bytes] of waitedFor) {
        if (!frames.has(page)) frames.put(page, page * pageBytes, bytes)
      }
    }
  }

  private fetch(range: PageRange): FetchedBytes | Effect.Effect<FetchedBytes, E | Corrupt> {
    const answer = this.source.fetch(this.withinCells(range))
    if (!Effect.isEffect(answer)) return this.verified(answer)
    return Effect.flatMap(answer, (fetched) => attempt<FetchedBytes, Corrupt>(() => this.verified(fetched)))
  }

  private fetchNow(range: PageRange): FetchedBytes {
    // Who comes here has looked whether there is one, or writes an image, which nobody does of a map that is far away.
    return this.verified(this.source.fetchNow!(this.withinCells(range)))
  }

  private withinCells({ length, position, wanted }: PageRange): PageRange {
    return { position, length: Math.min(length, this.cellsBytes - position), wanted }
  }

  /** The first of a run of pages is wanted; those behind it are given as far as they are whole. */
  private verified({ bytes, position }: FetchedBytes): FetchedBytes {
    for (let from = 0; from < bytes.length; from += pageBytes) {
      const page = (position + from) / pageBytes
      const length = Math.min(pageBytes, this.cellsBytes - page * pageBytes)
      const fault = this.faultOf(page, bytes.subarray(from, from + length))
      if (fault !== undefined && from === 0) throw fault
      if (fault !== undefined) return { position, bytes: bytes.subarray(0, from) }
    }
    return { position, bytes }
  }

  /** What is wrong with the bytes of a page, or undefined. */
  private faultOf(page: number, bytes: Uint8Array): Corrupt | undefined {
    if (crc32(bytes) !== this.pageSums[page]) return this.wrongSum(page)
    if (this.checked[page] !== 0) return undefined
    const fault = pageFault(cellViews(bytes), { at: 0, header: this.header, page })
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
      const { bytes } = this.fetchNow({ position, length: end - position, wanted: position })
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
