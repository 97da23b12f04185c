/** Who holds a lock, as far as Linux tells; what it doesn't tell is no failure. */
import fs from "node:fs"
import { createRequire } from "node:module"
import { afterEach, describe, expect, it } from "vitest"
import { lockHolder } from "../../src/io/lockHolder.ts"
import { nativeExtensions } from "../../src/io/nativeExtensions.ts"
import { patch, systemError } from "./faults.ts"
import { scratchDirectory } from "./scratch.ts"

const directory = scratchDirectory()
let opened: Array<number> = []
let restore = () => {}
afterEach(() => {
  restore()
  restore = () => {}
  for (const fd of opened) fs.closeSync(fd)
  opened = []
})

const { tryLock } = createRequire(import.meta.url)("fs-native-extensions") as {
  tryLock: (fd: number, offset?: number, length?: number, options?: { shared: boolean }) => boolean
}

const open = (name: string): number => {
  const fd = fs.openSync(`${directory}/${name}`, "a+")
  opened.push(fd)
  return fd
}

const holderOf = (fd: number) => lockHolder(fs.fstatSync(fd, { bigint: true }))

const skipped =
  process.platform === "linux" && nativeExtensions().available ? "" : " (skipped: only on Linux)"

describe.skipIf(skipped !== "")(`the holder of a lock${skipped}`, () => {
  // A machine that is busy finds nobody in the time it has.
  it("is this process when it is, whichever name the file has by now", { retry: 3 }, () => {
    const fd = open("a")
    expect(tryLock(fd)).toBe(true)
    fs.renameSync(`${directory}/a`, `${directory}/b`)
    expect(holderOf(open("b"))).toBe("this process")
    fs.unlinkSync(`${directory}/b`)
    expect(holderOf(fd)).toBe("this process")
  })

  it("is unknown of a file that is open but not locked, or locked for sharing", () => {
    const fd = open("c")
    expect(holderOf(fd)).toBeUndefined()
    expect(tryLock(fd, 0, 0, { shared: true })).toBe(true)
    expect(holderOf(fd)).toBeUndefined()
  })

  it("is not whoever has another file locked", () => {
    expect(tryLock(open("d"))).toBe(true)
    expect(holderOf(open("e"))).toBeUndefined()
  })

  it.each(["readdirSync", "opendirSync", "readlinkSync", "readFileSync", "statSync"] as const)(
    "is unknown, and nothing is thrown, where %s is refused",
    (call) => {
      const fd = open("f")
      tryLock(fd)
      const stats = fs.fstatSync(fd, { bigint: true })
      restore = patch({
        [call]: () => {
          throw systemError("EACCES", call)
        }
      })
      expect(lockHolder(stats)).toBeUndefined()
    }
  )

  it("is not looked for any longer than some 50 ms", () => {
    const stats = fs.fstatSync(open("g"), { bigint: true })
    const { readlinkSync } = fs
    restore = patch({
      readlinkSync: (path: string) => {
        const until = performance.now() + 5
        while (performance.now() < until);
        return readlinkSync(path)
      }
    })
    const since = performance.now()
    expect(lockHolder(stats)).toBeUndefined()
    expect(performance.now() - since).toBeLessThan(500)
  })
})

it("of a lock is unknown on other systems", () => {
  const { platform } = process
  Object.defineProperty(process, "platform", { value: "darwin" })
  try {
    expect(lockHolder({ dev: 1n, ino: 1n })).toBeUndefined()
  } finally {
    Object.defineProperty(process, "platform", { value: platform })
  }
})
