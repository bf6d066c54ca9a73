/** What readers of data sets share: their rows, the files of a folder, and names that an export of ours changed. */
import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { RunLengths } from "../masks/rle.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import { refuseVastJson } from "./json-bounds.ts";

/** What a data set says of one picture. */
export interface ImportedImage {
  readonly kind: "image";
  /** Line of the file where there are lines, else 0. */
  readonly line: number;
  /** What the picture may be called in the library: the first of these that is an image there is meant. */
  readonly paths: readonly string[];
  /** Names from the top of the tree down; null where the data set has none for it. */
  readonly label: readonly string[] | null;
  readonly mask: RunLengths | null;
}

/** Something that could not be taken, and why. */
export interface ImportProblem {
  readonly kind: "problem";
  readonly line: number;
  readonly path: string;
  readonly message: string;
}

export type ImportedRow = ImportedImage | ImportProblem;

/** What readers ask the library. */
export interface ImportContext {
  /**
   * Size of the upright picture that these paths stand for, null where it is no image of the library. Masks of other sizes
   * are refused before anything is decoded, so a file cannot ask for more memory than a picture of the library has.
   */
  readonly sizeOf: (paths: readonly string[]) => { readonly width: number; readonly height: number } | null;
}

/** Reads a data set; throws `import-…` where nothing of it can be read. */
export type DatasetReader = (path: string, context: ImportContext) => AsyncGenerator<ImportedRow>;

/** A folder with a data set. */
export interface Dataset {
  readonly root: string;
  /** Paths under which the library may know a picture of the data set; `path` is relative to `root`. */
  readonly pathsOf: (path: string) => string[];
  /** Label that a folder stands for, where an export of ours says so. */
  readonly labelOfFolder: (path: string) => readonly string[] | null;
}

/** Text files larger than this are refused: JavaScript has no longer strings. */
const maxTextBytes = 2 ** 28;

/** Files that a folder may have. */
const maxFiles = 2_000_000;

/** Opens a data set with the manifest that an export of ours has, and others have not. */
export async function openDataset(path: string): Promise<Dataset> {
  const root = resolve(path);
  const names = await readNames(join(root, "manifest.json"));
  return {
    root,
    pathsOf: (inner) => {
      const original = names.get(inner);
      return [...(original === undefined ? [] : [original]), join(root, inner), basename(inner)];
    },
    labelOfFolder: (inner) => {
      const label = parseJson(names.get(inner) ?? "");
      return isTextList(label) && label.length > 0 ? label : null;
    },
  };
}

async function readNames(manifest: string): Promise<ReadonlyMap<string, string>> {
  const names = fieldOf(await readJsonFile(manifest).catch(() => undefined), "names");
  const pairs = (Array.isArray(names) ? (names as unknown[]) : []).flatMap((entry): [string, string][] => {
    const [path, original] = [fieldOf(entry, "path"), fieldOf(entry, "original")];
    return typeof path === "string" && typeof original === "string" ? [[path, original]] : [];
  });
  return new Map(pairs);
}

/**
 * The value of a JSON file, undefined for one that is no JSON. Throws `import-unreadable`, and `import-too-large` for one
 * that would take gigabytes as values.
 */
export async function readJsonFile(path: string): Promise<unknown> {
  const bytes = await readSmallFile(path, maxTextBytes);
  refuseVastJson(path, bytes);
  return parseJson(textOf(path, bytes));
}

/** The text of a regular UTF-8 file. Throws `import-unreadable`. */
export async function readTextFile(path: string, maxBytes = maxTextBytes): Promise<string> {
  return textOf(path, await readSmallFile(path, maxBytes));
}

function textOf(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw unreadable(path, "it is not UTF-8 text", cause);
  }
}

/** A regular file of at most `maxBytes`. Throws `import-unreadable`. */
export async function readSmallFile(path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    // Without O_NONBLOCK, a pipe would be waited for until somebody writes to it.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const found = await file.stat();
      if (!found.isFile()) throw new CoreError("import-unreadable", "it is not a regular file");
      if (found.size > maxBytes) {
        throw new CoreError("import-unreadable", `it has ${found.size} bytes, and ${maxBytes} are read at most`);
      }
      const bytes = new Uint8Array(found.size);
      let length = 0;
      for (let read = 1; read > 0 && length < bytes.length; length += read) {
        ({ bytesRead: read } = await file.read(bytes, length, bytes.length - length, length));
      }
      return bytes.subarray(0, length);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw unreadable(path, errorRecord(cause).message, cause);
  }
}

function unreadable(path: string, reason: string, cause: unknown): CoreError {
  return new CoreError("import-unreadable", `Cannot read ${path}: ${reason}.`, { cause });
}

/**
 * The files below a folder of a data set that have one of these endings (lower case), relative to its root, sorted. Links
 * to folders are not followed. Empty where the folder is not there. Throws `import-too-large`.
 */
export async function filesBelow(root: string, folder: string, endings: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  const pending = [folder];
  for (let inner = pending.pop(); inner !== undefined; inner = pending.pop()) {
    const entries = await readdir(join(root, inner), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = inner === "" ? entry.name : `${inner}/${entry.name}`;
      if (entry.isDirectory()) pending.push(path);
      else if (endings.some((ending) => entry.name.toLowerCase().endsWith(ending))) files.push(path);
      if (files.length + pending.length > maxFiles) {
        throw new CoreError("import-too-large", `${root} has more than ${maxFiles} files.`);
      }
    }
  }
  return files.sort();
}

/** Endings of picture files. */
export const pictureEndings = [".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".tif", ".tiff"];

/** Pictures below a folder by the part of their names before the ending. */
export async function picturesByStem(root: string, folder: string): Promise<ReadonlyMap<string, string>> {
  const files = await filesBelow(root, folder, pictureEndings);
  return new Map(files.map((path) => [stemOfPath(path.slice(folder.length + 1)), path]));
}

/** A path without its ending. */
export function stemOfPath(path: string): string {
  const dot = path.lastIndexOf(".");
  return dot > path.lastIndexOf("/") + 1 ? path.slice(0, dot) : path;
}

/** A value of a JSON object that is its own: a name such as `constructor` finds nothing. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

/** The value of JSON text, undefined for anything else. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((part) => typeof part === "string");
}
