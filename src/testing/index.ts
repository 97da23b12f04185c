/**
 * lacuna/testing: what others can hold their own storage code to.
 *
 * Suites are lists of `{ name, run }` for any test runner; models are plain classes, too simple to
 * be wrong; commands hold engines against them and are given fast-check; explorations lose power, fail
 * calls and damage bytes. Nothing here needs a test runner or fast-check when it is loaded. docs/testing.md has
 * an example of each.
 */
export * from "./byteSourceSuite.ts"
export type { Answer, Engine, Outcome, Refusal } from "./commands/answers.ts"
export {
  appendOnlyFileCommands,
  type AppendOnlyFileReal,
  appendOnlyFileSetup,
  AppendOnlyFileState
} from "./commands/appendOnlyFileCommands.ts"
export type * from "./commands/appendOnlyFileEngine.ts"
export * from "./commands/appendOnlyFileSteps.ts"
export type { Arbitrary, FastCheck } from "./commands/fastCheck.ts"
export { lacunaAppendOnlyFile } from "./commands/lacunaAppendOnlyFile.ts"
export { lacunaSparseFile } from "./commands/lacunaSparseFile.ts"
export { lacunaStore } from "./commands/lacunaStore.ts"
export { type ModelCommand, type ModelSetup, runCommands } from "./commands/modelCommand.ts"
export * from "./commands/offmapCommands.ts"
export * from "./commands/offmapEngine.ts"
export {
  ascendingBindings,
  askedOffsets,
  type BindingOrder,
  bindingOrders,
  inOrder
} from "./commands/offmapShapes.ts"
export {
  sparseFileCommands,
  type SparseFileFeatures,
  type SparseFileReal,
  sparseFileSetup,
  SparseFileState
} from "./commands/sparseFileCommands.ts"
export type * from "./commands/sparseFileEngine.ts"
export {
  smallSparseFiles,
  type SparseFileScale,
  type SparseFileStep,
  sparseFileSteps,
  type SparseFileWritingStep
} from "./commands/sparseFileSteps.ts"
export type { StoreCollection } from "./commands/storeCollections.ts"
export * from "./commands/storeCommands.ts"
export type * from "./commands/storeEngine.ts"
export {
  smallStoreSizes,
  type StoreCollectChoice,
  type StoreCollectFault,
  type StoreCollectStep,
  type StoreCommandStep,
  type StoreReadChoice,
  type StoreSizes,
  storeSteps,
  type StoreWriterStep
} from "./commands/storeSteps.ts"
export type { CrashContent } from "./crashContent.ts"
export type { CrashDisk } from "./crashDisk.ts"
export { type CrashImage, imageDigest } from "./crashImage.ts"
export type { CrashEvent, EntryChanges } from "./crashLog.ts"
export { CrashMedium, type Piece } from "./crashMedium.ts"
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
