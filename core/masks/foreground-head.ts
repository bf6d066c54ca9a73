import { CoreError } from "../util/errors.ts";
import { createRandom } from "../util/random.ts";

/** A linear model of foreground on a patch's token: sigmoid(weights . token + bias). A 1 x 1 convolution, said plainly. */
export interface ForegroundHead {
  readonly weights: Float32Array;
  readonly bias: number;
}

/** Cosine to the background seed above which a patch is background (FOUND, section 3.1). */
const backgroundCosine = 0.3;

/**
 * A rough foreground of one picture without any training, as FOUND makes it (Siméoni et al. 2023, section 3.1): the patch
 * with the least attention is background, everything like it too, and the rest is foreground. Heads that attend to few
 * patches count more. `attention` is [heads, patches], `keys` [patches, heads * features]. 1 is foreground.
 */
export function coarseForeground(attention: Float32Array, keys: Float32Array, heads: number): Uint8Array {
  const patches = attention.length / heads;
  const width = keys.length / patches;
  const features = width / heads;
  const shares = Array.from({ length: heads }, (_, head) => {
    const row = attention.subarray(head * patches, (head + 1) * patches);
    const mean = row.reduce((sum, value) => sum + value, 0) / patches;
    // One patch at least, where a head sees the same everywhere.
    return Math.max(1, row.filter((value) => value > mean).length) / patches;
  });
  const total = shares.reduce((sum, share) => sum + share, 0);
  const weights = shares.map((share) => Math.log(total / share));
  const weighted = keys.map((value, i) => value * (weights[Math.floor((i % width) / features)] ?? 0));
  let seed = 0;
  let least = Infinity;
  for (let patch = 0; patch < patches; patch++) {
    const seen = weights.reduce((sum, weight, head) => sum + weight * (attention[head * patches + patch] ?? 0), 0);
    if (seen < least) [least, seed] = [seen, patch];
  }
  const row = (patch: number): Float32Array => weighted.subarray(patch * width, (patch + 1) * width);
  const reference = row(seed);
  return Uint8Array.from({ length: patches }, (_, patch) => (cosine(row(patch), reference) > backgroundCosine ? 0 : 1));
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((value, i) => {
    const other = b[i] ?? 0;
    ab += value * other;
    aa += value * value;
    bb += other * other;
  });
  return aa * bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}

/** Steps, rows in a step and step size of the training; FOUND takes 500 steps. */
const trainingSteps = 500;
const rowsPerStep = 256;
const learningRate = 0.05;

/** A little decay, so that weights of features that never vary stay at 0. */
const decay = 1e-3;

/**
 * Logistic regression of rough masks on patch tokens: the head agrees with what the masks have in common over many
 * pictures, and their mistakes average out (FOUND, section 3.2). `tokens` is [rows, width], `targets` 1 for foreground.
 * Adam on random rows, with tokens scaled to mean 0 and deviation 1; the gradient has a closed form. The same seed gives
 * the same head. Throws `masks-missing` where the targets are all alike: there is nothing to tell apart.
 */
export function trainForegroundHead(tokens: Float32Array, targets: Uint8Array, seed: number): ForegroundHead {
  const rows = targets.length;
  const width = tokens.length / rows;
  const foreground = targets.reduce((sum, target) => sum + target, 0);
  if (rows === 0 || foreground === 0 || foreground === rows) {
    throw new CoreError(
      "masks-missing",
      `A foreground head needs foreground and background; ${foreground} of ${rows} patches are foreground.`,
      {
        hint: "Add more pictures, or use another method.",
      },
    );
  }
  const { mean, deviation } = momentsOf(tokens, rows, width);
  const scaled = tokens.map((value, i) => (value - (mean[i % width] as number)) / (deviation[i % width] as number));
  const random = createRandom(seed);
  const parameters = new Float64Array(width + 1);
  const [first, second] = [new Float64Array(width + 1), new Float64Array(width + 1)];
  for (let step = 1; step <= trainingSteps; step++) {
    const gradient = new Float64Array(width + 1);
    for (let k = 0; k < rowsPerStep; k++) {
      const row = random.integer(rows);
      const error = (sigmoid(logit(scaled, row, parameters)) - (targets[row] as number)) / rowsPerStep;
      for (let i = 0; i < width; i++) {
        gradient[i] = (gradient[i] as number) + error * (scaled[row * width + i] as number);
      }
      gradient[width] = (gradient[width] as number) + error;
    }
    // Falling to nothing, so that the last steps average over many rows.
    const rate = (learningRate * (1 + Math.cos((Math.PI * step) / trainingSteps))) / 2;
    for (let i = 0; i <= width; i++) {
      const slope = (gradient[i] as number) + (i < width ? decay * (parameters[i] as number) : 0);
      first[i] = 0.9 * (first[i] as number) + 0.1 * slope;
      second[i] = 0.999 * (second[i] as number) + 0.001 * slope * slope;
      const direction = (first[i] as number) / (1 - 0.9 ** step);
      const size = Math.sqrt((second[i] as number) / (1 - 0.999 ** step)) + 1e-8;
      parameters[i] = (parameters[i] as number) - (rate * direction) / size;
    }
  }
  // The scaling becomes part of the head, so that it works on tokens as they are.
  const weights = Float32Array.from({ length: width }, (_, i) => (parameters[i] as number) / (deviation[i] as number));
  const shift = weights.reduce((sum, weight, i) => sum + weight * (mean[i] as number), 0);
  return { weights, bias: (parameters[width] as number) - shift };
}

/** How likely each token, [count, width], is foreground. */
export function applyForegroundHead({ weights, bias }: ForegroundHead, tokens: Float32Array): Float32Array {
  const width = weights.length;
  const parameters = Float64Array.of(...weights, bias);
  return Float32Array.from({ length: tokens.length / width }, (_, row) => sigmoid(logit(tokens, row, parameters)));
}

function logit(tokens: Float32Array, row: number, parameters: Float64Array): number {
  const width = parameters.length - 1;
  let sum = parameters[width] as number;
  for (let i = 0; i < width; i++) sum += (parameters[i] as number) * (tokens[row * width + i] as number);
  return sum;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function momentsOf(tokens: Float32Array, rows: number, width: number): { mean: Float64Array; deviation: Float64Array } {
  const mean = new Float64Array(width);
  const deviation = new Float64Array(width);
  tokens.forEach((value, i) => (mean[i % width] = (mean[i % width] as number) + value / rows));
  tokens.forEach((value, i) => {
    deviation[i % width] = (deviation[i % width] as number) + (value - (mean[i % width] as number)) ** 2 / rows;
  });
  // A feature that never varies says nothing, and must not be divided by 0.
  return { mean, deviation: deviation.map((variance) => Math.sqrt(variance) || 1) };
}
