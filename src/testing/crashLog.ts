/**
 * What was done to a disk, in order: the calls that change it, the calls that make changes durable,
 * and the notes of whoever did it.
 */
import type { MemoryDirectory, MemoryFile, MemoryNode } from "../io/memoryTree.ts"

export type CrashEvent<Note> =
  /** `size` is that after the write, where it made the file longer. */
  | {
      readonly kind: "write"
      readonly file: MemoryFile
      readonly offset: number
      readonly bytes: Uint8Array
      readonly size: number | undefined
    }
  | { readonly kind: "resize"; readonly file: MemoryFile; readonly size: number }
  | { readonly kind: "zero"; readonly file: MemoryFile; readonly offset: number; readonly length: number }
  /** Entries of one directory that change together: the new node, or undefined where a name goes. */
  | { readonly kind: "entries"; readonly directory: MemoryDirectory; readonly changes: EntryChanges }
  | { readonly kind: "sync"; readonly file: MemoryFile }
  | { readonly kind: "syncDirectory"; readonly directory: MemoryDirectory }
  | { readonly kind: "note"; readonly note: Note }

export type EntryChanges = ReadonlyArray<readonly [name: string, node: MemoryNode | undefined]>

/** One line that says what was done; `nameOf` tells what a file was called when it was made. */
export const eventText = (event: CrashEvent<unknown>, nameOf: (node: MemoryNode) => string): string => {
  switch (event.kind) {
    case "write": {
      const grown = event.size === undefined ? "" : `, which makes it ${event.size} long`
      return `write ${event.bytes.length} bytes at ${event.offset} of ${nameOf(event.file)}${grown}`
    }
    case "resize":
      return `make ${nameOf(event.file)} ${event.size} long`
    case "zero":
      return `zero ${event.length} bytes at ${event.offset} of ${nameOf(event.file)}`
    case "sync":
      return `sync ${nameOf(event.file)}`
    case "syncDirectory":
      return `sync directory ${nameOf(event.directory)}`
    case "entries":
      return event.changes
        .map(([name, node]) => (node === undefined ? `no ${name} any more` : `${name} is ${nameOf(node)}`))
        .join(", ")
    case "note":
      return `note ${JSON.stringify(event.note).slice(0, 160)}`
  }
}
