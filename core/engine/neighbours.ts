import { neighbourGraph } from "../nn/neighbour-graph.ts";
import { floatOutput, floats, type Runtime } from "../runtime/runtime.ts";
import { nearestRows, refineCandidates, type Neighbour, type NeighbourTable } from "../suggest/nearest.ts";
import { CoreError } from "../util/errors.ts";
import type { Devices } from "./devices.ts";
import { createProgramCache, type ProgramCache } from "./program-cache.ts";
import type { EngineMethods } from "./protocol.ts";

/** Queries and rows of the bank in one run: 256 x 65,536 scores are 64 MiB. */
const queryBlock = 256;
const rowBlock = 65_536;

/**
 * Candidates beyond `count` that the device is asked for: rows that float32 cannot tell from the last neighbour must be
 * among them, or the query is searched again the slow way.
 */
const margin = 12;

/** More than this is a mistake or an attack: 4 GiB of float32. */
const maxBankValues = 2 ** 30;

/** Embeddings in this process: rows of `width`. */
export interface LoadedBank {
  readonly width: number;
  readonly values: Float32Array;
}

interface Bank extends LoadedBank {
  filled: number;
}

type Call<Method extends "loadBank" | "nearest" | "dropBank"> = (
  request: EngineMethods[Method]["request"],
) => Promise<EngineMethods[Method]["result"]>;

/** Nearest-neighbour search in banks of embeddings that stay in this process. */
export function createNeighbours(devices: Devices): {
  load: Call<"loadBank">;
  nearest: Call<"nearest">;
  drop: Call<"dropBank">;
  /** A bank that is loaded whole. */
  bank: (name: string) => LoadedBank;
} {
  const banks = new Map<string, Bank>();
  const caches = new Map<Runtime, ProgramCache>();
  // Searches take turns: a program that one of them is about to use must not be dropped for another's.
  let turn: Promise<unknown> = Promise.resolve();
  const cacheOf = (runtime: Runtime): ProgramCache => {
    const cache = caches.get(runtime) ?? createProgramCache(runtime, neighbourGraph, keptPrograms);
    caches.set(runtime, cache);
    return cache;
  };
  return {
    load: ({ bank: name, rows, width, offset, values }) => {
      if (offset === 0) {
        if (rows * width > maxBankValues) {
          throw new CoreError("bank-too-large", `A bank of ${rows} embeddings of ${width} is over the limit of 4 GiB.`);
        }
        banks.set(name, { width, values: new Float32Array(rows * width), filled: 0 });
      }
      const bank = requireBank(banks, name);
      if (bank.width !== width || offset !== bank.filled || offset * width + values.length > bank.values.length) {
        throw new CoreError("bank-mismatch", `Rows ${offset} and on do not fit the bank ${name}.`);
      }
      bank.values.set(values, offset * width);
      bank.filled += values.length / width;
      return Promise.resolve(null);
    },
    nearest: ({ bank: name, queries, count, exclude, device }) => {
      const found = turn.then(async () => {
        const bank = requireWhole(banks, name);
        return search(cacheOf(await devices.runtime(device)), bank.values, queries, bank.width, count, exclude);
      });
      turn = found.catch(() => {});
      return found;
    },
    drop: ({ bank: name }) => {
      banks.delete(name);
      return Promise.resolve(null);
    },
    bank: (name) => requireWhole(banks, name),
  };
}

function requireWhole(banks: ReadonlyMap<string, Bank>, name: string): Bank {
  const bank = requireBank(banks, name);
  if (bank.filled * bank.width === bank.values.length) return bank;
  throw new CoreError("bank-mismatch", `Only ${bank.filled} rows of the bank ${name} were loaded.`);
}

function requireBank(banks: ReadonlyMap<string, Bank>, name: string): Bank {
  const bank = banks.get(name);
  if (bank === undefined) throw new CoreError("bank-missing", `The engine holds no bank ${name}.`);
  return bank;
}

/** Shapes kept: full and last block of the queries times full and last block of the bank, for two searches in turn. */
const keptPrograms = 8;

/**
 * The exact nearest rows of each query, found by products on the device and made exact in float64: the result is that
 * of the plain loop `nearestRows`, to the last bit. `bank` and `queries` are row-major with unit rows of `width`.
 */
export async function search(
  programs: ProgramCache,
  bank: Float32Array,
  queries: Float32Array,
  width: number,
  count: number,
  exclude?: Int32Array,
): Promise<NeighbourTable> {
  const rows = bank.length / width;
  const total = queries.length / width;
  const kept = Math.min(count, rows);
  const indices = new Int32Array(total * kept).fill(-1);
  const similarities = new Float64Array(total * kept);
  for (let start = 0; start < total; start += queryBlock) {
    const block = queries.subarray(start * width, Math.min(start + queryBlock, total) * width);
    const found = await candidates(programs, bank, block, width, kept + margin + (exclude ? 1 : 0));
    found.forEach((list, i) => {
      const query = block.subarray(i * width, (i + 1) * width);
      const without = exclude?.[start + i] ?? -1;
      const refined = refineCandidates(bank, query, list, kept, { exclude: without });
      const neighbours = refined.exact ? refined.neighbours : plainSearch(bank, query, width, kept, without);
      neighbours.forEach(({ index, similarity }, slot) => {
        indices[(start + i) * kept + slot] = index;
        similarities[(start + i) * kept + slot] = similarity;
      });
    });
  }
  return { count: kept, indices, similarities };
}

function plainSearch(
  bank: Float32Array,
  query: Float32Array,
  width: number,
  count: number,
  without: number,
): Neighbour[] {
  const table = nearestRows(bank, query, width, count, { exclude: [without] });
  return Array.from(table.indices, (index, slot) => ({ index, similarity: table.similarities[slot] ?? 0 })).filter(
    ({ index }) => index >= 0,
  );
}

/** The device's `count` best rows for each query of a block, over all blocks of the bank. */
async function candidates(
  programs: ProgramCache,
  bank: Float32Array,
  queries: Float32Array,
  width: number,
  count: number,
): Promise<Neighbour[][]> {
  const total = queries.length / width;
  const lists: Neighbour[][] = Array.from({ length: total }, () => []);
  for (let start = 0; start * width < bank.length; start += rowBlock) {
    const block = bank.subarray(start * width, (start + rowBlock) * width);
    const rows = block.length / width;
    const taken = Math.min(count, rows);
    const program = await programs(total, rows, width, taken);
    const outputs = await program.run({
      queries: floats(queries, [total, width]),
      bank: floats(block, [rows, width]),
    });
    const scores = floatOutput(outputs, "similarities").data;
    const positions = outputs["rows"]?.data ?? [];
    lists.forEach((list, i) => {
      for (let slot = i * taken; slot < (i + 1) * taken; slot++) {
        list.push({ index: start + Number(positions[slot]), similarity: scores[slot] ?? NaN });
      }
    });
  }
  if (bank.length > rowBlock * width) {
    for (const [i, list] of lists.entries()) {
      lists[i] = list.sort((a, b) => b.similarity - a.similarity).slice(0, count);
    }
  }
  return lists;
}
