import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/process/**/*.test.ts"],
    testTimeout: 600_000,
    // Each of these tests has all processors busy with processes of its own.
    maxWorkers: 1
  }
})
