/**
 * A small file system of a test's own: made in an image file, mounted through a loop device, and cut off from its
 * device as if the power had gone.
 *
 * Whatever happens, what was mounted is unmounted, its loop device given back and its image removed: at the end of the
 * test, of its process, on a signal; and what a process that was killed has left, by the next one.
 *
 * Images lie in /dev/shm where there is one, since the disk below is no part of the test, else with temporary files
 * (`LACUNA_IMAGES` says otherwise).
 */
import { execFileSync } from "node:child_process"
import fs from "node:fs"
import { basename, join } from "node:path"
import { memoryDirectory } from "./runs.ts"

export type FileSystem =
  "ext4" | "ext4 data=writeback" | "ext4 noauto_da_alloc" | "ext4 without journal" | "XFS" | "tmpfs"

/**
 * How the power goes.
 *
 * - `log lost`: the file system stops; what it has in memory, its log included, is gone.
 * - `log flushed`: the log is written first, so every change of names and sizes is there, and data that was not
 *   synced is not.
 * - `unplugged`: what the device had received at that moment is what there is. It is a copy of the image.
 */
export type Cut = "log lost" | "log flushed" | "unplugged"

const mebibyte = 1 << 20

interface Kind {
  readonly make: ReadonlyArray<string>
  readonly mount: string
  readonly sizeBytes: number
}

const ext4 = ["mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"]

const kinds: Record<Exclude<FileSystem, "tmpfs">, Kind> = {
  ext4: { make: ext4, mount: "rw", sizeBytes: 128 * mebibyte },
  "ext4 data=writeback": { make: ext4, mount: "data=writeback", sizeBytes: 128 * mebibyte },
  "ext4 noauto_da_alloc": { make: ext4, mount: "noauto_da_alloc", sizeBytes: 128 * mebibyte },
  "ext4 without journal": { make: [...ext4, "-O", "^has_journal"], mount: "rw", sizeBytes: 128 * mebibyte },
  XFS: { make: ["mkfs.xfs", "-q", "-f"], mount: "rw", sizeBytes: 300 * mebibyte }
}

/** Runs a command; what it says is the message of its failure. */
const run = (command: string, ...args: ReadonlyArray<string>): string => {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim()
  } catch (cause) {
    const { stderr, stdout } = cause as { readonly stderr?: string; readonly stdout?: string }
    throw new Error(`${command} ${args.join(" ")}: ${stderr ?? ""}${stdout ?? ""}`, { cause })
  }
}

/** The command that cuts the power of what is mounted at `at`, at once, with nothing else to do before. */
export const cutCommand = (cut: Cut, at: string): ReadonlyArray<string> => {
  if (cut === "unplugged") return ["true"]
  return ["xfs_io", "-x", "-c", cut === "log lost" ? "shutdown" : "shutdown -f", at]
}

const home = process.env["LACUNA_IMAGES"] ?? memoryDirectory
const prefix = "lacuna-volume-"
const live = new Set<Volume>()

export interface VolumeOptions {
  /** Of tmpfs and ext4; default 128 MiB. */
  readonly sizeBytes?: number
  /** Where the image lies; default: a directory of its own. */
  readonly imageDirectory?: string
  /** The most that the device is asked to write at once; default: the system's choice. */
  readonly requestBytes?: number
}

export class Volume {
  readonly kind: FileSystem
  /** Where the files are, while it is mounted. */
  readonly root: string
  private readonly directory: string
  private readonly image: string
  private readonly sizeBytes: number
  private readonly requestBytes: number | undefined
  private device: string | undefined
  private mounted = false

