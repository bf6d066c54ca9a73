import { createRandom, type Random } from "../../util/random.ts";
import { weightShapes, type WeightTensor, type Weights } from "../architecture.ts";
import { initialWeights } from "../initial-weights.ts";
import type { HeadSettings, TrainingSettings } from "./settings.ts";

/** The weight-normalised last layer: directions and scales. */
export const lastLayer = { directions: "head.last_layer.weight_v", scales: "head.last_layer.weight_g" } as const;

/** Name and shape of every tensor of the head on a backbone of `width` features, in the official order and under its names. */
export function headShapes(head: HeadSettings, width: number): Map<string, readonly number[]> {
  const { hidden, bottleneck, prototypes } = head;
  return new Map<string, readonly number[]>([
    ["head.mlp.0.weight", [hidden, width]],
    ["head.mlp.0.bias", [hidden]],
    ["head.mlp.2.weight", [hidden, hidden]],
    ["head.mlp.2.bias", [hidden]],
    ["head.mlp.4.weight", [bottleneck, hidden]],
    ["head.mlp.4.bias", [bottleneck]],
    [lastLayer.scales, [prototypes, 1]],
    [lastLayer.directions, [prototypes, bottleneck]],
  ]);
}

/** Name and shape of every tensor of a student or teacher: `backbone.<official name>`, then the head's. */
export function networkShapes({ architecture, head }: TrainingSettings): Map<string, readonly number[]> {
  const backbone = [...weightShapes(architecture)].map(([name, shape]) => [`backbone.${name}`, shape] as const);
  return new Map([...backbone, ...headShapes(head, architecture.width)]);
}

/** The tensors that training moves: all but the scales of the prototypes where they are fixed at 1. */
export function trainedShapes(settings: TrainingSettings): Map<string, readonly number[]> {
  const shapes = networkShapes(settings);
  if (settings.head.fixedScale) shapes.delete(lastLayer.scales);
  return shapes;
}

/** Whether weight decay applies: to everything but biases and vectors (utils.get_params_groups of the official code). */
export function isDecayed(name: string, shape: readonly number[]): boolean {
  return shape.length > 1 && !name.endsWith(".bias");
}

/**
 * A network as the official code draws it before training (vision_transformer.DINOHead): linear weights normal with
 * standard deviation 0.02, biases 0; directions of the prototypes uniform within 1 / sqrt(bottleneck), scales 1.
 */
export function initialNetwork(settings: TrainingSettings): Weights {
  const { architecture, head, seed } = settings;
  const weights = new Map<string, WeightTensor>();
  for (const [name, tensor] of initialWeights(architecture, seed)) weights.set(`backbone.${name}`, tensor);
  for (const [name, tensor] of initialHead(head, architecture.width, createRandom(seed ^ 0x68656164))) {
    weights.set(name, tensor);
  }
  return weights;
}

/** The head's part of `initialNetwork`. */
export function initialHead(head: HeadSettings, width: number, random: Random): Weights {
  const bound = 1 / Math.sqrt(head.bottleneck);
  const weights = new Map<string, WeightTensor>();
  for (const [name, shape] of headShapes(head, width)) {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    if (name === lastLayer.scales) data.fill(1);
    else if (name === lastLayer.directions) data.forEach((_, i) => (data[i] = random.uniform(-bound, bound)));
    else if (!name.endsWith(".bias")) data.forEach((_, i) => (data[i] = 0.02 * random.normal()));
    weights.set(name, { shape, data });
  }
  return weights;
}
