/** Libraries, engines and a tiny model for tests of jobs, and what a library holds as plain data to compare. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { createEngine, type Engine } from "../../core/engine/supervisor.ts";
import type { Workplace } from "../../core/jobs/run.ts";
import { findDamage } from "../../core/library/check.ts";
import { connectionOf, type AnyReader } from "../../core/library/database.ts";
import { insertModel } from "../../core/library/models.ts";
import { openLibrary, type Library } from "../../core/library/open.ts";
import { initialWeights } from "../../core/nn/initial-weights.ts";
import type { Architecture } from "../../core/nn/architecture.ts";
import type { Model } from "../../core/rpc/records.ts";
import { writeModelFile } from "../../core/weights/model-file.ts";
import { temporaryFolder, temporaryLibrary } from "../library/support.ts";

/** A transformer that embeds a picture in a fraction of a millisecond. It sees 32 x 32 pixels, as 2 x 2 patches. */
export const tinyArchitecture: Architecture = {
  width: 24,
  depth: 2,
  heads: 3,
  hidden: 96,
  patch: 16,
  grid: 2,
  registers: 0,
  layerScale: false,
  positionOffset: 0.1,
  positionAntialias: false,
};

/** Adds the tiny model with random weights to a library. */
export async function addTinyModel({ folder, db }: Library, name = "tiny"): Promise<Model> {
  const provenance = { source: "random", format: "random", sourceHash: null, notes: { seed: 1 } };
  mkdirSync(join(folder, "models"), { recursive: true });
  const file = `models/${name}.safetensors`;
  const weights = initialWeights(tinyArchitecture, 1);
  const { hash } = await writeModelFile(join(folder, file), tinyArchitecture, weights, provenance);
  return insertModel(db, {
    name,
    kind: "vit",
    file,
    hash,
    architecture: { ...tinyArchitecture },
    imageSize: 32,
    width: tinyArchitecture.width,
    trained: false,
    provenance,
    createdAt: 1,
  });
}

/** A new library with the tiny model, closed again: for commands that run in processes of their own. */
export async function prepareLibrary(folder = join(temporaryFolder(), "library")): Promise<string> {
  const library = openLibrary(folder, { mode: "write" });
  await addTinyModel(library);
  library.close();
  return folder;
}

/** An engine that is closed after the test. */
export function temporaryEngine(options?: Parameters<typeof createEngine>[0]): Engine {
  const engine = createEngine(options);
  onTestFinished(() => engine.close());
  return engine;
}

/** A new library beside an engine. */
export function temporaryWorkplace(engine: Engine = temporaryEngine()): Workplace {
  return { library: temporaryLibrary(), engine };
}

/** An engine that notes the files it was asked about. */
export function notingEngine(engine: Engine): Engine & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    get pid() {
      return engine.pid;
    },
    call: (method, request) => {
      if ("paths" in request) asked.push(...request.paths);
      return engine.call(method, request);
    },
    close: () => engine.close(),
  };
}

/** Everything in a library that files and models decide, by path: no ids, no times of the runs. */
export interface Contents {
  readonly images: readonly unknown[];
  readonly thumbnails: readonly unknown[];
  readonly attention: readonly unknown[];
  /** Embeddings by model and path. */
  readonly vectors: ReadonlyMap<string, Float32Array>;
}

const imageOf = "images.id = image_id JOIN sources ON sources.id = source_id";

/** Reads the contents of a library in `folder`, and checks that its files are sound. */
export function contentsOf(folder: string): Contents {
  const library = openLibrary(folder, { mode: "read" });
  try {
    expect(findDamage(library.db)).toEqual([]);
    expect(connectionOf(library.db).pragma("integrity_check", { simple: true })).toBe("ok");
    expect(connectionOf(library.db).pragma("foreign_key_check")).toEqual([]);
    expect(connectionOf(library.thumbnails).pragma("integrity_check", { simple: true })).toBe("ok");
    const rows = (db: AnyReader, sql: string): unknown[] => connectionOf(db).prepare(sql).all();
    const vectors = rows(
      library.db,
      `SELECT models.name || '/' || folder || '/' || path AS key, vector FROM embeddings
        JOIN models ON models.id = model_id JOIN images ON ${imageOf} ORDER BY key`,
    ) as { key: string; vector: Buffer }[];
    return {
      images: rows(
        library.db,
        `SELECT folder, path, byte_size, modified_at, content_hash, format, width, height, perceptual_hash,
          problem_code, problem_message, state FROM images JOIN sources ON sources.id = source_id ORDER BY folder, path`,
      ),
      attention: rows(
        library.db,
        `SELECT models.name, folder, path, heads, "rows", columns FROM attention
          JOIN models ON models.id = model_id JOIN images ON ${imageOf} ORDER BY models.name, folder, path`,
      ),
      thumbnails: rows(library.thumbnails, "SELECT content_hash, webp FROM thumbnails ORDER BY content_hash"),
      vectors: new Map(vectors.map(({ key, vector }) => [key, new Float32Array(new Uint8Array(vector).buffer)])),
    };
  } finally {
    library.close();
  }
}

/** Expects two libraries to hold the same. */
export function expectSameContents(found: Contents, expected: Contents): void {
  expect(found.images).toEqual(expected.images);
  expect(found.thumbnails).toEqual(expected.thumbnails);
  expect(found.attention).toEqual(expected.attention);
  expect([...found.vectors.keys()]).toEqual([...expected.vectors.keys()]);
  for (const [key, vector] of found.vectors) {
    const wanted = expected.vectors.get(key) ?? new Float32Array(0);
    const difference = Math.hypot(...vector.map((value, i) => value - (wanted[i] ?? NaN)));
    // Of length 1 both. A job that goes on makes up other batches, and matrix products of another size may add up in
    // another order: a few units of float32's 6e-8.
    expect(difference, key).toBeLessThan(2e-6);
  }
}

/** How many rows a table of a library has, for whoever watches another process write it; 0 where there is none yet. */
export function watchLibrary(folder: string): { count: (table: "images" | "embeddings" | "jobs") => number } {
  const library = openLibrary(folder, { mode: "read" });
  onTestFinished(() => library.close());
  const connection = connectionOf(library.db);
  return {
    count: (table) => Number(connection.prepare(`SELECT count(*) FROM ${table}`).pluck().get()),
  };
}
