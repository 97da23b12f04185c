/**
 * The errors: each is found by its own name, and says in one sentence what a person can act on.
 */
import { assert, describe, it } from "vitest"
import * as errors from "../../src/bytes/errors.ts"

const tags = [
  "Closed",
  "Corrupt",
  "DoubleClose",
  "FileExists",
  "Incomplete",
  "InconsistentStore",
  "InvalidArgument",
  "InvalidSparseRead",
  "IoFailed",
  "Locked",
  "MemoryLimit",
  "NoSpace",
  "NoSuchFile",
  "NotADirectory",
  "NotAFile",
  "PendingFlush",
  "Poisoned",
  "ReadOutOfBounds",
  "RoNotAllowed",
  "RwNotAllowed",
  "SourceChanged",
  "SourceFailed",
  "Unsupported"
] as const

/** Enough for every class: each takes what it knows. */
const fields = {
  path: "some/file",
  source: "https://some/object",
  syscall: "open",
  code: "EACCES",
  cause: new Error("the first failure"),
  operation: "append",
  reason: "hole",
  missing: "some/file.map",
  expected: "v1",
  found: "v2",
  offset: 1,
  length: 2,
  end: 3,
  endPoff: 4,
  size: 5,
  bytes: 6,
  limit: 7,
  wanted: 8
}

describe("the errors", () => {
  it("are these and no others", () => {
    assert.deepStrictEqual(Object.keys(errors).sort(), [...tags])
  })

  for (const tag of tags) {
    it(`${tag} carries its own name as its tag and prints one sentence, with nothing missing`, () => {
      const error = new (errors[tag] as new (of: typeof fields) => Error & { readonly _tag: string })(fields)
      assert.strictEqual(error._tag, tag)
      assert.instanceOf(error, Error)
      assert.match(String(error), new RegExp(`^${tag}: \\S.*$`))
      assert.notMatch(error.message, /undefined|\n|\[object/)
    })
  }

  it("InconsistentStore never speaks of a negative number of bytes", () => {
    const { message } = new errors.InconsistentStore({ path: "/x", endPoff: 0, size: -7 })
    assert.strictEqual(message, "/x should reach 0 and ends 7 bytes before offset 0: some are lost")
  })

  it("IoFailed says what the system said in words, or else its code", () => {
    const failed = (code: string, cause: unknown) =>
      new errors.IoFailed({ syscall: "open", path: "/x", code, cause }).message
    assert.strictEqual(
      failed("EACCES", new Error("EACCES: permission denied, open '/x'")),
      "open failed on /x: permission denied (EACCES)"
    )
    assert.strictEqual(failed("EIO", new Error("EIO: mmap")), "open failed on /x: EIO")
    assert.strictEqual(failed("UNKNOWN", undefined), "open failed on /x: UNKNOWN")
  })
})
