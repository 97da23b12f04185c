/** The entry of a case's own process: runs the job that is named, and sends its result home. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Io } from "../src/io/Io.ts"
import { IoNode } from "../src/io/IoNode.ts"
import { jobs } from "./cases/jobs.ts"
import type { JobName } from "./cases/jobs.ts"
import type { Settings } from "./settings.ts"

const [name, settings, input] = process.argv.slice(2)
const job = jobs[name as JobName] as (
  settings: Settings,
  input: unknown
) => Effect.Effect<unknown, unknown, Io | Scope.Scope>
const value = await Effect.runPromise(
  job(JSON.parse(settings) as Settings, JSON.parse(input)).pipe(Effect.scoped, Effect.provide(IoNode.layer))
)
process.send?.({ value }, () => process.disconnect())
