import { assert, describe, it } from "vitest"
import { directoryOf } from "../../src/io/directoryOf.ts"

describe("the directory of a path", () => {
  it.each([
    ["file", "."],
    ["./file", "."],
    ["../file", ".."],
    ["directory/file", "directory"],
    ["a/b/file", "a/b"],
    ["/file", "/"],
    ["/directory/file", "/directory"]
  ])("of %s is %s", (path, directory) => {
    assert.strictEqual(directoryOf(path), directory)
  })
})
