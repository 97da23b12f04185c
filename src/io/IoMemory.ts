/**
 * Io in memory: for tests, and for programs that want no disk.
 *
 * The same behaviour as on a disk, since both stand on the same semantics (openFile.ts, service.ts)
 * and answer to the same conformance suite. Each build of the layer is a file system of its own,
 * empty but for `/`. What is not modelled: that unsynced bytes can be lost (`IoCrash` of
 * lacuna/testing does that), and that space ends.
 */
import * as Layer from "effect/Layer"
import { Io } from "./Io.ts"
import { MemoryBytes } from "./memoryBytes.ts"
import { memorySystem } from "./memorySystem.ts"
import { MemoryTree } from "./memoryTree.ts"
import { makeIo } from "./service.ts"

/** Io in memory; a fresh and empty file system for each build of the layer. */
export const IoMemory: { readonly layer: Layer.Layer<Io> } = {
  layer: Layer.sync(Io, () => Io.of(makeIo(memorySystem(new MemoryTree(() => new MemoryBytes())))))
}
