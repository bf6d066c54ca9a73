import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig } from "vite";
import { processEntries } from "./process-entries.ts";

const root = resolve(import.meta.dirname, "..");
const outDir = resolve(root, "dist/core");

/** Packages with native code, which are shipped as they are. tfjs is a second opinion for tests and never shipped. */
export const natives = ["better-sqlite3", "onnxruntime-node", "sharp"];

/** Bundles the core and the terminal; the other processes are found by how they are named. */
export default defineConfig({
  root,
  publicDir: false,
  plugins: [processEntries(root, outDir)],
  build: {
    ssr: true,
    target: "node24",
    outDir,
    emptyOutDir: true,
    minify: false,
    sourcemap: false,
    rolldownOptions: {
      input: Object.fromEntries(
        ["main", "cli"]
          .filter((name) => existsSync(`${root}/core/${name}.ts`))
          .map((name) => [name, `core/${name}.ts`]),
      ),
      external: [...natives, /^node:/, /^@tensorflow\//],
      output: { format: "esm", entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
    },
  },
  ssr: { noExternal: true, external: natives },
});
