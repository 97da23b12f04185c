/**
 * `lacuna store`: the commands for a directory that behaves like one huge append-only file.
 */
import * as Command from "effect/cli/Command"
import { storeAppend } from "./storeAppend.ts"
import { storeBackup } from "./storeBackup.ts"
import { storeCheck } from "./storeCheck.ts"
import { storeCollect } from "./storeCollect.ts"
import { storeInit } from "./storeInit.ts"
import { storeStats } from "./storeStats.ts"

export const store = Command.make("store").pipe(
  Command.withDescription(
    "Work with a store: a directory that behaves like one huge append-only file with a garbage collector."
  ),
  Command.withShortDescription("append to, collect, check and copy a store"),
  Command.withSubcommands([storeInit, storeAppend, storeCollect, storeCheck, storeStats, storeBackup])
)
