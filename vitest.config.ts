import { configDefaults, defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // They take minutes, and have a configuration of their own.
    exclude: [...configDefaults.exclude, "test/process/**"],
    // Many tests start processes; on a machine busy with other things each takes seconds.
    testTimeout: 120_000,
    maxWorkers: 2
  }
})
