/** All parts by name, each loaded only in the process that runs it; those that take longest come first. */
import type { Part } from "./part.ts"

export const parts: Readonly<Record<string, () => Promise<Part>>> = {
  faultStore: async () => (await import("./faultStore.ts")).part,
  crashStore: () => import("./crashStore.ts").then(({ part }) => part),
  crashAppend: () => import("./crashAppend.ts").then(({ part }) => part),
  crashSparse: () => import("./crashSparse.ts").then(({ part }) => part),
  crashExtent: () => import("./crashExtent.ts").then(({ part }) => part),
  crashExtentClosed: () => import("./crashExtentClosed.ts").then(({ part }) => part),
  crashSlots: () => import("./crashSlots.ts").then(({ part }) => part),
  crashBackup: () => import("./crashBackup.ts").then(({ part }) => part),
  crashMaterialise: () => import("./crashMaterialise.ts").then(({ part }) => part),
  damageControl: async () => (await import("./damageControl.ts")).part,
  damageOffmap: async () => (await import("./damageOffmap.ts")).part,
  damageStore: async () => (await import("./damageStore.ts")).part,
  damageSums: async () => (await import("./damageSums.ts")).part,
  damageExtent: async () => (await import("./damageExtent.ts")).part,
  faultAppend: async () => (await import("./faultAppend.ts")).part,
  faultBackup: async () => (await import("./faultBackup.ts")).part,
  faultExtent: async () => (await import("./faultExtent.ts")).part,
  faultOffloaded: async () => (await import("./faultOffloaded.ts")).part,
  faultSparse: async () => (await import("./faultSparse.ts")).part,
  forgedFormats: async () => (await import("./forgedFormats.ts")).part,
  fuzzFormats: async () => (await import("./fuzzFormats.ts")).part
}
