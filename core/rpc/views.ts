/** Results that only the page asks for: the library as it is looked at. Times are milliseconds since 1970. */
import type { DeviceChoice, ImageCounts, Progress, RunDetails, ShownCluster, ShownSuggestion } from "./api.ts";
import type { JobResults, StartableKind } from "./job-parameters.ts";
import type {
  Annotation,
  Clustering,
  Image,
  Job,
  Label,
  Mask,
  MaskRecipe,
  Membership,
  Model,
  Operation,
  Source,
} from "./records.ts";

/** A label in the tree. */
export interface LabelNode {
  readonly label: Label;
  /** Images with exactly this label. */
  readonly imageCount: number;
  /** Images with this label or one below it. */
  readonly totalImageCount: number;
  readonly children: readonly LabelNode[];
}

/** All labels, and the keys that assign them. */
export interface LabelList {
  readonly tree: readonly LabelNode[];
  readonly keys: readonly { readonly labelId: number; readonly key: string }[];
}

/** What undo and redo would do. */
export interface HistoryState {
  readonly undo: Operation | null;
  readonly redo: Operation | null;
}

export interface History extends HistoryState {
  readonly operations: readonly Operation[];
}

/** A model with what was computed with it. */
export interface ModelRow {
  readonly model: Model;
  readonly embedded: number;
  /** Of those, images with a label. */
  readonly labelled: number;
  readonly suggestions: number;
  /** Of those, the ones that are sure enough to be offered. */
  readonly offered: number;
  readonly clusters: number;
  /** Images with a place on its map. */
  readonly mapped: number;
  /** Whether it can make masks and show attention: models that came as ONNX cannot. */
  readonly seesPatches: boolean;
  /** Attention heads; null for a model that came as ONNX. */
  readonly heads: number | null;
}

/** Everything that the frame around the views shows. */
export interface Overview {
  /** Version of Dinoscope. */
  readonly version: string;
  readonly folder: string;
  /** The last part of the folder's path: what to call the library. */
  readonly name: string;
  /** Whether this connection may only look. */
  readonly guest: boolean;
  readonly sources: readonly { readonly source: Source; readonly images: ImageCounts }[];
  readonly images: ImageCounts;
  readonly labels: number;
  /** Images with a label. */
  readonly annotated: number;
  /** Images with a mask, and of those the ones that were corrected. */
  readonly masks: { readonly total: number; readonly edited: number };
  readonly models: readonly ModelRow[];
  /** The model that is meant where none is named; null without any. */
  readonly currentModelId: number | null;
  /** Null until the engine was started once. */
  readonly device: DeviceChoice | null;
  readonly history: HistoryState;
  /** Jobs that wait or run. */
  readonly jobs: readonly JobView[];
  /** Goes up with every change; `changed` events carry it. It begins anew when the core is started again. */
  readonly revision: number;
  /** When the library was last written. Every answer to a change comes after it was written to the disk. */
  readonly savedAt: number | null;
}

/** Settings by key. The core knows the keys that are named here; any other is the page's own. */
export interface Settings {
  /** Where models run unless a method says otherwise. */
  readonly device?: string;
  readonly currentModelId?: number | null;
  /** Key to assign each label, by label id. */
  readonly labelKeys?: Readonly<Record<string, string>>;
  readonly [key: string]: unknown;
}

/** A folder to start browsing from. */
export interface FolderRoot {
  readonly name: string;
  readonly path: string;
}

/** What is in a folder, by name. Hidden folders are left out. */
export interface Folder {
  readonly path: string;
  /** The folder above, null at a root. */
  readonly parent: string | null;
  readonly folders: readonly { readonly name: string; readonly path: string }[];
  /** Files with the endings of pictures, checkpoints and label files; at most 1000 of them. */
  readonly files: readonly { readonly name: string; readonly path: string; readonly byteSize: number }[];
  /** Files in it that look like pictures, not counting folders below. */
  readonly pictures: number;
}

/** Everything known about one image. */
export interface ImageDetail {
  readonly image: Image;
  /** Absolute path of the file. */
  readonly file: string;
  readonly annotation: (Annotation & { readonly label: string; readonly operation: Operation | null }) | null;
  /** Models that have embedded it. */
  readonly embeddings: readonly { readonly modelId: number; readonly model: string }[];
  /** Its mask without the run lengths; those come by `masks.get`, the picture by `maskPath`. */
  readonly mask: (Omit<Mask, "runs"> & { readonly model: string | null }) | null;
  /** The suggestion of the model asked for, which is null for an image with a label. */
  readonly suggestion: ShownSuggestion | null;
  readonly membership: Membership | null;
}

/** What came of labelling images. */
export interface LabelledImages {
  /** Null where nothing changed. */
  readonly operation: Operation | null;
  /** Images that were meant. */
  readonly images: number;
}

/** Suggestions of one label. */
export interface SuggestionCount {
  readonly labelId: number;
  readonly offered: number;
  /** Held back: below the threshold of the job. */
  readonly abstained: number;
}

