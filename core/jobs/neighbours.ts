import type { Engine } from "../engine/supervisor.ts";
import type { EngineMethods, WantedDevice } from "../engine/protocol.ts";
import type { NeighbourTable } from "../suggest/nearest.ts";
import { onceMore } from "./once-more.ts";

/** Embeddings in memory: rows of `width`, each of length 1. */
export interface Embeddings {
  readonly matrix: Float32Array;
  readonly width: number;
}

/** Values in one message when a bank is loaded: 16 MiB, so that progress and memory stay even. */
const chunkValues = 2 ** 22;

/** Queries in one request. */
const queryChunk = 4096;

/** A bank of embeddings inside the engine. */
export interface Bank {
  /** The nearest rows of each query; see `nearest` in core/engine/protocol.ts. */
  nearest(queries: Float32Array, count: number, exclude?: Int32Array): Promise<NeighbourTable>;
  /** See `nearestCentres` in core/engine/protocol.ts. */
  nearestCentres(centres: Float32Array, count: number): Promise<EngineMethods["nearestCentres"]["result"]>;
  /** See `seedCentres` in core/engine/protocol.ts. */
  seedCentres(count: number, seed: number): Promise<Int32Array>;
  /** See `principalPlane` in core/engine/protocol.ts. */
  principalPlane(seed: number): Promise<Float32Array>;
  drop(): Promise<void>;
}

let banks = 0;

/** Loads embeddings into the engine. When the engine had to be started anew they are loaded again by themselves. */
export async function loadBank(engine: Engine, { matrix, width }: Embeddings, device: WantedDevice): Promise<Bank> {
  const bank = `bank-${++banks}`;
  const rows = matrix.length / width;
  const load = async (): Promise<void> => {
    const step = Math.max(1, Math.floor(chunkValues / width));
    for (let offset = 0; offset === 0 || offset < rows; offset += step) {
      const values = matrix.subarray(offset * width, (offset + step) * width);
      await engine.call("loadBank", { bank, rows, width, offset, values });
    }
  };
  const reload = (): Promise<void> => onceMore(load);
  const ask = (request: EngineMethods["nearest"]["request"]): Promise<NeighbourTable> =>
    onceMore(() => engine.call("nearest", request), reload);
  await reload();
  return {
    nearest: async (queries, count, exclude) => {
      const total = queries.length / width;
      const kept = Math.min(count, rows);
      const indices = new Int32Array(total * kept);
      const similarities = new Float64Array(total * kept);
      for (let start = 0; start < total; start += queryChunk) {
        const end = Math.min(start + queryChunk, total);
        const table = await ask({
          bank,
          queries: queries.subarray(start * width, end * width),
          count,
          device,
          ...(exclude === undefined ? {} : { exclude: exclude.subarray(start, end) }),
        });
        indices.set(table.indices, start * kept);
        similarities.set(table.similarities, start * kept);
      }
      return { count: kept, indices, similarities };
    },
    nearestCentres: (centres, count) =>
      onceMore(() => engine.call("nearestCentres", { bank, centres, count, device }), reload),
    seedCentres: (count, seed) => onceMore(() => engine.call("seedCentres", { bank, count, seed, device }), reload),
    principalPlane: (seed) => onceMore(() => engine.call("principalPlane", { bank, seed }), reload),
    drop: async () => {
      await engine.call("dropBank", { bank });
    },
  };
}

/** For leave-one-out: row i of the bank is query i, and not its own neighbour. */
export function everyRow(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}
