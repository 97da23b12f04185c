/**
 * lacuna/testing: what others can hold their own storage code to.
 *
 * Suites are lists of `{ name, run }` for any test runner; models are plain classes, too simple to
 * be wrong. Nothing here needs a test runner or fast-check when it runs.
 */
export * from "./byteSourceSuite.ts"
export type { CrashContent } from "./crashContent.ts"
export type { CrashDisk, CrashImage } from "./crashDisk.ts"
export type { CrashEvent, EntryChanges } from "./crashLog.ts"
export { CrashMedium, imageDigest, type Piece } from "./crashMedium.ts"
export * from "./damage.ts"
export { DigestSet } from "./digestSet.ts"
export * from "./exploreCrashes.ts"
export * from "./exploreDamage.ts"
export * from "./exploreFaults.ts"
export * from "./extentStoreSuite.ts"
export * from "./IoCrash.ts"
export * from "./IoFault.ts"
export * from "./ioSuite.ts"
export type { Law } from "./law.ts"
export { LawBroken } from "./law.ts"
export * from "./models/appendOnlyFile.ts"
export * from "./models/extentFile.ts"
export * from "./models/offloadedFile.ts"
export * from "./models/offmap.ts"
export * from "./models/pageCache.ts"
export * from "./models/sparseFile.ts"
export * from "./models/store.ts"
export { Random, seedOf } from "./random.ts"
