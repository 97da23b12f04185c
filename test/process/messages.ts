/**
 * How a child process of these tests is told what to do, and how it tells what it has done.
 *
 * Everything is one line of JSON. A message is in the system's hands when `tell` returns, so the
 * parent gets it even when the child is killed at once.
 */
import fs from "node:fs"
import { inspect } from "node:util"

const tellingFd = 3

export const tell = (message: object): void => {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`)
  for (let at = 0; at < bytes.length;) at += fs.writeSync(tellingFd, bytes, at)
}

/** Told by a child that has loaded everything, and waits. */
export const ready = { told: "ready" }

/** Waits for the one order that a child gets. The end of the parent ends the child. */
export const waitForOrder = <Order>(): Order => {
  tell(ready)
  const pieces: Array<Buffer> = []
  const buffer = Buffer.alloc(1 << 16)
  for (;;) {
    const count = fs.readSync(0, buffer)
    if (count === 0) process.exit(0)
    pieces.push(Buffer.from(buffer.subarray(0, count)))
    if (buffer[count - 1] === 10) break
  }
  return JSON.parse(Buffer.concat(pieces).toString()) as Order
}

/** Ends the process, saying why: with every tag, however deep it lies. */
export const failWith = (reason: unknown): never => {
  console.error(inspect(reason, { depth: 8 }))
  process.exit(1)
}
