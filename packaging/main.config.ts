import { resolve } from "node:path";
import { defineConfig } from "vite";

const root = resolve(import.meta.dirname, "..");

/** Bundles Electron's main process into ES modules. */
export default defineConfig({
  root,
  publicDir: false,
  build: {
    ssr: true,
    target: "node24",
    outDir: "dist/electron",
    emptyOutDir: true,
    minify: false,
    rolldownOptions: {
      input: { main: "electron/main.ts" },
      external: ["electron", "original-fs", /^node:/, "bufferutil", "utf-8-validate"],
      output: { format: "esm", entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
    },
  },
  ssr: { noExternal: true, external: ["electron"] },
});
