import tseslint from "typescript-eslint"

const nodeOnly = {
  group: ["node:*"],
  message: "Only io/ and cli/ may know that there is an operating system."
}

export default tseslint.config(
  { ignores: ["dist/**", "dist.new/**", "node_modules/**", "coverage/**", ".bench/**"] },
  ...tseslint.configs.recommended,
  {
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "require-yield": "off",
      "@typescript-eslint/no-empty-object-type": "off",
      eqeqeq: "error",
      "no-restricted-imports": [
        "error",
        {
          paths: [
            { name: "effect", message: "Import the module itself (effect/Effect): the barrel costs 200 ms." }
          ]
        }
      ]
    }
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["src/io/**", "src/cli/**", "src/bytes/crc32.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          paths: [{ name: "effect", message: "Import the module itself (effect/Effect)." }],
          patterns: [nodeOnly]
        }
      ]
    }
  }
)
