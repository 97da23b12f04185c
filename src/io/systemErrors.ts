/**
 * From the operating system's error codes to lacuna's tags.
 *
 * Raw primitives throw errors with a `code` (Node's own, or a `SystemError` where there is no Node
 * call behind). Here, and only here, a code becomes a tag.
 */
import {
  FileExists,
  IoFailed,
  NoSpace,
  NoSuchFile,
  NotADirectory,
  NotAFile,
  Unsupported
} from "../bytes/errors.ts"

/** An error in the shape of Node's, for primitives that make no system call. */
export class SystemError extends Error {
  readonly code: string
  readonly syscall: string
  constructor(code: string, syscall: string, message = `${code}: ${syscall}`) {
    super(message)
    this.name = "SystemError"
    this.code = code
    this.syscall = syscall
  }
}

export type PathError = FileExists | IoFailed | NoSpace | NoSuchFile | NotADirectory | NotAFile

/** The `code` of an error, or `"UNKNOWN"`. */
export const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "UNKNOWN"

/** A failure that has no tag of its own. */
export const ioFailed = (cause: unknown, path: string, syscall: string): IoFailed =>
  new IoFailed({ syscall, path, code: codeOf(cause), cause })

const isFull = (code: string): boolean => code === "ENOSPC" || code === "EDQUOT"

/** A failure of something that may need space. */
export const writeFailed = (cause: unknown, path: string, syscall: string): IoFailed | NoSpace =>
  isFull(codeOf(cause)) ? new NoSpace({ path, syscall }) : ioFailed(cause, path, syscall)

/** A failure of something that this machine may not be able to do at all. */
export const punchFailed = (cause: unknown, path: string): IoFailed | NoSpace | Unsupported => {
  if (cause instanceof Unsupported) return cause
  const code = codeOf(cause)
  return code === "EOPNOTSUPP" || code === "ENOTSUP" || code === "ENOSYS"
    ? new Unsupported({ operation: "punchHole", reason: `the file system of ${path} can't (${code})` })
    : writeFailed(cause, path, "fallocate")
}

const pathErrorOf = (cause: unknown, path: string, syscall: string): PathError => {
  switch (codeOf(cause)) {
    case "ENOENT":
      return new NoSuchFile({ path })
    case "EEXIST":
      return new FileExists({ path })
    case "EISDIR":
    case "ENXIO": // what opening a socket answers
      return new NotAFile({ path })
    case "ENOTDIR":
      return new NotADirectory({ path })
    default:
      return writeFailed(cause, path, syscall)
  }
}

/** A failure concerning a path; tags that the operation doesn't list become `IoFailed`. */
export const pathFailed = <const Tag extends PathError["_tag"]>(
  cause: unknown,
  at: { readonly path: string; readonly syscall: string; readonly tags: ReadonlyArray<Tag> }
): IoFailed | Extract<PathError, { readonly _tag: Tag }> => {
  const error = pathErrorOf(cause, at.path, at.syscall)
  return (at.tags as ReadonlyArray<string>).includes(error._tag)
    ? (error as Extract<PathError, { readonly _tag: Tag }>)
    : ioFailed(cause, at.path, at.syscall)
}
