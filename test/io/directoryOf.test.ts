import { resolve } from "node:path"
import { assert, describe, it } from "vitest"
import { directoryOf } from "../../src/io/directoryOf.ts"
import { storePaths } from "../../src/store/storePaths.ts"

describe("the directory of a path", () => {
  it.each([
    ["file", "."],
    ["./file", "."],
    ["directory/file", "directory"],
    ["a/b/file", "a/b"],
    ["/file", "/"],
    ["/directory/file", "/directory"],
    // These stand for a directory that has its name elsewhere.
    [".", "./.."],
    ["..", "../.."],
    ["a/.", "a/./.."],
    ["a/..", "a/../.."],
    ["/a/..", "/a/../.."],
    ["../..", "../../.."],
    // And these are names.
    ["..a", "."],
    ["a..", "."],
    ["a/.b", "a"],
    ["a/...", "a"],
    ["../a", ".."]
  ])("of %s is %s", (path, directory) => {
    assert.strictEqual(directoryOf(path), directory)
  })

  it.each([
    "./",
    ".",
    "../",
    "..",
    "directory/..",
    "directory/../",
    "directory",
    "directory/",
    "./directory//"
  ])("of a store at %s is its parent", (given) => {
    const { directory } = storePaths(given)
    assert.strictEqual(resolve(directoryOf(directory)), resolve(given, ".."))
  })
})
