import { isAbsolute, relative, sep } from "node:path";
import type { Image } from "../rpc/records.ts";
import type { Reader } from "./database.ts";
import { imageByPath, imagesByName } from "./images.ts";
import { listSources } from "./sources.ts";

/** What a path in a user's file stands for. */
export type PathMatch =
  | { readonly kind: "image"; readonly image: Image }
  /** Several images fit; a few of them, to show. */
  | { readonly kind: "ambiguous"; readonly images: readonly Image[] }
  | { readonly kind: "none" };

/** Images named in an `ambiguous` match. */
const shownMatches = 5;

/**
 * The image that a path in a CSV or another user's file means: an absolute path, a path relative to one of the sources,
 * or a file name that only one image has. Backslashes count as slashes, and both Unicode spellings of accents are tried,
 * because macOS and spreadsheets spell them differently.
 */
export function findImageByPath(db: Reader, path: string): PathMatch {
  const found = new Map<number, Image>();
  const sources = listSources(db);
  for (const spelling of spellings(path.trim())) {
    for (const source of sources) {
      const inner = isAbsolute(spelling) ? innerPathOf(source.folder, spelling) : spelling;
      const image = inner === null ? null : imageByPath(db, source.id, inner);
      if (image !== null) found.set(image.id, image);
    }
  }
  // A path that fits exactly goes before one that fits by its last part alone.
  if (found.size === 0) {
    for (const spelling of spellings(path.trim()).filter((candidate) => !candidate.includes("/"))) {
      for (const image of imagesByName(db, spelling, shownMatches)) found.set(image.id, image);
    }
  }
  const images = [...found.values()];
  const [image] = images;
  if (image === undefined) return { kind: "none" };
  return images.length === 1 ? { kind: "image", image } : { kind: "ambiguous", images: images.slice(0, shownMatches) };
}

/** The ways to write one path: as it is, with forward slashes, with composed and with decomposed accents. */
function spellings(path: string): string[] {
  const slashes = [path, path.replaceAll("\\", "/")];
  const plain = slashes.map((text) => text.replace(/^(\.\/)+/, ""));
  return [...new Set(plain.flatMap((text) => [text, text.normalize("NFC"), text.normalize("NFD")]))];
}

/** The path of a file relative to a folder, with forward slashes; null where the file is not inside. */
function innerPathOf(folder: string, file: string): string | null {
  const inner = relative(folder, file);
  if (inner === "" || inner === ".." || inner.startsWith(`..${sep}`) || isAbsolute(inner)) return null;
  return inner.split(sep).join("/");
}