  constructor(kind: FileSystem, options: VolumeOptions = {}) {
    this.kind = kind
    prepare()
    this.directory = fs.mkdtempSync(join(home, `${prefix}${process.pid}-`))
    this.root = join(this.directory, "root")
    this.image = join(options.imageDirectory ?? this.directory, "image")
    this.requestBytes = options.requestBytes
    live.add(this)
    fs.mkdirSync(this.root)
    if (kind === "tmpfs") {
      this.sizeBytes = options.sizeBytes ?? 128 * mebibyte
    } else {
      this.sizeBytes = options.sizeBytes ?? kinds[kind].sizeBytes
      fs.writeFileSync(this.image, "")
      fs.truncateSync(this.image, this.sizeBytes)
      const [command, ...args] = kinds[kind].make
      run(command, ...args, this.image)
    }
    this.mount()
  }

  mount(): void {
    if (this.kind === "tmpfs") {
      run("mount", "-t", "tmpfs", "-o", `size=${this.sizeBytes}`, "none", this.root)
    } else {
      this.device ??= this.attach()
      run("mount", "-o", kinds[this.kind].mount, this.device, this.root)
    }
    this.mounted = true
  }

  private attach(): string {
    const device = run("losetup", "--find", "--show", this.image)
    if (this.requestBytes !== undefined) {
      fs.writeFileSync(`/sys/block/${basename(device)}/queue/max_sectors_kb`, `${this.requestBytes >> 10}`)
    }
    return device
  }

  unmount(): void {
    if (this.mounted) run("umount", this.root)
    this.mounted = false
  }

  /** What comes after a cut, once nobody has a file open: the cut itself where it is a copy, and power again. */
  restart(cut: Cut): void {
    if (cut === "unplugged") this.unplug()
    this.unmount()
    if (cut === "unplugged") this.plugIn()
    // Without a journal nothing else makes names, sizes and blocks agree again.
    if (this.kind === "ext4 without journal") this.repair()
    this.mount()
  }

  private unplug(): void {
    run("cp", "--sparse=always", this.image, `${this.image}.cut`)
  }

  private plugIn(): void {
    this.detach()
    fs.renameSync(`${this.image}.cut`, this.image)
  }

  /** e2fsck says 1 where it has repaired something, and 4 where it could not. */
  repair(): void {
    try {
      run("e2fsck", "-f", "-y", this.device ?? this.image)
    } catch (failure) {
      const { status } = (failure as { readonly cause: { readonly status: number | null } }).cause
      if (status !== 1) throw failure
    }
  }

  private detach(): void {
    if (this.device !== undefined) run("losetup", "--detach", this.device)
    this.device = undefined
  }

  /** Unmounts and removes everything, also when something of it was never made. */
  destroy(): void {
    live.delete(this)
    try {
      this.unmount()
    } catch {
      run("umount", "--lazy", this.root) // somebody has a file open still
    }
    this.detach()
    fs.rmSync(this.image, { force: true })
    fs.rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Runs `body` with a volume that is gone afterwards. */
export const withVolume = async <A>(
  kind: FileSystem,
  options: VolumeOptions,
  body: (volume: Volume) => Promise<A>
): Promise<A> => {
  const volume = new Volume(kind, options)
  try {
    return await body(volume)
  } finally {
    volume.destroy()
  }
}

const destroyAll = (): void => {
  // The newest first: the image of one may lie in another.
  for (const volume of [...live].reverse()) volume.destroy()
}

let prepared = false
const prepare = (): void => {
  if (prepared) return
  prepared = true
  process.on("exit", destroyAll)
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      destroyAll()
      process.kill(process.pid, signal)
    })
  }
  for (const name of fs.readdirSync(home)) if (name.startsWith(prefix)) removeLeftOver(name)
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Removes what a process has left that was killed before it could. */
const removeLeftOver = (name: string): void => {
  const directory = join(home, name)
  if (isAlive(Number(name.slice(prefix.length).split("-")[0]))) return
  for (const command of [
    `umount --lazy '${directory}/root'`,
    `losetup --associated '${directory}/image' --noheadings --output NAME | xargs --no-run-if-empty losetup --detach`
  ]) {
    try {
      execFileSync("sh", ["-c", command], { stdio: "ignore" })
    } catch {
      // It was not mounted.
    }
  }
  fs.rmSync(directory, { recursive: true, force: true })
}
