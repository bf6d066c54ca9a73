import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine, type Engine } from "../core/engine/supervisor.ts";
import { insertEmbeddings } from "../core/library/embeddings.ts";
import { upsertImages } from "../core/library/image-changes.ts";
import { insertModel } from "../core/library/models.ts";
import { openLibrary, type Library } from "../core/library/open.ts";
import { ensureSource } from "../core/library/sources.ts";
import type { Model } from "../core/rpc/records.ts";

/** A library with embeddings but no pictures, beside an engine. */
export interface SyntheticLibrary {
  readonly library: Library;
  readonly engine: Engine;
  readonly model: Model;
  close(): Promise<void>;
}

/** Makes a library in a temporary folder, with an image for each row of a matrix of unit vectors. */
export function syntheticLibrary(matrix: Float32Array, width: number): SyntheticLibrary {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-bench-"));
  const library = openLibrary(folder, { mode: "write" });
  const engine = createEngine();
  const source = ensureSource(library.db, "/synthetic");
  const rows = matrix.length / width;
  const ids = upsertImages(
    library.db,
    Array.from({ length: rows }, (_, row) => ({
      sourceId: source.id,
      path: `${row}.jpg`,
      byteSize: 1,
      modifiedAt: 0,
      contentHash: row.toString(16).padStart(64, "0"),
      format: "jpeg",
      width: 1,
      height: 1,
      perceptualHash: "0000000000000000",
      problem: null,
    })),
  );
  const model = insertModel(library.db, {
    name: "synthetic",
    kind: "vit",
    file: "models/synthetic.safetensors",
    hash: "0".repeat(64),
    architecture: null,
    imageSize: 224,
    width,
    trained: false,
    provenance: { source: "random", format: "random", sourceHash: null, notes: {} },
    createdAt: 1,
  });
  insertEmbeddings(
    library.db,
    model.id,
    ids.map((imageId, row) => ({ imageId, vector: matrix.subarray(row * width, (row + 1) * width) })),
  );
  return {
    library,
    engine,
    model,
    close: async () => {
      await engine.close();
      library.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Largest memory that a process had so far, in MiB; NaN where the system does not say (only Linux does). */
export function peakMemory(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid ?? "self"}/status`, "utf8");
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? NaN) / 1024;
  } catch {
    return NaN;
  }
}
