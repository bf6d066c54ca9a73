/**
 * The records of the library as every process sees them: the same words in SQL, code and on screen. Times are
 * milliseconds since 1970; paths of images are relative to their source, with forward slashes.
 */

/** A folder of pictures. Dinoscope reads it and never writes to it. */
export interface Source {
  readonly id: number;
  /** Absolute path. */
  readonly folder: string;
  readonly createdAt: number;
}

/** Why a file could not be taken in. */
export interface Problem {
  readonly code: string;
  readonly message: string;
}

/** One picture file of a source. `width` and `height` are of the upright picture, after EXIF orientation. */
export interface Image {
  readonly id: number;
  readonly sourceId: number;
  readonly path: string;
  readonly byteSize: number;
  readonly modifiedAt: number;
  /** SHA-256 of the file, in hex; null while the file could not be read. */
  readonly contentHash: string | null;
  /** Format found in the bytes, whatever the name says: `jpeg`, `png`, `webp`, `avif`, `gif`, `tiff`. */
  readonly format: string | null;
  readonly width: number | null;
  readonly height: number | null;
  /** 64-bit difference hash of the upright picture, 16 hex digits. */
  readonly perceptualHash: string | null;
  /** Set for a file that was skipped; such an image has no embedding and no thumbnail. */
  readonly problem: Problem | null;
  /** When the file was first found to be gone; null while it is there. */
  readonly missingSince: number | null;
}

/** A name for pictures. Labels form a tree of two or more levels: coarse above fine. */
export interface Label {
  readonly id: number;
  readonly name: string;
  readonly parentId: number | null;
}

/** Who said so. */
export type Provenance = "person" | "neighbours" | "cluster" | "import";

/** The label on an image; an image has one at most. `operationId` names the batch it came with. */
export interface Annotation {
  readonly imageId: number;
  readonly labelId: number;
  readonly provenance: Provenance;
  /** Probability given by the suggestion that was accepted, null where a person or a file said it. */
  readonly confidence: number | null;
  readonly operationId: number;
  readonly createdAt: number;
}

/** One step that the user can undo and redo as a whole: a batch of changes. */
export interface Operation {
  readonly id: number;
  /** Kebab-case word for the kind of step: `assign-labels`, `import-labels`, ... */
  readonly kind: string;
  /** One line for the history: "Labelled 12 images Oat Drink". */
  readonly summary: string;
  readonly state: "done" | "undone";
  /** Rows changed. */
  readonly changeCount: number;
  readonly createdAt: number;
}

/** Where a model's weights came from. */
export interface ModelProvenance {
  /** File or URL, or `random` for weights that were never trained. */
  readonly source: string;
  /** Format it was read from: `dino-pth`, `dino-checkpoint`, `huggingface`, `timm`, `dinoscope`, `onnx`, `random`. */
  readonly format: string;
  /** SHA-256 of the file it was read from, in hex. */
  readonly sourceHash: string | null;
  /** Anything worth keeping: epoch of a checkpoint, seed of random weights, licence. */
  readonly notes: Readonly<Record<string, string | number | boolean>>;
}

/** Weights plus architecture, at one input size. Embeddings and attention belong to a model. */
export interface Model {
  readonly id: number;
  readonly name: string;
  readonly kind: "vit" | "onnx";
  /** Relative to the library folder, with forward slashes. */
  readonly file: string;
  /** SHA-256 of that file, in hex. */
  readonly hash: string;
  /** The architecture as JSON data (core/nn/architecture.ts); null for a foreign ONNX file. */
  readonly architecture: Readonly<Record<string, number | boolean>> | null;
  /** Side of the square centre crop that it sees, in pixels. */
  readonly imageSize: number;
  /** Features of an embedding. */
  readonly width: number;
  /** False for random weights: everything it says is a baseline. */
  readonly trained: boolean;
  readonly provenance: ModelProvenance;
  readonly createdAt: number;
}

/** An image that voted for a suggestion, most similar first. */
export interface Voter {
  readonly imageId: number;
  readonly labelId: number;
  /** Cosine of the two embeddings. */
  readonly similarity: number;
}

/** The label that an unlabelled image's neighbours voted for. */
export interface Suggestion {
  readonly imageId: number;
  readonly modelId: number;
  readonly labelId: number;
  /** Share of the vote that went to this label, 0 to 1. */
  readonly share: number;
  /** Probability of being right, measured by leave-one-out on the user's own labels, with its 95 % interval. */
  readonly confidence: number;
  readonly confidenceLow: number;
  readonly confidenceHigh: number;
  /** True where the confidence is below the threshold: shown, but not offered for acceptance. */
  readonly abstained: boolean;
  readonly voters: readonly Voter[];
}

export type JobKind = "ingest" | "embed" | "suggest" | "download";

export type JobState = "queued" | "running" | "stopped" | "failed" | "done";

/** Long work: it reports progress, can be stopped, and resumes. */
export interface Job {
  readonly id: number;
  readonly kind: JobKind;
  readonly state: JobState;
  /** Word for what is going on now: `scanning`, `decoding`, ... */
  readonly phase: string;
  readonly done: number;
  /** 0 while not known. */
  readonly total: number;
  /** What the job was asked to do, as JSON data. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly problem: Problem | null;
  readonly createdAt: number;
  readonly finishedAt: number | null;
}
