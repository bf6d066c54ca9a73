/**
 * What the core asks of the engine, the child process that holds onnxruntime and sharp. Requests and answers are plain
 * data that structured clone can copy; pictures stay on disk and travel by path.
 */
import type { PictureOutcome, PreparedPicture } from "../image/types.ts";
import type { Architecture, ArchitectureName } from "../nn/architecture.ts";
import type { HeadSettings, TrainingSettings } from "../nn/dino/settings.ts";
import type { ForegroundHead } from "../masks/foreground-head.ts";
import type { DeviceChoice, DeviceReport } from "../rpc/api.ts";
import type { Mask, MaskRecipe, ModelProvenance, RunMetrics } from "../rpc/records.ts";
import type { DeviceName } from "../runtime/runtime.ts";
import type { NeighbourTable } from "../suggest/nearest.ts";

export type { ArchitectureName, DeviceChoice, DeviceReport, PictureOutcome, PreparedPicture };
export type { DeviceRefusal } from "../rpc/api.ts";

/** A device by name, or the best that works. */
export type WantedDevice = Exclude<DeviceName, "tfjs"> | "auto";

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

/** An embedding that looks at the foreground. */
export interface ForegroundPicture {
  /** L2-normalised. */
  readonly vector: Float32Array;
  /** False where there was no foreground to pool, and the whole picture was taken for it. */
  readonly usable: boolean;
}

/** A mask as it leaves the engine. */
export interface MadeMask {
  /** Run lengths as COCO's compressed text, at the size of the upright picture. */
  readonly runs: string;
  /** How sure each patch is foreground, a byte a patch, row by row: 255 for 1, foreground from one half on. */
  readonly score: { readonly rows: number; readonly columns: number; readonly data: Uint8Array };
}

export type ExportFormat = "timm" | "huggingface" | "onnx";

/** What a training begins with. */
export type TrainingStart =
  | { readonly kind: "random" }
  /** The backbone of a model's file, under a fresh head. */
  | { readonly kind: "model"; readonly file: string }
  /** Student, teacher, head and centre of a full checkpoint, without what its optimiser knew. */
  | { readonly kind: "checkpoint"; readonly file: string }
  /** A checkpoint of a run, to go on as if nothing had happened. */
  | { readonly kind: "run"; readonly file: string };

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
  /**
   * The same with the patches inside the foreground pooled and blended with CLS (see `blendVectors`). The foreground is
   * the mask of the picture at the same place in `masks`, or what `head` says of its patches; with neither, everything.
   * Throws `foreground-unsupported` for a model that came as ONNX.
   */
  embedForegrounds: {
    request: EngineMethods["embedPictures"]["request"] & {
      blend: number;
      masks: readonly (Pick<Mask, "width" | "height" | "runs"> | null)[];
      head: ForegroundHead | null;
    };
    result: readonly PictureOutcome<ForegroundPicture>[];
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
  /**
   * A mask of one picture that somebody looks at. What the model sees of the last pictures is kept, so that the next
   * recipe takes no run of the model. `live` gives the mask at a smaller size with the picture's proportions, soon enough
   * to follow a slider; `full` at the picture's own. Throws `masks-unsupported`, and what is wrong with the picture.
   */
  previewMask: {
    request: {
      model: ModelFile;
      device: WantedDevice;
      path: string;
      size: number;
      recipe: MaskRecipe;
      head: ForegroundHead | null;
      detail: "live" | "full";
    };
    result: MadeMask & { width: number; height: number };
  };
  /** Attention [depth, patches] or features of length 1 [patches, depth] of one picture; throws as `previewMask` does. */
  patchFeatures: {
    request: { model: ModelFile; device: WantedDevice; path: string; size: number; what: "attention" | "features" };
    result: { rows: number; columns: number; depth: number; values: Float32Array };
  };
  /** An upright JPEG of a picture, its longer side `size` at most, for formats that browsers do not show. */
  viewPicture: { request: { path: string; size: number }; result: Uint8Array };
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
  /**
   * Loads a training under a name, in the place of one that had it. `settings` are checked; `paths` are the pictures in
   * the order that the run's generators count them in. Settings without a micro-batch come back with one that was measured.
   * A training ends with the engine.
   */
  startTraining: {
    request: {
      training: string;
      settings: object;
      from: TrainingStart;
      device: WantedDevice;
      paths: readonly string[];
      /** Memory for small copies of the pictures. */
      cacheBytes: number;
    };
    result: { settings: TrainingSettings; device: string; iteration: number };
  };
  /**
   * Takes at most `count` iterations, and no new one after `milliseconds`. A step that is not finite is the last of the
   * metrics and leaves no trace. `problems` are the pictures that could not be read so far. Throws `training-missing`
   * when the engine was started anew since.
   */
  trainSteps: {
    request: { training: string; count: number; milliseconds: number };
    result: {
      iteration: number;
      /** Smaller than before where the device had no memory left. */
      microBatch: number;
      metrics: readonly RunMetrics[];
      problems: readonly {
        readonly index: number;
        readonly problem: { readonly code: string; readonly message: string };
      }[];
    };
  };
  /** Writes a checkpoint; the one that was there stays until the new one is whole. */
  saveTraining: { request: { training: string; path: string }; result: { iteration: number; hash: string } };
  /** What the teacher can do, on pictures by their index; see core/engine/training/probes.ts. */
  probeTraining: {
    request: {
      training: string;
      retrieval: readonly number[];
      labelled: { readonly indices: readonly number[]; readonly labels: readonly number[] };
      attention: readonly number[];
    };
    result: {
      selfRetrieval: number;
      selfRetrievalCount: number;
      accuracy: number | null;
      accuracyCount: number;
      attention: readonly (QuantizedAttention & { readonly index: number })[];
    };
  };
  /** Ends `trainSteps` before the iteration that it is at, where its micro-batches are several: for stops in long ones. */
  haltTraining: { request: { training: string }; result: null };
  endTraining: { request: { training: string }; result: null };
  /** Architecture and head of a full checkpoint, and what it was trained with where it says so. */
  describeStart: {
    request: { file: string };
    result: { architecture: Architecture; head: HeadSettings; settings: TrainingSettings | null };
  };
  /**
   * Makes a model of the teacher's backbone in a run's checkpoint, for pictures of the size of the run's global crops;
   * `destination` is without its ending.
   */
  makeTrainedModel: {
    request: {
      checkpoint: string;
      destination: string;
      notes: Readonly<Record<string, string | number | boolean>>;
    };
    result: ImportedModel & { file: string };
  };
  /** Writes a run's checkpoint as a full checkpoint in the official layout. */
  exportCheckpoint: {
    request: {
      checkpoint: string;
      destination: string;
      notes: Readonly<Record<string, string | number | boolean>>;
    };
    result: null;
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
