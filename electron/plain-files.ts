import fs from "node:fs";
import { createRequire } from "node:module";
import type { PlainFiles } from "./integrity.ts";

/** The file functions as they are without Electron's view into archives; plain Node has no other. */
export function plainFiles(): PlainFiles {
  return process.versions["electron"] === undefined
    ? fs
    : (createRequire(import.meta.url)("original-fs") as PlainFiles);
}