/** What accepting all suggestions from a confidence on would mean. */
export interface PrecisionStep {
  readonly confidence: number;
  /** Suggestions at least so sure. */
  readonly count: number;
  /** The share of them that is right, as measured on the user's own labels, with its 95 % interval. */
  readonly expected: number;
  readonly low: number;
  readonly high: number;
}

/** The clusters of a model. */
export interface ClusterWall {
  /** Null where the model's images are not clustered. */
  readonly clustering: Clustering | null;
  readonly clusters: readonly (ShownCluster & { readonly typical: readonly number[] })[];
  /** Images that belong to no cluster. */
  readonly noise: number;
}

/** A mask with its run lengths: background and foreground in turn, background first, down the columns. */
export interface ShownMask extends Omit<Mask, "runs"> {
  readonly runs: readonly number[];
}

/** A mask that was made and not kept. */
export interface MaskPreview {
  readonly width: number;
  readonly height: number;
  readonly runs: readonly number[];
  readonly recipe: MaskRecipe;
  /** How sure each patch is foreground, row by row: 255 for 1, foreground from 128 on. */
  readonly score: { readonly rows: number; readonly columns: number; readonly data: readonly number[] };
}

/** A checkpoint that can be downloaded. */
export interface PublishedModel {
  readonly name: string;
  readonly summary: string;
  readonly url: string;
  /** Bytes of the file, about. */
  readonly byteSize: number;
  /** Whether the library has a model of this name. */
  readonly present: boolean;
}

/** What became of clusters that were split or merged. */
export interface Regrouping {
  readonly operation: Operation | null;
  /** The new clusters, in the order in which they were asked for. */
  readonly clusterIds: readonly number[];
}

/** A job with what is known while this core runs. */
export interface JobView {
  readonly job: Job;
  /** Null before it starts, while it is paused, and after it ended. */
  readonly progress: Progress | null;
  /** What a job that runs was asked to do and has not done yet: it notices between two batches. */
  readonly halting: "pause" | "stop" | null;
  /** What it has to say, once it is done; null for jobs of an earlier start. */
  readonly result: JobResults[StartableKind] | null;
}

/** One line of the table of export formats. */
export interface ExportFormatRow {
  readonly name: string;
  readonly summary: string;
  /** Images without these are left out. */
  readonly needs: { readonly label: boolean; readonly mask: boolean; readonly embedding: boolean };
  /** Masks are written where there are any. */
  readonly usesMask: boolean;
}

/** What an export would hold. */
export interface ExportPreview {
  readonly images: number;
  /** Labels in use, in the order in which they will be numbered, with their images. */
  readonly labels: readonly { readonly name: string; readonly images: number }[];
  readonly withoutLabel: number;
  readonly withoutMask: number;
  readonly withoutEmbedding: number;
  /** Images of each part; empty without a split. */
  readonly parts: readonly { readonly part: string; readonly images: number }[];
  /** Images in the largest group of near-duplicates, which a split keeps together. */
  readonly largestGroup: number;
  /** The first images, with the names that their files get. */
  readonly first: readonly {
    readonly imageId: number;
    readonly name: string;
    readonly label: string | null;
    readonly part: string | null;
  }[];
}

/** A file of an export that was not written. */
export interface SampleFile {
  /** Within the export, with forward slashes. */
  readonly path: string;
  /** The first lines of a text; null for pictures and other bytes. */
  readonly lines: readonly string[] | null;
}

/** The files that the first images of an export become. */
export interface ExportSample {
  readonly images: number;
  readonly files: readonly SampleFile[];
}

/** A stretch of a run: the mean of its iterations. */
export interface RunPoint {
  /** The last of them, counted from 0. */
  readonly iteration: number;
  readonly loss: number;
  readonly teacherEntropy: number;
  readonly divergence: number;
  readonly learningRate: number;
}

/** A run with its curves. */
export interface RunView extends RunDetails {
  readonly curve: readonly RunPoint[];
}

/** Where the teacher looked in a fixed picture, of whose middle it sees a square: 7/8 of the shorter side. */
export interface WatchedPicture {
  readonly imageId: number;
  readonly rows: number;
  readonly columns: number;
  /** [rows, columns]: the mean of the heads, from 0 to 255 for the patch that it looks at most. */
  readonly values: readonly number[];
}

/** A preset as it comes out for the library. */
export interface PresetOffer {
  readonly name: "nano" | "tiny" | "small" | "full";
  readonly width: number;
  readonly depth: number;
  readonly patch: number;
  readonly globalSize: number;
  readonly localSize: number;
  readonly localCount: number;
  readonly batch: number;
  readonly epochs: number;
  readonly iterations: number;
  /** Multiplications of the whole run: times of presets go about as these. */
  readonly work: number;
}

export interface PresetTable {
  readonly imageCount: number;
  readonly device: string;
  readonly recommended: PresetOffer["name"];
  /** What to know before training from random weights on so few pictures; null where there are enough. */
  readonly caution: string | null;
  readonly presets: readonly PresetOffer[];
}

/** A format that can be imported. */
export interface ImportFormatRow {
  readonly name: string;
  /** Whether a file or a folder is chosen for it. */
  readonly takes: "file" | "folder" | "either";
}
