/** All parts by name, each loaded only in the process that runs it. */
import type { Part } from "./part.ts"

export const parts: Readonly<Record<string, () => Promise<Part>>> = {}
