/**
 * The file through which failingCalls.c is told which call fails, and tells how many there were.
 */
import fs from "node:fs"

/** In the order of failingCalls.c, counted from 1. */
export const callKinds = ["pwrite", "fsync", "ftruncate", "rename", "unlink", "open", "fallocate"] as const
export type CallKind = (typeof callKinds)[number]

/** A short write is one that transfers half of the bytes, and is no error. */
export type CallFailure = "EIO" | "ENOSPC" | "EMFILE" | "short"

export interface FailingCall {
  readonly kind: CallKind
  /** Counted from 1. */
  readonly call: number
  readonly failure: CallFailure
  /** Whether every later call of this kind fails as well. */
  readonly onward: boolean
}

const errnos: Record<CallFailure, number> = { EIO: 5, ENOSPC: 28, EMFILE: 24, short: 0 }
const fields = 4
const controlBytes = 4 * (fields + 1 + callKinds.length)

export const makeCallControl = (path: string): void => fs.writeFileSync(path, Buffer.alloc(controlBytes))

export class CallControl {
  private readonly fd: number

  constructor(path: string) {
    this.fd = fs.openSync(path, "r+")
  }

  /** Begins to count anew; with `failing`, that call fails. */
  arm(failing?: FailingCall): void {
    const words = new Uint32Array(controlBytes / 4)
    if (failing !== undefined) {
      const { call, failure, kind, onward } = failing
      words.set([callKinds.indexOf(kind) + 1, call, errnos[failure], Number(onward)])
    }
    fs.writeSync(this.fd, new Uint8Array(words.buffer), 0, controlBytes, 0)
  }

  /** Lets every call through again, and gives how many there were of each kind. */
  disarm(): Record<CallKind, number> {
    const words = new Uint32Array(controlBytes / 4)
    fs.writeSync(this.fd, new Uint8Array(4), 0, 4, 0)
    fs.readSync(this.fd, new Uint8Array(words.buffer), 0, controlBytes, 0)
    return Object.fromEntries(callKinds.map((kind, i) => [kind, words[fields + 1 + i]])) as Record<
      CallKind,
      number
    >
  }
}
