import { CoreError } from "../util/errors.ts";

/**
 * The shape of a vision transformer, as far as it changes names, shapes or arithmetic. DINO: Caron et al. 2021, section
 * 3.2 and table 1; DINOv2 adds layer scale and register tokens.
 */
export interface Architecture {
  /** Features of a token (D): 192, 384 or 768 for ViT-Ti, S, B. */
  readonly width: number;
  /** Number of blocks. */
  readonly depth: number;
  /** Attention heads; `width / heads` features each. */
  readonly heads: number;
  /** Features inside the feed-forward part of a block, usually 4 * width. */
  readonly hidden: number;
  /** Side of a square patch in pixels. */
  readonly patch: number;
  /** Side of the square grid of patches that the stored position embeddings cover (14 for 224 px at patch 16). */
  readonly grid: number;
  /** Register tokens between CLS and the patches (DINOv2 with registers), without position. */
  readonly registers: number;
  /** Whether each branch is scaled per feature before it is added (DINOv2). */
  readonly layerScale: boolean;
  /** Added to the size when position embeddings are resized: 0.1 in the official DINO and plain DINOv2 code, else 0. */
  readonly positionOffset: number;
  /** Whether that resizing widens its kernel when it shrinks (DINOv2 with registers). */
  readonly positionAntialias: boolean;
}

/** The architectures of the paper by name, at patch 16 and 224 px unless said otherwise. */
export const namedArchitectures = {
  "vit-tiny": { width: 192, depth: 12, heads: 3 },
  "vit-small": { width: 384, depth: 12, heads: 6 },
  "vit-base": { width: 768, depth: 12, heads: 12 },
} as const;

export type ArchitectureName = keyof typeof namedArchitectures;

/** A DINO architecture by name. `imageSize` is the side in pixels that its position embeddings are stored for. */
export function namedArchitecture(name: ArchitectureName, patch = 16, imageSize = 224): Architecture {
  const { width, depth, heads } = namedArchitectures[name];
  if (imageSize % patch !== 0) {
    throw new CoreError("option-invalid", `The image size ${imageSize} is not a multiple of the patch size ${patch}.`);
  }
  return {
    width,
    depth,
    heads,
    hidden: 4 * width,
    patch,
    grid: imageSize / patch,
    registers: 0,
    layerScale: false,
    positionOffset: 0.1,
    positionAntialias: false,
  };
}

/** A tensor in memory: row-major float32 values. */
export interface WeightTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The weights of a backbone under the official DINO (= timm) names, in float32. */
export type Weights = ReadonlyMap<string, WeightTensor>;

/**
 * Name and shape of every tensor of a backbone, in the official order: `cls_token`, `pos_embed` (CLS first),
 * `register_tokens`, `patch_embed.proj.*`, `blocks.<i>.*`, `norm.*`. Linear weights are [outputs, inputs].
 */
export function weightShapes(architecture: Architecture): Map<string, readonly number[]> {
  const { width, hidden, patch, grid, registers, layerScale, depth } = architecture;
  const shapes = new Map<string, readonly number[]>();
  shapes.set("cls_token", [1, 1, width]);
  shapes.set("pos_embed", [1, 1 + grid * grid, width]);
  if (registers > 0) shapes.set("register_tokens", [1, registers, width]);
  shapes.set("patch_embed.proj.weight", [width, 3, patch, patch]);
  shapes.set("patch_embed.proj.bias", [width]);
  for (let block = 0; block < depth; block++) {
    const linear = (name: string, outputs: number, inputs: number): void => {
      shapes.set(`blocks.${block}.${name}.weight`, [outputs, inputs]);
      shapes.set(`blocks.${block}.${name}.bias`, [outputs]);
    };
    const vectors = (...names: string[]): void => {
      for (const name of names) shapes.set(`blocks.${block}.${name}`, [width]);
    };
    vectors("norm1.weight", "norm1.bias");
    linear("attn.qkv", 3 * width, width);
    linear("attn.proj", width, width);
    if (layerScale) vectors("ls1.gamma");
    vectors("norm2.weight", "norm2.bias");
    linear("mlp.fc1", hidden, width);
    linear("mlp.fc2", width, hidden);
    if (layerScale) vectors("ls2.gamma");
  }
  shapes.set("norm.weight", [width]);
  shapes.set("norm.bias", [width]);
  return shapes;
}
