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
  /** One line for the history: "Labelled 12 images as Oat Drink". */
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
  /** Format it was read from: `dino-pth`, `dino-checkpoint`, `huggingface`, `timm`, `dinoscope`, `onnx`, `random`; `pretraining`. */
  readonly format: string;
  /** SHA-256 of the file it was read from, in hex. */
  readonly sourceHash: string | null;
  /** Anything worth keeping: epoch of a checkpoint, seed of random weights, licence. */
  readonly notes: Readonly<Record<string, string | number | boolean>>;
}

/** Embeddings that mix what the model says of the whole picture with its patches inside the foreground mask. */
export interface ForegroundView {
  /** Share of the foreground in an embedding, above 0 and at most 1; the rest is the CLS token. */
  readonly blend: number;
}

/** Weights plus architecture, at one input size and in one view. Embeddings and attention belong to a model. */
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
  /** How its embeddings look at the foreground (see `ForegroundView`); null for embeddings of whole pictures. */
  readonly foreground: ForegroundView | null;
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

/** How a model's images were grouped by look. A model has one clustering; a new one takes its place. */
export interface Clustering {
  readonly modelId: number;
  readonly method: "k-means" | "hdbscan";
  readonly settings: Readonly<Record<string, number>>;
  readonly createdAt: number;
}

/** Images that look alike to a model. */
export interface Cluster {
  readonly id: number;
  readonly modelId: number;
  readonly size: number;
  /** The member that is most similar to all others together; null where none is left. */
  readonly medoidImageId: number | null;
}

/** An image in a cluster; an image that no cluster has is noise. */
export interface Membership {
  readonly imageId: number;
  readonly clusterId: number;
  /** Cosine with the cluster's centre. */
  readonly similarity: number;
  /** How much larger that is than the cosine with the nearest other centre; below 0 where that one is nearer. */
  readonly margin: number;
}

/** How a model's map was made. */
export interface LibraryMap {
  readonly modelId: number;
  readonly settings: Readonly<Record<string, number>>;
  readonly createdAt: number;
}

/** An image's place on a map, in the map's own units. */
export interface MapPoint {
  readonly imageId: number;
  readonly x: number;
  readonly y: number;
  /** True for an image that came later and was placed among its neighbours. */
  readonly placed: boolean;
}

export type JobKind =
  | "ingest"
  | "embed"
  | "suggest"
  | "download"
  | "check"
  | "masks"
  | "cluster"
  | "map"
  | "export"
  | "import"
  | "pretrain";

/** `paused` keeps its place and goes on first; `stopped` gave its place up, and goes on as well. */
export type JobState = "queued" | "running" | "paused" | "stopped" | "failed" | "done";

/** Why a job failed, and what to do about it. */
export interface JobProblem extends Problem {
  readonly hint?: string;
}

/** Long work: it reports progress, can be paused or stopped, and resumes. */
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
  readonly problem: JobProblem | null;
  readonly createdAt: number;
  readonly finishedAt: number | null;
}

/** What a check looks for: labels that the neighbours doubt, look-alikes with two labels, copies, odd ones. */
export type CheckKind = "wrong-labels" | "twins" | "duplicates" | "outliers";

/** An image of a finding, with its label at the time of the check (null: none). */
export interface FoundImage {
  readonly imageId: number;
  readonly labelId: number | null;
  /** Cosine with the finding's first image, null where one of the two has no embedding. */
  readonly similarity: number | null;
  /** Bits in which its perceptual hash differs from that of the first image; null where nobody asked. */
  readonly hashBits: number | null;
}

/** One thing that a check found. */
export interface Finding {
  readonly kind: CheckKind;
  /** The model that found it; null for duplicates that were found by their hashes alone. */
  readonly modelId: number | null;
  /** What it is about: one image, two twins, or all copies with the best first. */
  readonly images: readonly FoundImage[];
  /** Images beside it that show why: those that disagree with a label, those nearest to an outlier. */
  readonly neighbours: readonly FoundImage[];
  /** The label that the neighbours of a wrong label voted for. */
  readonly suggestion: {
    readonly labelId: number;
    /** Its share of the vote, and that of the label that the image has. */
    readonly share: number;
    readonly ownShare: number;
    /** Probability of being right, as suggestions have it. */
    readonly confidence: number;
  } | null;
  /** In falling order within a kind, conflicting duplicates first: log-odds, cosine, closeness, or deviations. */
  readonly score: number;
  /** Worth a look without being asked for. */
  readonly likely: boolean;
}

/** How a foreground is told from its background. */
export type MaskMethod = "attention" | "tokencut" | "foreground";

