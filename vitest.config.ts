import { svelte } from "@sveltejs/vite-plugin-svelte";
import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

/** Programs that tests start keep their compiled code here: half of a short command's time. */
const compiled = resolve(import.meta.dirname, "node_modules/.cache/compiled");

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
          env: { NODE_COMPILE_CACHE: compiled },
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
