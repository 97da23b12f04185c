/**
 * The names of the files of an extent file, all in one place.
 */

export interface ExtentPaths {
  /** The bytes, at the offsets that they have in the object. Its lock is that of the extent file. */
  readonly data: string
  /** What is known of the data. */
  readonly record: string
  /** A record under construction. Only the holder of the lock makes one. */
  readonly recordTmp: string
}

export const extentPaths = (path: string): ExtentPaths => ({
  data: path,
  record: `${path}.extents`,
  recordTmp: `${path}.extents.tmp`
})
