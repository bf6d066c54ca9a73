import { CoreError } from "../util/errors.ts";

/**
 * The patches that hold `mass` of one head's attention, as visualize_attention.py of the official DINO code finds them:
 * values in ascending order, divided by their sum, summed up; kept is what lies above 1 - mass of that. `attention` has a
 * value a patch, and need not sum to 1. Arithmetic is PyTorch's in float32, so that a patch on the border falls on the
 * same side. Throws `option-invalid` for a mass outside 0 to 1.
 */
export function keptMass(attention: Float32Array, mass: number): Uint8Array {
  const threshold = Math.fround(1 - checkedMass(mass));
  const kept = new Uint8Array(attention.length);
  eachShare(attention, (patch, share) => {
    kept[patch] = share > threshold ? 1 : 0;
  });
  return kept;
}

/** `keptMass` of each head by itself; `attention` is [heads, patches], and so is the result. */
export function keptMassPerHead(attention: Float32Array, heads: number, mass: number): Uint8Array {
  const patches = patchCount(attention, heads);
  const kept = new Uint8Array(attention.length);
  for (let head = 0; head < heads; head++) {
    kept.set(keptMass(attention.subarray(head * patches, (head + 1) * patches), mass), head * patches);
  }
  return kept;
}

/**
 * The same decision as a score a patch, from 0 to 1: at least 0.5 exactly where `keptMass` keeps it, and rising with the
 * rank of its attention, so that it can be blurred or upsampled before it is cut.
 */
export function keptMassScore(attention: Float32Array, mass: number): Float32Array {
  const border = Math.fround(1 - checkedMass(mass));
  const scores = new Float32Array(attention.length);
  // Below the border a score must stay below 0.5 after rounding.
  const below = 0.5 - 2 ** -20;
  eachShare(attention, (patch, share) => {
    const kept = share > border;
    const depth = kept ? (share - border) / (1 - border) : share / border;
    scores[patch] = kept ? Math.min(1, 0.5 + depth / 2) : Math.min(below, depth / 2);
  });
  return scores;
}

/**
 * Mean attention of some heads, all of them unless given: [heads, patches] to [patches]. Throws `option-invalid` for a
 * head that is not there.
 */
export function meanOfHeads(attention: Float32Array, heads: number, chosen?: readonly number[] | null): Float32Array {
  const patches = patchCount(attention, heads);
  const taken = chosen ?? Array.from({ length: heads }, (_, head) => head);
  const wrong = taken.find((head) => !Number.isInteger(head) || head < 0 || head >= heads);
  if (wrong !== undefined || taken.length === 0) {
    throw new CoreError("option-invalid", `The model has heads 0 to ${heads - 1}, not ${wrong ?? "none"}.`);
  }
  const sums = new Float64Array(patches);
  for (const head of taken) {
    for (let patch = 0; patch < patches; patch++) {
      sums[patch] = (sums[patch] ?? 0) + (attention[head * patches + patch] ?? 0);
    }
  }
  return Float32Array.from(sums, (sum) => sum / taken.length);
}

function checkedMass(mass: number): number {
  if (mass > 0 && mass <= 1) return mass;
  throw new CoreError("option-invalid", `The mass to keep must be above 0 and at most 1, found ${mass}.`);
}

function patchCount(attention: Float32Array, heads: number): number {
  const patches = attention.length / heads;
  if (Number.isInteger(patches)) return patches;
  throw new CoreError("option-invalid", `${attention.length} values do not divide into ${heads} heads.`);
}

/** Calls `visit` for the patches in ascending order of attention with the share of all attention up to and with it. */
function eachShare(attention: Float32Array, visit: (patch: number, share: number) => void): void {
  // Equal values keep the order of their patches, as in PyTorch's sort on the CPU.
  const order = Array.from(attention.keys()).sort((a, b) => (attention[a] ?? 0) - (attention[b] ?? 0) || a - b);
  const sorted = Float32Array.from(order, (patch) => attention[patch] ?? 0);
  const sum = torchSum(sorted);
  // torch.cumsum adds float32 values in float64 and rounds each result.
  let total = 0;
  order.forEach((patch, i) => {
    total += Math.fround((sorted[i] ?? 0) / sum);
    visit(patch, Math.fround(total));
  });
}

/** Values in one vector register of AVX2, and such vectors that are summed side by side. */
const lanes = 8;
const sideBySide = 4;

/** Levels of the cascade that keeps rounding errors small, and the least number of values at one level. */
const levels = 4;
const leastLevelPower = 4;

/**
 * The sum of float32 values as `torch.sum` makes it over a contiguous last axis on the CPU (SumKernel.cpp): four vectors
 * of eight side by side, in a cascade of partial sums, then the rest. Addition in float32 is not associative: another
 * order would differ in the last bit. (On AVX-512 PyTorch may take vectors of sixteen; what is stated here is AVX2.)
 */
export function torchSum(values: Float32Array): number {
  const vectors = Math.floor(values.length / lanes);
  const rows = Math.floor(vectors / sideBySide);
  const partial = cascadeSums(values, rows);
  for (let vector = rows * sideBySide; vector < vectors; vector++) {
    for (let lane = 0; lane < lanes; lane++) addTo(partial, lane, values[vector * lanes + lane]);
  }
  for (let other = 1; other < sideBySide; other++) {
    for (let lane = 0; lane < lanes; lane++) addTo(partial, lane, partial[other * lanes + lane]);
  }
  let sum = 0;
  for (let i = vectors * lanes; i < values.length; i++) sum = Math.fround(sum + (values[i] ?? 0));
  for (let lane = 0; lane < lanes; lane++) sum = Math.fround(sum + (partial[lane] ?? 0));
  return sum;
}

/** Sums of the columns of `rows` rows of four vectors. */
function cascadeSums(values: Float32Array, rows: number): Float32Array {
  const width = lanes * sideBySide;
  const sums = Array.from({ length: levels }, () => new Float32Array(width));
  const [first = new Float32Array(width), ...higher] = sums;
  const power = Math.max(leastLevelPower, Math.floor(Math.ceil(Math.log2(Math.max(rows, 1))) / levels));
  const step = 2 ** power;
  const addRow = (row: number): void => {
    for (let i = 0; i < width; i++) addTo(first, i, values[row * width + i]);
  };
  let row = 0;
  while (row + step <= rows) {
    for (let i = 0; i < step; i++) addRow(row++);
    for (let level = 1; level < levels; level++) {
      const from = sums[level - 1] ?? first;
      const to = sums[level] ?? first;
      for (let i = 0; i < width; i++) addTo(to, i, from[i]);
      from.fill(0);
      if (Math.floor(row / step ** level) % step !== 0) break;
    }
  }
  while (row < rows) addRow(row++);
  for (const level of higher) for (let i = 0; i < width; i++) addTo(first, i, level[i]);
  return first;
}

/** Adds in float32: the array rounds. */
function addTo(sums: Float32Array, index: number, value = 0): void {
  sums[index] = (sums[index] ?? 0) + value;
}
