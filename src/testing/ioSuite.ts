/**
 * The conformance suite of `Io`, for whoever writes an Io of their own.
 *
 * ```ts
 * for (const law of ioSuite(MyIo.layer)) it(law.name, law.run)
 * ```
 *
 * An Io that keeps its files on a real disk is given a directory, one that maps files what its views become:
 *
 * ```ts
 * const laws = ioSuite(MyIo.layer, { directory: "/tmp/scratch", mapping: "kept" })
 * ```
 *
 * Each law builds the layer anew, works in a new directory of its own and leaves it behind. The
 * laws write up to 32 MiB, and a file with a hole of 4 GiB. Laws that need a hook which isn't given
 * are left out; ioLaw.ts lists the hooks.
 */
import type * as Layer from "effect/Layer"
import type { Io } from "../io/Io.ts"
import { ioFileLaws } from "./ioFileLaws.ts"
import { type IoSuiteOptions, withIo } from "./ioLaw.ts"
import { ioPathLaws } from "./ioPathLaws.ts"
import { ioPlatformLaws } from "./ioPlatformLaws.ts"
import { ioRefusalLaws } from "./ioRefusalLaws.ts"
import type { Law } from "./law.ts"

export type { IoSuiteOptions } from "./ioLaw.ts"

/** What every Io obeys. A law is rejected with `LawBroken`, or with the error that was not foreseen. */
export const ioSuite = (layer: Layer.Layer<Io, unknown>, options: IoSuiteOptions = {}): ReadonlyArray<Law> =>
  [...ioFileLaws, ...ioRefusalLaws, ...ioPathLaws(options), ...ioPlatformLaws(options)].map((law) =>
    withIo(law, layer, options.directory)
  )
