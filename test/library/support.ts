import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Writer } from "../../core/library/database.ts";
import { upsertImages } from "../../core/library/image-changes.ts";
import type { NewImage } from "../../core/library/image-changes.ts";
import { insertModel } from "../../core/library/models.ts";
import { openLibrary } from "../../core/library/open.ts";
import type { Library } from "../../core/library/open.ts";
import { ensureSource } from "../../core/library/sources.ts";
import type { Model } from "../../core/rpc/records.ts";
import { CoreError } from "../../core/util/errors.ts";

/** An empty folder that is deleted after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-library-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A new library, closed after the test. */
export function temporaryLibrary(folder = join(temporaryFolder(), "library")): Library {
  const library = openLibrary(folder, { mode: "write", holder: "dinoscope test" });
  onTestFinished(() => library.close());
  return library;
}

/** A hash of the right form for a number. */
export function hashOf(seed: number): string {
  return seed.toString(16).padStart(64, "0");
}

/** A readable picture; any part can be changed. */
export function newImage(sourceId: number, path: string, changes: Partial<NewImage> = {}): NewImage {
  return {
    sourceId,
    path,
    byteSize: 1000,
    modifiedAt: 1_700_000_000_000,
    contentHash: hashOf(path.length),
    format: "jpeg",
    width: 640,
    height: 480,
    perceptualHash: "0123456789abcdef",
    problem: null,
    ...changes,
  };
}

/** A source with `count` pictures `0000.jpg`, `0001.jpg`, …, each with its own content hash; returns their ids. */
export function addImages(db: Writer, count: number, folder = "/pictures"): number[] {
  const source = ensureSource(db, folder);
  const images = Array.from({ length: count }, (_, i) =>
    newImage(source.id, `${String(i).padStart(4, "0")}.jpg`, { contentHash: hashOf(source.id * 1_000_000 + i) }),
  );
  return upsertImages(db, images);
}

export function newModel(name = "model", width = 4): Omit<Model, "id"> {
  return {
    name,
    kind: "vit",
    file: `models/${name}.safetensors`,
    hash: hashOf(7),
    architecture: { width, depth: 2, layerScale: false },
    imageSize: 224,
    width,
    trained: true,
    foreground: null,
    provenance: { source: "random", format: "random", sourceHash: null, notes: { seed: 1 } },
    createdAt: 5,
  };
}

export function addModel(db: Writer, name = "model", width = 4): Model {
  return insertModel(db, newModel(name, width));
}

/** The CoreError that `work` throws; fails the test where it throws none. */
export function errorOf(work: () => unknown): CoreError {
  try {
    work();
  } catch (error) {
    if (error instanceof CoreError) return error;
    throw error;
  }
  throw new Error("Expected a CoreError, but nothing was thrown.");
}
