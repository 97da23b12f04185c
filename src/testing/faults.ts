/**
 * What can go wrong with a single call of an Io, and which calls it can happen to.
 *
 * A case is written as text, so that one line replays it: `EIO@17` is the call behind 17 others failing once,
 * `EIO@17+` that one and every later one, `EIO@17,short-read@20` two faults, and what stands behind a `/`
 * happens in the recovery.
 */
import { IoFailed, NoSpace } from "../bytes/errors.ts"
import { SystemError } from "../io/systemErrors.ts"

/**
 * - `EIO`: any call fails.
 * - `ENOSPC`: a call that can need space fails with `NoSpace`.
 * - `EMFILE`: a call that opens a descriptor fails.
 * - `short-read`: a read ends early, as if the file had been cut short.
 * - `short-write`: the first part is written, and then the space ends.
 * - `zero-write`: the system writes nothing, and says so: `IoFailed` with the code `ZERO_WRITE`.
 */
export type FaultKind = "EIO" | "ENOSPC" | "EMFILE" | "short-read" | "short-write" | "zero-write"

export const faultKinds: ReadonlyArray<FaultKind> = [
  "EIO",
  "ENOSPC",
  "EMFILE",
  "short-read",
  "short-write",
  "zero-write"
]

/** One fault, from the moment that it is armed. */
export interface Fault {
  readonly kind: FaultKind
  /** Calls that are made before it. It hits the first call behind them that it can happen to. */
  readonly at: number
  /** `once`: that call alone. `on`: every later call that it can happen to as well. */
  readonly lasts: "once" | "on"
  /** The share of a short transfer that is made, from 0 to 1. Default: a half. */
  readonly share?: number | undefined
}

/** The calls of an Io and of its files. */
export type IoOperation = PathOperation | FileOperation

type PathOperation =
  | "create"
  | "open"
  | "sizeOf"
  | "classify"
  | "list"
  | "makeDirectory"
  | "rename"
  | "remove"
  | "syncDirectory"
  | "lock"

type FileOperation =
  "readAt" | "readSomeAt" | "writeAt" | "size" | "truncate" | "sync" | "punchHole" | "map" | "close"

/** A call that reaches the system: what is refused for its arguments, or by a closed file, does not. */
export interface IoCall {
  readonly operation: IoOperation
  /** Of a rename, the path from which. */
  readonly path: string
  /** Bytes to be read or written, otherwise 0. */
  readonly length: number
}

const syscalls: Readonly<Record<IoOperation, string>> = {
  create: "open",
  open: "open",
  sizeOf: "stat",
  classify: "lstat",
  list: "readdir",
  makeDirectory: "mkdir",
  rename: "rename",
  remove: "unlink",
  syncDirectory: "fsync",
  lock: "lock",
  readAt: "read",
  readSomeAt: "read",
  writeAt: "write",
  size: "fstat",
  truncate: "ftruncate",
  sync: "fsync",
  punchHole: "fallocate",
  map: "mmap",
  close: "close"
}

const needsSpace: ReadonlySet<IoOperation> = new Set<IoOperation>([
  "create",
  "lock",
  "makeDirectory",
  "rename",
  "writeAt",
  "truncate",
  "sync",
  "punchHole"
])

const opensDescriptor: ReadonlySet<IoOperation> = new Set<IoOperation>([
  "create",
  "open",
  "lock",
  "list",
  "syncDirectory"
])

/** Whether a fault of this kind can happen to a call. */
export const faultApplies = (kind: FaultKind, { length, operation }: IoCall): boolean => {
  switch (kind) {
    case "EIO":
      return true
    case "ENOSPC":
      return needsSpace.has(operation)
    case "EMFILE":
      return opensDescriptor.has(operation)
    case "short-read":
      return operation === "readAt" || operation === "readSomeAt"
    case "short-write":
      return operation === "writeAt" && length > 1
    case "zero-write":
      return operation === "writeAt"
  }
}

/** What a call fails with. A short read is none: what it gives, or refuses, is the read's own to say. */
export const faultError = (
  kind: Exclude<FaultKind, "short-read">,
  { length, operation, path }: IoCall
): IoFailed | NoSpace => {
  const syscall = syscalls[operation]
  if (kind === "ENOSPC" || kind === "short-write") return new NoSpace({ path, syscall })
  const [code, words] =
    kind === "EIO"
      ? ["EIO", "i/o error"]
      : kind === "EMFILE"
        ? ["EMFILE", "too many open files"]
        : ["ZERO_WRITE", `the system wrote none of ${length} bytes`]
  const cause = new SystemError(code, syscall, `${code}: ${words}, made up by IoFault`)
  return new IoFailed({ syscall, path, code, cause })
}

/** As text: `EIO@17+`. */
export const shownFault = ({ at, kind, lasts }: Fault): string => `${kind}@${at}${lasts === "on" ? "+" : ""}`

/** What `shownFault` wrote; undefined where it is no fault. */
export const parsedFault = (text: string): Fault | undefined => {
  const found = /^([A-Za-z-]+)@([0-9]{1,15})(\+?)$/.exec(text)
  const kind = faultKinds.find((one) => one === found?.[1])
  if (found === null || kind === undefined) return undefined
  return { kind, at: Number(found[2]), lasts: found[3] === "+" ? "on" : "once" }
}
