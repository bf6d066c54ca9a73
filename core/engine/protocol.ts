/**
 * What the core asks of the engine, the child process that holds onnxruntime and sharp. Requests and answers are plain
 * data that structured clone can copy; pictures stay on disk and travel by path.
 */
import type { PictureOutcome, PreparedPicture } from "../image/types.ts";
import type { Architecture, ArchitectureName } from "../nn/architecture.ts";
import type { ForegroundHead } from "../masks/foreground-head.ts";
import type { MaskRecipe, ModelProvenance } from "../rpc/records.ts";
import type { DeviceName } from "../runtime/runtime.ts";
import type { NeighbourTable } from "../suggest/nearest.ts";

export type { ArchitectureName, PictureOutcome, PreparedPicture };

/** A device by name, or the best that works. */
export type WantedDevice = Exclude<DeviceName, "tfjs"> | "auto";

/** A device that was not chosen, and why, in a sentence for the user. */
export interface DeviceRefusal {
  readonly device: string;
  readonly reason: string;
}

/** Where graphs run, and what was tried before. */
export interface DeviceChoice {
  readonly device: string;
  readonly refused: readonly DeviceRefusal[];
}

/** What a self-test of one device found. */
export interface DeviceReport {
  readonly device: string;
  /** Sentence for the user: what is missing, or null when the device works. */
  readonly reason: string | null;
  /** ViT-S/16 at 224 px. */
  readonly imagesPerSecond: number | null;
  readonly gigaflopsPerSecond: number | null;
  /** Largest relative difference from the CPU's result on a small transformer. */
  readonly relativeError: number | null;
}

/** A model as the engine needs it; `file` is absolute. */
export interface ModelFile {
  readonly kind: "vit" | "onnx";
  readonly file: string;
  readonly imageSize: number;
}

/** What is known of a model file after import. */
export interface ImportedModel {
  readonly kind: "vit" | "onnx";
  readonly hash: string;
  readonly architecture: Architecture | null;
  readonly imageSize: number;
  readonly width: number;
  readonly provenance: ModelProvenance;
}

/** Attention from CLS to the patches in the last block, a byte a value: value = byte * scale of its head. */
export interface QuantizedAttention {
  readonly heads: number;
  readonly rows: number;
  readonly columns: number;
  readonly scales: Float32Array;
  /** heads * rows * columns. */
  readonly data: Uint8Array;
}

/** What embed keeps of one picture: an L2-normalised vector, and attention where the model has it. */
export interface EmbeddedPicture {
  readonly vector: Float32Array;
  readonly attention: QuantizedAttention | null;
}

/** A mask as it leaves the engine. */
export interface MadeMask {
  /** Run lengths as COCO's compressed text, at the size of the upright picture. */
  readonly runs: string;
  /** How sure each patch is foreground, a byte a patch, row by row: 255 for 1, foreground from one half on. */
  readonly score: { readonly rows: number; readonly columns: number; readonly data: Uint8Array };
}

export type ExportFormat = "timm" | "huggingface" | "onnx";

