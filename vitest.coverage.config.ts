import { defineConfig } from "vitest/config"

/** What `npm run coverage` runs and measures; scripts/coverage.js judges it. */
export default defineConfig({
  test: {
    include: ["test/{file,format,golden,store}/**/*.test.ts", "property-tests/**/*.test.ts"],
    testTimeout: 600_000,
    maxWorkers: 2,
    // The same cases each time: what is reached must not be a matter of luck.
    env: { LACUNA_SEED: "1", LACUNA_RUNS: "0.2" },
    coverage: {
      enabled: true,
      provider: "v8",
      include: ["src/{file,format,store}/**/*.ts"],
      reporter: ["json"],
      reportsDirectory: "node_modules/.cache/coverage"
    }
  }
})
