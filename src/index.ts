/**
 * lacuna: garbage-collect an append-only file without changing a single offset.
 *
 * Everything public, by name. What is not exported here is not promised.
 */
export * from "./bytes/errors.ts"
export type { Binding, Extent } from "./bytes/extent.ts"
export { MemoryLimiter } from "./bytes/memoryLimiter.ts"
export type { PhysicalOffset, VirtualOffset } from "./bytes/offset.ts"
export type { RunRange } from "./bytes/readBuffer.ts"

export { Io } from "./io/Io.ts"
export type * from "./io/Io.ts"
export { IoMemory } from "./io/IoMemory.ts"
export { IoNode } from "./io/IoNode.ts"
export type * from "./io/IoNode.ts"

export { AppendOnlyFile } from "./file/AppendOnlyFile.ts"
export type * from "./file/appendOnlyFileService.ts"
export { ExtentFile } from "./file/ExtentFile.ts"
export type * from "./file/extentFileService.ts"
export type * from "./file/extentStore.ts"
export { Offmap } from "./file/Offmap.ts"
export type * from "./file/Offmap.ts"
export type { OffmapBuilder } from "./file/offmapBuilder.ts"
export { OffloadedFile } from "./file/OffloadedFile.ts"
export type * from "./file/OffloadedFile.ts"
export { PageCache } from "./file/PageCache.ts"
export type * from "./file/PageCache.ts"
export { SparseFile } from "./file/SparseFile.ts"
export type * from "./file/SparseFile.ts"
export { SparseFileReader } from "./file/SparseFileReader.ts"
export type * from "./file/SparseFileReader.ts"
export { SparseFileWriter } from "./file/SparseFileWriter.ts"
export type * from "./file/SparseFileWriter.ts"

export { ByteSource } from "./fetch/ByteSource.ts"
export type * from "./fetch/ByteSource.ts"
export { SparseIo } from "./fetch/SparseIo.ts"
export type * from "./fetch/sparseIoService.ts"

export { Store } from "./store/Store.ts"
export type * from "./store/Store.ts"
