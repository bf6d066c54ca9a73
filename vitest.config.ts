import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // Two cores: the tests that start the engine use both, so more workers only make each other slow.
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: "core",
          environment: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/renderer/**"],
          // Ten times what the slowest take: a busy machine is no fault of theirs.
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
      {
        plugins: [svelte()],
        resolve: { conditions: ["browser"] },
        test: {
          name: "renderer",
          // Compiled for the page, so that state classes react as they do there.
          environment: "./test/renderer/page-environment.ts",
          include: ["test/renderer/**/*.test.ts"],
        },
      },
    ],
  },
});
