/**
 * The names of the files of a sparse file, all in one place.
 *
 * A finished sparse file is `<path>` and `<path>.map`. While it is written they are `<path>.tmp`
 * and `<path>.map.tmp`, so that whatever ends in `.tmp` and is locked by nobody may be deleted.
 */

/** The four names that belong to the sparse file at one path. */
export interface SparsePaths {
  /** The live bytes, back to back. */
  readonly data: string
  /** The offmap, followed by the block sums of the data. */
  readonly map: string
  /** The data under construction, locked by its writer. */
  readonly dataTmp: string
  /** The map under construction. */
  readonly mapTmp: string
}

export const sparsePaths = (path: string): SparsePaths => ({
  data: path,
  map: `${path}.map`,
  dataTmp: `${path}.tmp`,
  mapTmp: `${path}.map.tmp`
})
