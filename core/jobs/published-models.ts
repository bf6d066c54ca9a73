/** A checkpoint that the authors of DINO publish (Caron et al. 2021; github.com/facebookresearch/dino, Apache-2.0). */
export interface PublishedModel {
  /** What `models download` and the library call it. */
  readonly name: string;
  /** Path below the base URL. */
  readonly path: string;
  /** Most bytes that are accepted: float32 weights and a tenth for what surrounds them. */
  readonly maxBytes: number;
  /** What to expect, in a line; accuracies are ImageNet k-NN from the paper's table 2. */
  readonly summary: string;
}

/** Where the authors keep them. */
export const publishedBaseUrl = "https://dl.fbaipublicfiles.com/dino/";

/** The backbones by name. Nothing is fetched unless the user asks for one by this name. */
export const publishedModels: readonly PublishedModel[] = [
  {
    name: "dino-vits16",
    file: "dino_deitsmall16_pretrain",
    parameters: 21_665_664,
    summary: "ViT-S/16, 800 epochs, k-NN 74.5 %",
  },
  {
    name: "dino-vits8",
    file: "dino_deitsmall8_pretrain",
    parameters: 21_670_272,
    summary: "ViT-S/8, finer masks, 5 times slower, k-NN 78.3 %",
  },
  { name: "dino-vitb16", file: "dino_vitbase16_pretrain", parameters: 85_798_656, summary: "ViT-B/16, k-NN 76.1 %" },
  {
    name: "dino-vitb8",
    file: "dino_vitbase8_pretrain",
    parameters: 85_807_872,
    summary: "ViT-B/8, the most accurate and slowest, k-NN 77.4 %",
  },
].map(({ name, file, parameters, summary }) => ({
  name,
  path: `${file}/${file}.pth`,
  maxBytes: Math.ceil(4 * parameters * 1.1),
  summary,
}));
