import { createRandom } from "../util/random.ts";
import { weightShapes, type Architecture, type Weights, type WeightTensor } from "./architecture.ts";

/**
 * Random weights as the official code draws them before training: linear weights, CLS and positions normal with
 * standard deviation 0.02, biases 0, norms 1 and 0, the patch convolution uniform within 1 / sqrt(fan-in) (PyTorch's
 * default, which that code leaves in place), layer scale 1e-5. The same seed gives the same weights.
 */
export function initialWeights(architecture: Architecture, seed: number): Weights {
  const random = createRandom(seed);
  const weights = new Map<string, WeightTensor>();
  const bound = 1 / Math.sqrt(3 * architecture.patch * architecture.patch);
  for (const [name, shape] of weightShapes(architecture)) {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    if (name.startsWith("patch_embed")) data.forEach((_, i) => (data[i] = random.uniform(-bound, bound)));
    else if (name.endsWith(".gamma")) data.fill(1e-5);
    else if (/norm\d?\.weight$/.test(name)) data.fill(1);
    else if (!name.endsWith(".bias")) data.forEach((_, i) => (data[i] = 0.02 * random.normal()));
    weights.set(name, { shape, data });
  }
  return weights;
}
