/**
 * What a process that is killed leaves to the next one, while the machine goes on: everything that it
 * did is shown, and what it did not sync is as pending as before. Whoever comes then may build on what
 * a power cut can still take away.
 */
import { type MemoryDirectory, MemoryFile, type MemoryNode } from "../io/memoryTree.ts"
import { CrashDisk } from "./crashDisk.ts"
import type { CrashEvent } from "./crashLog.ts"

/** A disk on which the first `moment` events of another one have happened, and nobody has a file open. */
export const killedAt = <Note>(disk: CrashDisk<Note>, moment: number): CrashDisk<Note> => {
  const next = new CrashDisk<Note>(disk.image)
  const twins = new Map<MemoryNode, MemoryNode>()
  const pair = (directory: MemoryDirectory, twin: MemoryDirectory): void => {
    twins.set(directory, twin)
    for (const [name, node] of disk.entries.get(directory) ?? []) {
      const found = next.entries.get(twin)!.get(name)!
      if (node instanceof MemoryFile) twins.set(node, found)
      else pair(node, found as MemoryDirectory)
    }
  }
  pair(disk.root, next.root)
  const twinOf = <N extends MemoryNode>(node: N): N => {
    let twin = twins.get(node)
    if (twin === undefined) {
      twins.set(node, (twin = next.newNode(node)))
      if (node instanceof MemoryFile && disk.locks.has(node)) next.locks.add(twin as MemoryFile)
    }
    return twin as N
  }
  for (const event of disk.log.slice(0, moment)) happen(event, next, twinOf)
  return next
}

const happen = <Note>(
  event: CrashEvent<Note>,
  disk: CrashDisk<Note>,
  twinOf: <N extends MemoryNode>(node: N) => N
): void => {
  switch (event.kind) {
    case "write":
      return twinOf(event.file).bytes.write(event.bytes, 0, event.bytes.length, event.offset)
    case "resize":
      return twinOf(event.file).bytes.truncate(event.size)
    case "zero":
      return twinOf(event.file).bytes.zero(event.offset, event.length)
    case "sync":
      return twinOf(event.file).bytes.sync()
    case "note":
      return disk.note(event.note)
    case "syncDirectory":
      disk.log.push({ kind: "syncDirectory", directory: twinOf(event.directory) })
      return
    case "entries": {
      const directory = twinOf(event.directory)
      const changes = event.changes.map(([name, node]) => [name, node && twinOf(node)] as const)
      for (const [name, node] of changes) {
        if (node === undefined) directory.entries.delete(name)
        else directory.entries.set(name, node)
      }
      disk.log.push({ kind: "entries", directory, changes })
    }
  }
}
