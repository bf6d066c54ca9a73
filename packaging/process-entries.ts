import { existsSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import type { Plugin } from "vite";

/** `new URL("./main.ts", import.meta.url)`: how the core names its processes and the files that it reads. */
const reference = /new URL\(\s*"(\.{1,2}\/[^"]*)",\s*import\.meta\.url,?\s*\)/g;

/** The packed file of an entry: `engine-main.js` for core/engine/main.ts, all in one folder. */
export function entryName(root: string, file: string): string {
  return `${relative(resolve(root, "core"), file).split(sep).join("-").replace(/\.ts$/, "")}.js`;
}

/**
 * Keeps every `new URL("…", import.meta.url)` of the core true after bundling. A TypeScript file becomes an entry of its
 * own, so no process can be forgotten; anything else stays where it is in the checkout, because the packed program has
 * the same folders. `outDir` is where the bundle goes.
 */
export function processEntries(root: string, outDir: string): Plugin {
  const started = new Set<string>();
  return {
    name: "process-entries",
    transform(code, id) {
      if (!id.startsWith(resolve(root, "core") + sep)) return null;
      const changed = code.replace(reference, (_whole, path: string) => {
        const target = resolve(dirname(id), path);
        if (path.endsWith(".ts")) {
          if (!existsSync(target)) throw new Error(`${id} names ${path}, which is not there.`);
          const fileName = entryName(root, target);
          if (!started.has(fileName)) this.emitFile({ type: "chunk", id: target, fileName });
          started.add(fileName);
          return `new URL("./${fileName}", import.meta.url)`;
        }
        const moved = relative(outDir, target).split(sep).join("/");
        return `new URL("${moved}${path.endsWith("/") ? "/" : ""}", import.meta.url)`;
      });
      return changed === code ? null : { code: changed, map: null };
    },
  };
}
