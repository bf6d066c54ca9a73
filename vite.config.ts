import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** Builds the page that the core serves: files only, so that it runs under `default-src 'self'`. */
export default defineConfig({
  root: "renderer",
  base: "./",
  plugins: [svelte({ configFile: "../svelte.config.js" })],
  // One chunk, in kB: it comes from the same machine, so that nothing is gained by parts that follow each other.
  build: {
    outDir: "../dist/renderer",
    emptyOutDir: true,
    target: "chrome140",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
  },
});
