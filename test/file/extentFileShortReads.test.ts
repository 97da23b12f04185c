/**
 * A read that came back short once was answered with zeros.
 *
 * A piece that is not proved yet is read straight into the caller's buffer and compared there. Where that read ended
 * early, the piece was read a second time, into memory of its own, to note that it is too short; and where that
 * read was whole (the first had been interrupted, or the file had been put right in between) its checksum
 * matched, and the caller was told that all was there, with the first, short read in its buffer.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { assert, it } from "vitest"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import type { ExtentFileService } from "../../src/file/extentFileService.ts"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { IoFault } from "../../src/testing/IoFault.ts"

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => 1 + (i % 200))

const reads: Readonly<Record<string, (file: ExtentFileService) => Effect.Effect<Uint8Array, unknown>>> = {
  readExtent: (file) => file.readExtent(50),
  "unsafe.read": (file) =>
    Effect.sync(() => {
      const buffer = new Uint8Array(1000)
      return file.unsafe.read(50, buffer) ? buffer : new Uint8Array(0)
    })
}

for (const [name, read] of Object.entries(reads)) {
  for (const lasts of ["once", "on"] as const) {
    it(`${name} gives all bytes of an extent or none, when reads are short ${lasts}`, () =>
      Effect.gen(function* () {
        const faulty = IoFault.make(yield* Io)
        const open = Effect.provideService(ExtentFile.open("/object"), Io, faulty.io)
        yield* Effect.scoped(Effect.flatMap(open, (file) => file.createExtent(50, bytes)))
        const file = yield* open
        faulty.arm({ kind: "short-read", at: 0, lasts })
        const found = yield* read(file)
        assert.strictEqual(faulty.hit()?.call.path, "/object")
        assert.deepStrictEqual(found, lasts === "once" ? bytes : new Uint8Array(0))
        // What stays short is forgotten, and nobody is served it later.
        faulty.disarm()
        assert.deepStrictEqual(yield* read(file), found)
      }).pipe(
        Effect.scoped,
        Effect.provide(IoMemory.layer),
        Effect.provide(Logger.layer([])),
        Effect.runPromise
      ))
  }
}
