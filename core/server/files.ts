/** The page's own files, as the build made them. */
import { realpath, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { CoreError } from "../util/errors.ts";
import { sendFile, sendText } from "./answer.ts";
import { pageHeaders } from "./headers.ts";

/** Where `npm run build` puts the page. */
export const builtPage = fileURLToPath(new URL("../../dist/renderer", import.meta.url));

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".webp": "image/webp",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".wasm": "application/wasm",
  ".txt": "text/plain; charset=utf-8",
};

/** Sends a file of the page; `path` is as it stands in the address. Throws `not-found`. */
export async function sendPageFile(
  request: IncomingMessage,
  response: ServerResponse,
  folder: string,
  path: string,
): Promise<void> {
  const root = await realpath(folder).catch(() => null);
  if (root === null || (await stat(join(root, "index.html")).catch(() => null)) === null) {
    sendText(
      response,
      503,
      "The page of Dinoscope is not built yet.\nBuild it with `npm run build`, then load this again.\n",
    );
    return;
  }
  const inner = path === "/" ? "index.html" : innerPath(path);
  const real = inner === null ? null : await realpath(join(root, inner)).catch(() => null);
  const type = types[extname(real ?? "").toLowerCase()];
  if (real === null || type === undefined || !real.startsWith(root + sep)) {
    throw new CoreError("not-found", "There is no such page.");
  }
  // The build names its assets after their content.
  const isFixed = inner?.startsWith("assets/") === true;
  const caching = isFixed ? "private, max-age=31536000, immutable" : "no-cache";
  await sendFile(request, response, real, { ...pageHeaders, "Content-Type": type, "Cache-Control": caching });
}

/** The path inside the page's folder that an address means; null for one that could lead out of it, however written. */
export function innerPath(path: string): string | null {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return null;
  }
  const parts = decoded.slice(1).split("/");
  const isPlain = parts.every((part) => part !== "" && !part.startsWith(".") && /^[\w.@~ -]+$/u.test(part));
  return decoded.startsWith("/") && isPlain ? parts.join("/") : null;
}
