import { add, gelu, multiply } from "../graph/ops/elementwise.ts";
import { matMul } from "../graph/ops/linear.ts";
import { concat, padFront, reshape, slice, split, transpose, transposeLast } from "../graph/ops/movement.ts";
import { layerNorm, softmax } from "../graph/ops/reduce.ts";
import { formatShape, known, scalar, type Value } from "../graph/value.ts";
import { CoreError } from "../util/errors.ts";
import type { Architecture } from "./architecture.ts";
import { linear, type WeightSource } from "./layers.ts";
import { resizePositions } from "./position.ts";

/** Epsilon of every layer norm in DINO and DINOv2 (vision_transformer.py). */
const layerNormEpsilon = 1e-6;

/**
 * What a vision transformer can tell about a picture. T tokens are CLS, registers, then N patches row by row.
 * - `cls` [batch, width]: the CLS token after the last norm, the picture's embedding.
 * - `tokens` [batch, T, width]: all tokens after the last norm.
 * - `keys` [batch, N, width]: keys of the patches in the last block, heads one after the other.
 * - `attention` [batch, heads, T, T]: attention of the last block.
 * - `clsAttention` [batch, heads, N]: its row from CLS to the patches.
 */
export type TransformerOutput = "cls" | "tokens" | "keys" | "attention" | "clsAttention";

/** Number of patches down and across a picture. Throws `graph-shape` for sizes that are not multiples of the patch. */
export function patchGrid(
  architecture: Architecture,
  height: number,
  width: number,
): { rows: number; columns: number } {
  const { patch } = architecture;
  if (height % patch !== 0 || width % patch !== 0 || height < patch || width < patch) {
    throw new CoreError("graph-shape", `A picture of ${height} x ${width} does not divide into patches of ${patch}.`, {
      hint: `Use an image size that is a multiple of ${patch}.`,
    });
  }
  return { rows: height / patch, columns: width / patch };
}

/**
 * The vision transformer of DINO (Caron et al. 2021, section 3.2; Dosovitskiy et al. 2021) on `pixels`
 * [batch, 3, height, width], normalised, at any size. With only `cls` and `clsAttention` wanted, the last block works
 * on the CLS token alone: the other tokens' queries and feed-forward would reach no output. `dropPath`
 * [2 * depth, batch, 1, 1] multiplies the branches, two rows a block, attention first (core/nn/dino/drop-path.ts); the first
 * block never drops one, so its rows are not read.
 */
export function visionTransformer<Output extends TransformerOutput>(
  architecture: Architecture,
  weight: WeightSource,
  pixels: Value,
  wanted: readonly Output[],
  dropPath?: Value,
): Record<Output, Value> {
  const [, , height, width] = pixels.shape;
  const { rows, columns } = patchGrid(architecture, known(height, "Picture height"), known(width, "Picture width"));
  const clsOnly = wanted.every((name) => name === "cls" || name === "clsAttention");

  let x = embedPatches(architecture, weight, pixels, rows, columns);
  for (let i = 0; i < architecture.depth - 1; i++) x = block(architecture, weight, i, x, { dropPath }).x;
  const last = block(architecture, weight, architecture.depth - 1, x, { clsOnly, dropPath });
  const tokens = layerNorm(last.x, weight("norm.weight"), weight("norm.bias"), layerNormEpsilon);

  const batch = pixels.shape[0] ?? 1;
  const prefix = 1 + architecture.registers;
  const count = prefix + rows * columns;
  const { heads } = architecture;
  const all: Record<TransformerOutput, () => Value> = {
    cls: () => reshape(slice(tokens, 1, 0, 1), [batch, architecture.width]),
    tokens: () => tokens,
    keys: () =>
      slice(reshape(transpose(last.keys, [0, 2, 1, 3]), [batch, count, architecture.width]), 1, prefix, count),
    attention: () => last.attention,
    clsAttention: () =>
      reshape(slice(slice(last.attention, 2, 0, 1), 3, prefix, count), [batch, heads, count - prefix]),
  };
  return Object.fromEntries(wanted.map((name) => [name, all[name]()])) as Record<Output, Value>;
}

