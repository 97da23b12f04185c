/**
 * What this machine must be able to do for a test, and how to get it where it can't: tests that need it are skipped
 * aloud, with one line. Nothing is ever installed here.
 */
import { execFileSync } from "node:child_process"
import fs from "node:fs"
import { it } from "vitest"
import { all } from "./runs.ts"

const found = (command: string): boolean =>
  `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`
    .split(":")
    .some((directory) => directory !== "" && fs.existsSync(`${directory}/${command}`))

const isRoot = (): boolean => process.getuid?.() === 0

/** Whether a loop device can be had: asked of the system, since containers show devices that they may not use. */
const hasLoop = (): boolean => {
  try {
    execFileSync("losetup", ["--find"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

const hasMount = (): boolean => {
  try {
    execFileSync("unshare", ["--mount", "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"], {
      stdio: "ignore"
    })
    return true
  } catch {
    return false
  }
}

/** What is needed: whether it is here, and where it comes from. */
const abilities = {
  all: [() => all, "LACUNA_ALL=1 (it takes long)"],
  root: [isRoot, "root (file systems are mounted)"],
  mount: [hasMount, "the right to mount (a container may lack it: docker run --privileged)"],
  loop: [hasLoop, "a loop device (losetup --find; a container may lack it: docker run --privileged)"],
  ext4: [() => found("mkfs.ext4"), "mkfs.ext4 (apt-get install e2fsprogs)"],
  xfs: [() => found("mkfs.xfs"), "mkfs.xfs (apt-get install xfsprogs)"],
  xfs_io: [() => found("xfs_io"), "xfs_io (apt-get install xfsprogs)"],
  cc: [() => found("cc"), "a C compiler (apt-get install gcc libc6-dev)"],
  prlimit: [() => found("prlimit"), "prlimit (apt-get install util-linux)"],
  linux: [() => process.platform === "linux", "Linux"]
} as const satisfies Record<string, readonly [() => boolean, string]>

export type Ability = keyof typeof abilities

/** What is missing, in the order asked for: the first is what the others may need. */
const missing = (needed: ReadonlyArray<Ability>): string | undefined => {
  for (const ability of needed) {
    const [isHere, how] = abilities[ability]
    if (!isHere()) return how
  }
  return undefined
}

export interface NeedyTest {
  readonly needs: ReadonlyArray<Ability>
  readonly timeout: number
}

/** A test that is skipped, saying why, where something that it needs is missing. Gives whether it will run. */
export const itWith = (name: string, { needs, timeout }: NeedyTest, body: () => Promise<void>): boolean => {
  const lacks = missing(needs)
  if (lacks === undefined) {
    it(name, { timeout }, body)
    return true
  }
  const line = `SKIPPED: ${name}: needs ${lacks}`
  it.skip(line)
  console.log(line)
  return false
}
