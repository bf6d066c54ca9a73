import { densityClusters } from "../suggest/hdbscan.ts";
import type { NeighbourTable } from "../suggest/nearest.ts";
import { principalPlane } from "../suggest/principal.ts";
import { fuzzyGraph, layoutEpoch, type FuzzyGraph } from "../suggest/umap.ts";
import { CoreError } from "../util/errors.ts";
import type { LoadedBank } from "./neighbours.ts";
import type { EngineMethod, EngineMethods } from "./protocol.ts";

interface Layout {
  readonly graph: FuzzyGraph;
  readonly epochs: number;
  readonly seed: number;
}

type Calls = {
  readonly [Method in EngineMethod]: (
    request: EngineMethods[Method]["request"],
  ) => Promise<EngineMethods[Method]["result"]>;
};

/**
 * Clusters by density and maps. Both are plain loops over graphs of neighbours that take seconds: here they do not block
 * the core.
 */
export function createLayouts(
  bankOf: (name: string) => LoadedBank,
): Pick<Calls, "densityClusters" | "principalPlane" | "startLayout" | "runLayout" | "dropLayout"> {
  const layouts = new Map<string, Layout>();
  return {
    // Async, so that what they throw is an answer too.
    densityClusters: async ({ neighbours, minimum, samples }) =>
      Promise.resolve(densityClusters(distanceTable(neighbours), { minimum, samples }).labels),
    principalPlane: async ({ bank, seed }) => {
      const { values, width } = bankOf(bank);
      return Promise.resolve(principalPlane(values, width, seed));
    },
    startLayout: async ({ layout, neighbours, epochs, seed }) => {
      layouts.set(layout, { graph: fuzzyGraph(neighbours, epochs), epochs, seed });
      return Promise.resolve(null);
    },
    runLayout: async ({ layout: name, coordinates, from, to }) => {
      const layout = layouts.get(name);
      // The code of what goes away with an engine, so that who asked starts it again.
      if (layout === undefined) throw new CoreError("bank-missing", `The engine holds no layout ${name}.`);
      const { graph, epochs, seed } = layout;
      if (coordinates.length !== 2 * graph.rows) {
        throw new CoreError("layout-mismatch", `A layout of ${graph.rows} rows has no ${coordinates.length} numbers.`);
      }
      for (let epoch = from; epoch <= to; epoch++) layoutEpoch(graph, coordinates, epoch, epochs, seed);
      return Promise.resolve(coordinates);
    },
    dropLayout: async ({ layout }) => {
      layouts.delete(layout);
      return Promise.resolve(null);
    },
  };
}

/** Euclidean distances of unit vectors from their cosines. */
function distanceTable({ count, indices, similarities }: NeighbourTable): {
  count: number;
  indices: Int32Array;
  distances: Float64Array;
} {
  return {
    count,
    indices,
    distances: Float64Array.from(similarities, (cosine) => Math.sqrt(Math.max(0, 2 - 2 * cosine))),
  };
}