/** Patches, positions, CLS and registers: [batch, 3, height, width] to [batch, T, width]. */
function embedPatches(
  architecture: Architecture,
  weight: WeightSource,
  pixels: Value,
  rows: number,
  columns: number,
): Value {
  const { width, patch, grid, registers } = architecture;
  const [batch = 1, channels] = pixels.shape;
  if (channels !== 3)
    throw new CoreError("graph-shape", `A picture needs 3 channels, got ${formatShape(pixels.shape)}.`);
  // A convolution whose stride is its size is one product over the flattened patches.
  const cells = transpose(reshape(pixels, [batch, 3, rows, patch, columns, patch]), [0, 2, 4, 1, 3, 5]);
  const flat = reshape(cells, [batch, rows * columns, 3 * patch * patch]);
  const kernel = reshape(weight("patch_embed.proj.weight"), [width, 3 * patch * patch]);
  const patches = linear(flat, kernel, weight("patch_embed.proj.bias"));

  const stored = weight("pos_embed");
  const positions = resizePositions(slice(stored, 1, 1, 1 + grid * grid), architecture, rows, columns);
  const cls = add(weight("cls_token"), slice(stored, 1, 0, 1));
  const prefix = registers > 0 ? [cls, weight("register_tokens")] : [cls];
  // Padding and adding puts CLS in front of every picture without knowing how many there are.
  return add(padFront(patches, 1, 1 + registers), concat([...prefix, positions], 1));
}

interface BlockResult {
  readonly x: Value;
  /** [batch, heads, queries, T]. */
  readonly attention: Value;
  /** [batch, heads, T, features of a head]. */
  readonly keys: Value;
}

/** One pre-norm block. With `clsOnly` the result holds the CLS token alone, [batch, 1, width]. */
function block(
  architecture: Architecture,
  weight: WeightSource,
  index: number,
  x: Value,
  { clsOnly = false, dropPath }: { readonly clsOnly?: boolean; readonly dropPath?: Value | undefined },
): BlockResult {
  const { layerScale } = architecture;
  const name = `blocks.${index}`;
  const norm = (value: Value, which: string): Value =>
    layerNorm(value, weight(`${name}.${which}.weight`), weight(`${name}.${which}.bias`), layerNormEpsilon);
  const branch = (value: Value, which: "ls1" | "ls2"): Value => {
    const scaled = layerScale ? multiply(value, weight(`${name}.${which}.gamma`)) : value;
    if (dropPath === undefined || index === 0) return scaled;
    const row = 2 * index + (which === "ls1" ? 0 : 1);
    return multiply(scaled, reshape(slice(dropPath, 0, row, row + 1), [x.shape[0] ?? 1, 1, 1]));
  };

  const attended = attend(architecture, weight, `${name}.attn`, norm(x, "norm1"), clsOnly);
  const kept = clsOnly ? slice(x, 1, 0, 1) : x;
  const middle = add(kept, branch(attended.x, "ls1"));
  const hidden = gelu(linear(norm(middle, "norm2"), weight(`${name}.mlp.fc1.weight`), weight(`${name}.mlp.fc1.bias`)));
  const fed = linear(hidden, weight(`${name}.mlp.fc2.weight`), weight(`${name}.mlp.fc2.bias`));
  return { ...attended, x: add(middle, branch(fed, "ls2")) };
}

/** Multi-head self-attention. With `clsOnly` only CLS asks: one query, all keys and values. */
function attend(
  architecture: Architecture,
  weight: WeightSource,
  name: string,
  x: Value,
  clsOnly: boolean,
): BlockResult {
  const { width, heads } = architecture;
  const [batch = 1, tokens = 1] = x.shape;
  const features = width / heads;
  const toHeads = (value: Value, parts: number, count: typeof tokens): readonly Value[] => {
    const stacked = transpose(reshape(value, [batch, count, parts, heads, features]), [2, 0, 3, 1, 4]);
    const single = (part: Value): Value => reshape(part, [batch, heads, count, features]);
    return parts === 1 ? [single(stacked)] : split(stacked, 0, parts).map(single);
  };
  const matrix = weight(`${name}.qkv.weight`);
  const bias = weight(`${name}.qkv.bias`);
  const rows = (from: number, to: number, value: Value, count: typeof tokens): readonly Value[] =>
    toHeads(
      linear(value, slice(matrix, 0, from * width, to * width), slice(bias, 0, from * width, to * width)),
      to - from,
      count,
    );
  const parts = clsOnly
    ? [...rows(0, 1, slice(x, 1, 0, 1), 1), ...rows(1, 3, x, tokens)]
    : toHeads(linear(x, matrix, bias), 3, tokens);
  const [queries, keys, values] = parts;
  if (queries === undefined || keys === undefined || values === undefined) {
    throw new CoreError("internal", "Attention needs queries, keys and values.");
  }
  const scaled = multiply(queries, scalar(features ** -0.5));
  const attention = softmax(matMul(scaled, transposeLast(keys)));
  const mixed = reshape(transpose(matMul(attention, values), [0, 2, 1, 3]), [batch, clsOnly ? 1 : tokens, width]);
  return { x: linear(mixed, weight(`${name}.proj.weight`), weight(`${name}.proj.bias`)), attention, keys };
}
