/**
 * A live list read from a file, a pipe or standard input: what of a source is to be kept.
 *
 * Duplicates and overlaps are what collectors emit: they are united and counted. Zero-length
 * extents keep nothing: they are dropped and counted. Anything else that is not an extent of the
 * source ends the reading with the number of its line.
 */
import fs from "node:fs"
import { Socket } from "node:net"
import type { Readable } from "node:stream"
import { promisify } from "node:util"
import * as Effect from "effect/Effect"
import { IoFailed, NoSuchFile, NotAFile } from "../bytes/errors.ts"
import { BadLiveList } from "./errors.ts"
import { extentRuns, type UnitedExtents } from "./extentRuns.ts"
import { liveListParser } from "./liveListParser.ts"

export interface LiveList {
  /** Lines that hold an extent, those of no bytes included. */
  readonly given: number
  /** Extents of no bytes. */
  readonly empty: number
  readonly extents: UnitedExtents
}

export type LiveListError = BadLiveList | IoFailed | NoSuchFile | NotAFile

const pieceBytes = 1 << 18

/**
 * Reads the live list at `path` (`-` is standard input) for a source of `sourceBytes`. Memory is 16
 * bytes a line, and the same again for each united extent.
 */
export const readLiveList = (path: string, sourceBytes: number): Effect.Effect<LiveList, LiveListError> =>
  Effect.tryPromise({
    try: (signal) => gather(path, sourceBytes, signal),
    catch: (cause) => (cause instanceof BadLiveList ? cause : fromSystem(path, cause))
  })

const gather = async (path: string, sourceBytes: number, signal: AbortSignal): Promise<LiveList> => {
  const runs = extentRuns()
  let given = 0
  let empty = 0
  const parser = liveListParser({
    name: path === "-" ? "standard input" : path,
    sourceBytes,
    onExtent: (offset, length) => {
      given++
      if (length === 0) empty++
      else runs.add(offset, length)
    }
  })
  const input = await openList(path)
  const stop = (): void => void input.destroy()
  signal.addEventListener("abort", stop)
  try {
    for await (const piece of input) parser.push(piece)
    parser.end()
  } finally {
    input.destroy()
    signal.removeEventListener("abort", stop)
  }
  return { given, empty, extents: runs.unite() }
}

/** Not through Io: a list may well be a pipe, which Io, made for regular files, refuses. */
const openList = async (path: string): Promise<Readable> => {
  if (path === "-") return process.stdin
  if (!fs.statSync(path).isFIFO()) return fs.createReadStream(path, { highWaterMark: pieceBytes })
  // As a socket, since a file's read would wait for the writer where no interrupt reaches it.
  return new Socket({ fd: await promisify(fs.open)(path, "r"), readable: true, writable: false })
}

const fromSystem = (path: string, cause: unknown): IoFailed | NoSuchFile | NotAFile => {
  const { code = "UNKNOWN", syscall = "read" } = cause as NodeJS.ErrnoException
  if (code === "ENOENT" || code === "ENOTDIR") return new NoSuchFile({ path })
  return code === "EISDIR" ? new NotAFile({ path }) : new IoFailed({ syscall, path, code, cause })
}