/** Every call: what goes in and what comes out. */
export interface EngineMethods {
  /** Hash, size, thumbnail and perceptual hash of each file. */
  preparePictures: {
    request: { paths: readonly string[]; thumbnailSize: number };
    result: readonly PictureOutcome<PreparedPicture>[];
  };
  /** Colour histograms of encoded thumbnails, the baseline of evaluations: 512 values each. */
  colourHistograms: { request: { thumbnails: readonly Uint8Array[] }; result: readonly Float32Array[] };
  chooseDevice: { request: { device: WantedDevice }; result: DeviceChoice };
  probeDevice: { request: { device: Exclude<WantedDevice, "auto"> | "tfjs" }; result: DeviceReport };
  /** Reads a checkpoint of any known format and writes it to `destination`, without its ending. */
  importModel: {
    request: { path: string; destination: string; heads?: number; part?: "teacher" | "student" };
    result: ImportedModel & { file: string };
  };
  /** Random weights, for a baseline. */
  createModel: {
    request: { name: ArchitectureName; patch: number; imageSize: number; seed: number; destination: string };
    result: ImportedModel & { file: string };
  };
  /** Writes a model for other tools; returns the files written. */
  exportModel: {
    request: { model: ModelFile; format: ExportFormat; destination: string };
    result: readonly string[];
  };
  /** Embeds each file; `resize` is the shorter side before the centre crop of `model.imageSize`. */
  embedPictures: {
    request: {
      model: ModelFile;
      device: WantedDevice;
      paths: readonly string[];
      resize: number;
    };
    result: readonly PictureOutcome<EmbeddedPicture>[];
  };
  /** Rows `offset` and on of the bank `bank`, which is made when `offset` is 0. */
  loadBank: {
    request: { bank: string; rows: number; width: number; offset: number; values: Float32Array };
    result: null;
  };
  /**
   * The exact nearest rows of each query by cosine, most similar first, ties by lower row. `exclude` names a row per
   * query to leave out (-1: none). Throws `bank-missing` when the engine was started anew since the bank was loaded.
   */
  nearest: {
    request: { bank: string; queries: Float32Array; count: number; exclude?: Int32Array; device: WantedDevice };
    result: NeighbourTable;
  };
  dropBank: { request: { bank: string }; result: null };
  /**
   * One step of k-means: the `count` nearest of `centres` ([centres, width], unit rows) to each row of a bank, best
   * first, with their cosines, and for each centre the sum of the rows that have it as their first.
   */
  nearestCentres: {
    request: { bank: string; centres: Float32Array; count: number; device: WantedDevice };
    result: { nearest: Int32Array; similarities: Float32Array; sums: Float64Array };
  };
  /** `count` rows of a bank to start k-means from (k-means++); the same seed chooses the same rows. */
  seedCentres: { request: { bank: string; count: number; seed: number; device: WantedDevice }; result: Int32Array };
  /** Clusters of any number by density (HDBSCAN) from the nearest rows of each row, itself left out; -1 is noise. */
  densityClusters: { request: { neighbours: NeighbourTable; minimum: number; samples: number }; result: Int32Array };
  /** A start for a map of a bank: its two principal components, [rows, 2]. */
  principalPlane: { request: { bank: string; seed: number }; result: Float32Array };
  /** Prepares the layout of a map from the nearest rows of each row, itself left out. */
  startLayout: { request: { layout: string; neighbours: NeighbourTable; epochs: number; seed: number }; result: null };
  /**
   * Epochs `from` to `to` (both counted from 1) of a layout, from coordinates [rows, 2]. Throws `bank-missing` when
   * the engine was started anew since.
   */
  runLayout: {
    request: { layout: string; coordinates: Float32Array; from: number; to: number };
    result: Float32Array;
  };
  dropLayout: { request: { layout: string }; result: null };
  /**
   * Masks of pictures, one for each recipe; all recipes have the size `size`. `head` is for recipes that need a trained
   * one. Throws `masks-unsupported` for a model that came as ONNX.
   */
  maskPictures: {
    request: {
      model: ModelFile;
      device: WantedDevice;
      paths: readonly string[];
      size: number;
      recipes: readonly MaskRecipe[];
      head: ForegroundHead | null;
    };
    result: readonly PictureOutcome<{ width: number; height: number; masks: readonly MadeMask[] }>[];
  };
  /** Attention from CLS to the patches of whole pictures, in float32: [heads, rows * columns]. */
  maskAttention: {
    request: { model: ModelFile; device: WantedDevice; paths: readonly string[]; size: number };
    result: readonly PictureOutcome<{ rows: number; columns: number; heads: number; attention: Float32Array }>[];
  };
  /** Tokens of `patches` patches of each picture, with a rough foreground (1) to train a head on: [patches, width]. */
  foregroundSamples: {
    request: {
      model: ModelFile;
      device: WantedDevice;
      paths: readonly string[];
      size: number;
      patches: number;
      seed: number;
    };
    result: readonly PictureOutcome<{ tokens: Float32Array; targets: Uint8Array }>[];
  };
  /** Writes an upright copy of a picture whose file asks to be turned, and says so; nothing for one that is upright. */
  uprightCopy: { request: { from: string; to: string }; result: PictureOutcome<{ turned: boolean }> };
  /** Masks that came as pictures: foreground is what is lighter than middle grey. Run lengths as in `MadeMask`. */
  readMasks: {
    request: { paths: readonly string[] };
    result: readonly PictureOutcome<{ width: number; height: number; runs: string }>[];
  };
}

export type EngineMethod = keyof EngineMethods;

/** One message from core to engine. */
export interface EngineRequest<Method extends EngineMethod = EngineMethod> {
  readonly id: number;
  readonly method: Method;
  readonly request: EngineMethods[Method]["request"];
}

/** One message back. */
export type EngineResponse =
  | { readonly kind: "ready" }
  | { readonly kind: "result"; readonly id: number; readonly result: unknown }
  | {
      readonly kind: "error";
      readonly id: number;
      readonly error: { readonly code: string; readonly message: string; readonly hint?: string };
    };
