import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** Builds the page that the core serves: files only, so that it runs under `default-src 'self'`. */
export default defineConfig({
  root: "renderer",
  base: "./",
  plugins: [svelte({ configFile: "../svelte.config.js" })],
  build: { outDir: "../dist/renderer", emptyOutDir: true, target: "chrome140", assetsInlineLimit: 0 },
});
