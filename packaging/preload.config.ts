import { resolve } from "node:path";
import { defineConfig } from "vite";

const root = resolve(import.meta.dirname, "..");

/** Bundles the preload script into one CommonJS file: a sandboxed one can load nothing else. */
export default defineConfig({
  root,
  publicDir: false,
  build: {
    ssr: true,
    target: "node24",
    outDir: "dist/electron",
    emptyOutDir: false,
    minify: false,
    rolldownOptions: {
      input: { preload: "electron/preload.ts" },
      external: ["electron"],
      output: { format: "cjs", entryFileNames: "[name].cjs", codeSplitting: false },
    },
  },
  ssr: { noExternal: true, external: ["electron"] },
});