/** Everything that decides what mask a model makes of a picture. */
export interface MaskRecipe {
  readonly method: MaskMethod;
  /** Attention heads whose mean is taken, null for all of them and for methods without heads. */
  readonly heads: readonly number[] | null;
  /** Share of attention that is kept; null for methods that keep none. */
  readonly mass: number | null;
  /** Whether edges follow the picture at full size; otherwise the mask is made of whole patches. */
  readonly refined: boolean;
  readonly components: "largest" | "all";
  /** Side of the square with as many pixels as the model looked at; the picture keeps its proportions. */
  readonly size: number;
  /** SHA-256 of the trained head, in hex, for `foreground`. */
  readonly headHash: string | null;
}

/** The foreground of an image, at the size of the upright picture. An image has one mask at most. */
export interface Mask {
  readonly imageId: number;
  readonly width: number;
  readonly height: number;
  /** Run lengths as COCO's compressed text, down the columns. */
  readonly runs: string;
  /** Model and recipe that it was made with; null where a person or a file brought it. */
  readonly modelHash: string | null;
  readonly recipe: MaskRecipe | null;
  /** Corrected by hand or brought by a file: no job changes it. */
  readonly edited: boolean;
  readonly createdAt: number;
}

/** What a pretraining started from. */
export type RunStart =
  | { readonly kind: "random" }
  /** The backbone of a model of the library, with a fresh head. */
  | { readonly kind: "model"; readonly name: string; readonly hash: string }
  /** Student, teacher, head and centre of a full checkpoint. */
  | { readonly kind: "checkpoint"; readonly file: string };

/** Stopped runs and those that failed go on from their last checkpoint. */
export type RunState = "running" | "stopped" | "failed" | "done";

/** How good the teacher was before the first iteration and after the last, on the same images. */
export interface RunSummary {
  readonly before: RunScores;
  readonly after: RunScores;
  /** Pictures that could not be read and were left out. */
  readonly leftOut: number;
  readonly milliseconds: number;
}

export interface RunScores {
  /** Share of images whose nearest neighbour among all images' other augmented view is their own. */
  readonly selfRetrieval: number;
  readonly selfRetrievalCount: number;
  /** Leave-one-out accuracy of the neighbours' vote on the user's labels; null without enough of them. */
  readonly accuracy: number | null;
  readonly accuracyCount: number;
}

/** One pretraining on the library's pictures. */
export interface Run {
  readonly id: number;
  /** The name that its model gets. */
  readonly name: string;
  readonly state: RunState;
  readonly device: string;
  /** Everything that decides its steps, as JSON data (core/nn/dino/settings.ts). */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly start: RunStart;
  readonly imageCount: number;
  /** SHA-256 over the content hashes of its images in order, in hex: resuming with others cannot take the same steps. */
  readonly fingerprint: string;
  /** Iterations that its checkpoint holds; metrics may be further. */
  readonly iteration: number;
  readonly iterations: number;
  /** File of the last checkpoint, relative to the library folder; null before the first. */
  readonly checkpoint: string | null;
  /** The model that it became; null before its end, and after the model was discarded. */
  readonly modelId: number | null;
  readonly summary: RunSummary | null;
  readonly problem: Problem | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What one iteration of a run measured. */
export interface RunMetrics {
  /** Counted from 0. */
  readonly iteration: number;
  readonly loss: number;
  /** Mean entropy of the teacher's targets in nats; the logarithm of the number of prototypes at most. */
  readonly teacherEntropy: number;
  /** Loss minus that entropy: how far the student is from the teacher (Kullback-Leibler). */
  readonly divergence: number;
  /** Norm of the whole gradient before clipping, and the largest norm of one tensor's. */
  readonly gradientNorm: number;
  readonly largestGradientNorm: number;
  readonly centreNorm: number;
  /** Mean standard deviation, over the batch, of each feature of the teacher's L2-normalised CLS tokens. */
  readonly clsDeviation: number;
  /** Prototypes that are the teacher's first for some view of the batch. */
  readonly prototypesUsed: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly teacherMomentum: number;
  readonly teacherTemperature: number;
  readonly milliseconds: number;
}

/** Where the teacher looked in one of a few fixed images. */
export interface RunAttention {
  readonly imageId: number;
  readonly heads: number;
  readonly rows: number;
  readonly columns: number;
  /** [heads]: what a byte of 1 stands for in that head. */
  readonly scales: Float32Array;
  /** [heads, rows, columns]. */
  readonly data: Uint8Array;
}

/** What the teacher could do when a run had done `iteration` iterations. */
export interface RunProbe extends RunScores {
  readonly iteration: number;
  /** The iteration of the first probe on the same pictures: self-retrieval from before cannot be compared with it. */
  readonly picturesSince: number;
  /** Likewise for accuracy, by the labelled pictures and their labels. */
  readonly labelsSince: number;
  readonly createdAt: number;
}
