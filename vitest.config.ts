import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Many tests start processes; on a machine busy with other things each takes seconds.
    testTimeout: 120_000,
    maxWorkers: 2
  }
})
