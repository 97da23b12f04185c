/**
 * The directory in which a path's name stands.
 */

/** The directory that holds the name at `path`: what an fsync must reach to make the name durable. */
export const directoryOf = (path: string): string => {
  // What these stand for has its name elsewhere.
  if (/(^|\/)\.\.?$/.test(path)) return `${path}/..`
  const slash = path.lastIndexOf("/")
  if (slash === -1) return "."
  return slash === 0 ? "/" : path.slice(0, slash)
}
