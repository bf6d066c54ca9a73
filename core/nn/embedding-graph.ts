import { createGraph, type Graph } from "../graph/graph.ts";
import { constant, input, type Dimension } from "../graph/value.ts";
import { CoreError } from "../util/errors.ts";
import { weightShapes, type Architecture, type Weights } from "./architecture.ts";
import type { WeightSource } from "./layers.ts";
import { visionTransformer, type TransformerOutput } from "./vision-transformer.ts";

/** What a graph of a model works on and gives. */
export interface EmbeddingGraphOptions {
  /** Pixels; multiples of the patch. */
  readonly height: number;
  readonly width: number;
  readonly outputs: readonly TransformerOutput[];
  /** Pictures a run; a name leaves it open. */
  readonly batch?: Dimension;
}

/** Weights as constants of the graph. Throws `weights-missing` for a name that is not there. */
export function constantWeights(weights: Weights): WeightSource {
  const values = new Map<string, ReturnType<typeof constant>>();
  return (name) => {
    const known = values.get(name);
    if (known !== undefined) return known;
    const tensor = weights.get(name);
    if (tensor === undefined) throw new CoreError("weights-missing", `The weights have no tensor ${name}.`);
    const value = constant(tensor.data, tensor.shape, name);
    values.set(name, value);
    return value;
  };
}

/** The graph from `pixels` [batch, 3, height, width] to the outputs asked for, with the weights inside. */
export function embeddingGraph(architecture: Architecture, weights: Weights, options: EmbeddingGraphOptions): Graph {
  for (const [name, shape] of weightShapes(architecture)) {
    const tensor = weights.get(name);
    if (tensor === undefined || tensor.shape.join() !== shape.join()) {
      throw new CoreError(
        "weights-missing",
        `Wanted ${name} of shape [${shape.join()}], found ${tensor === undefined ? "none" : `[${tensor.shape.join()}]`}.`,
      );
    }
  }
  const pixels = input("pixels", [options.batch ?? "batch", 3, options.height, options.width]);
  return createGraph(
    "vision_transformer",
    visionTransformer(architecture, constantWeights(weights), pixels, options.outputs),
  );
}

/** Multiply-adds of one picture through the whole transformer, for speeds in GFLOP/s (two each). */
export function multiplyAdds(architecture: Architecture, height: number, width: number): number {
  const { depth, hidden, patch, registers, width: features } = architecture;
  const patches = (height / patch) * (width / patch);
  const tokens = patches + 1 + registers;
  const perBlock = tokens * (4 * features * features + 2 * features * hidden) + 2 * tokens * tokens * features;
  return depth * perBlock + patches * features * 3 * patch * patch;
}
