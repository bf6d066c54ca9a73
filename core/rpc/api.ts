/**
 * THE CONTRACT: what the core does for the page, for Electron and for the terminal. Long calls take a signal and report
 * progress; results are plain data.
 */
import type {
  CheckKind,
  Cluster,
  Finding,
  FoundImage,
  Image,
  Label,
  MapPoint,
  MaskRecipe,
  Membership,
  Model,
  Operation,
  Run,
  RunMetrics,
  RunProbe,
  RunScores,
  Source,
  Suggestion,
  Voter,
} from "./records.ts";

/** How far a job has come. */
export interface Progress {
  /** Words for what is going on now: `scanning`, `embedding on cpu`, ... */
  readonly phase: string;
  readonly done: number;
  /** 0 while not known. */
  readonly total: number;
  /** Things a second, over the last seconds; null at the start. */
  readonly perSecond: number | null;
  /** Milliseconds to go at that speed; null while not known. */
  readonly remainingMs: number | null;
  /** More about how it goes, in a few words, where there is more: `loss 5.43, 41 pictures/s`. */
  readonly detail?: string;
}

/** What one look at a folder changed in the library. */
export interface IngestSummary {
  readonly source: Source;
  readonly added: number;
  readonly changed: number;
  /** Files found again under another path. */
  readonly moved: number;
  readonly unchanged: number;
  /** Picture files that could not be read; each is kept with its reason. */
  readonly failed: number;
  /** Files that are no pictures. */
  readonly ignored: number;
  /** Images of the source whose file is not there now. */
  readonly missing: number;
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  readonly durationMs: number;
}

export interface EmbedSummary {
  readonly model: Model;
  readonly device: string;
  readonly embedded: number;
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
  /** Images that had an embedding before. */
  readonly skipped: number;
  /** Where the foreground of those that were embedded came from; null for embeddings of whole pictures. */
  readonly foreground: ForegroundCounts | null;
  readonly durationMs: number;
}

/** Images by where their foreground came from. */
export interface ForegroundCounts {
  /** A stored mask. */
  readonly inMask: number;
  /** What the foreground head took for it. */
  readonly inScores: number;
  /** None that could be used, or nothing but foreground: the whole picture was taken. */
  readonly without: number;
}

export interface LabelsSummary {
  readonly operation: Operation | null;
  /** Images that got a label. */
  readonly labelled: number;
  /** Rows that said what was so already, or said nothing. */
  readonly unchanged: number;
  /** Rows that named no image, or several, or made no sense. */
  readonly unmatched: readonly { readonly line: number; readonly path: string; readonly reason: string }[];
  readonly unmatchedCount: number;
}

/** What an export holds, and what was left out of it. */
export interface ExportSummary {
  readonly format: string;
  readonly folder: string;
  readonly images: number;
  readonly labels: number;
  /** Things with a mask. */
  readonly objects: number;
  /** Images of each part; empty without a split. */
  readonly parts: readonly { readonly part: string; readonly images: number }[];
  readonly files: number;
  readonly bytes: number;
  /** Images of the scope that the format cannot hold without. */
  readonly withoutLabel: number;
  readonly withoutMask: number;
  readonly withoutEmbedding: number;
  /** Pictures whose file is gone or cannot be read. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  /** Images in the largest group of near-duplicates, which a split keeps together; 0 without a split. */
  readonly largestGroup: number;
  readonly durationMs: number;
}

/** What a data set of others brought. */
export interface ImportSummary extends LabelsSummary {
  /** Images that got a mask; those that had just that mask are not counted. */
  readonly masked: number;
  readonly maskOperation: Operation | null;
}

export interface SuggestSummary {
  readonly model: Model;
  /** Labelled images that voted. */
  readonly voters: number;
  readonly suggested: number;
  readonly abstained: number;
  /** Leave-one-out accuracy of the vote on the user's own labels, and on how many. */
  readonly selfAccuracy: number;
  readonly durationMs: number;
}

/** How well labels are found. Accuracies are shares of `count`, with 95 % intervals. */
export interface Accuracy {
  readonly method: string;
  readonly top1: number;
  readonly top1Low: number;
  readonly top1High: number;
  readonly top5: number;
  /** The same for the labels above (coarse), where labels have any. */
  readonly coarseTop1: number | null;
}

export interface EvaluateSummary {
  readonly model: Model;
  readonly protocol: "leave-one-out" | "split";
  readonly count: number;
  readonly labelCount: number;
  readonly neighbours: number;
  readonly temperature: number;
  /** The model, the other views of the same pictures by it, and baselines. */
  readonly accuracies: readonly Accuracy[];
  /** Views that have not embedded all of these images, and how many they have. */
  readonly leftOut: readonly { readonly model: string; readonly embedded: number }[];
}

/** An image found by similarity. */
export interface SearchHit {
  readonly image: Image;
  readonly similarity: number;
  readonly label: Label | null;
}

/** A suggestion with what a person wants to see of it. */
export interface ShownSuggestion extends Suggestion {
  readonly image: Image;
  readonly label: string;
  readonly voters: readonly (Voter & { readonly path: string; readonly label: string })[];
}

/** How many images there are, by state. */
export interface ImageCounts {
  readonly total: number;
  readonly ready: number;
  readonly problem: number;
  readonly missing: number;
}

/** What a library holds. */
export interface LibraryStatus {
  readonly folder: string;
  readonly sources: readonly { readonly source: Source; readonly images: ImageCounts }[];
  readonly images: ImageCounts;
  readonly models: readonly {
    readonly model: Model;
    readonly embedded: number;
    readonly labelled: number;
    /** Embeddings of the foreground that were made from another mask than the image has now. */
    readonly stale: number;
  }[];
  readonly labels: number;
}

/** What a check found, kind by kind. */
export interface CheckSummary {
  readonly model: Model | null;
  readonly checks: readonly {
    readonly kind: CheckKind;
    /** Images looked at. */
    readonly examined: number;
    readonly found: number;
    /** Of those, worth a look without being asked for. */
    readonly likely: number;
    /** Why this kind could not be looked for; null where it was. */
    readonly leftOut: string | null;
  }[];
  readonly durationMs: number;
}

/** An image of a finding with what a person wants to see of it. */
export interface ShownFoundImage extends FoundImage {
  readonly path: string;
  readonly label: string | null;
}

/** A finding with the paths and names that it speaks of. */
export interface ShownFinding extends Finding {
  readonly images: readonly ShownFoundImage[];
  readonly neighbours: readonly ShownFoundImage[];
  readonly suggestedLabel: string | null;
}

/** A label with few images. */
export interface RareLabelRow {
  readonly label: Label;
  readonly imageCount: number;
  /** Images that it lacks. */
  readonly missing: number;
}

export interface ClusterSummary {
  readonly model: Model;
  readonly method: "k-means" | "hdbscan";
  readonly clusters: number;
  /** Images that were looked at. */
  readonly images: number;
  /** Of those, images that belong to no cluster. */
  readonly noise: number;
  readonly durationMs: number;
}

/** A name that the labels in and around a cluster speak for. */
export interface ProposedName {
  readonly labelId: number;
  readonly label: string;
  /** Share of those who spoke. */
  readonly share: number;
  /** Whether labelled members spoke, or, where none is labelled, the suggestions for its members. */
  readonly source: "members" | "neighbours";
}

/** A cluster with what its labels say so far. */
export interface ShownCluster extends Cluster {
  readonly medoid: Image | null;
  /** Members with a label. */
  readonly labelled: number;
  /** Share of those that have the commonest label among them; null without any. */
  readonly purity: number | null;
  readonly proposal: ProposedName | null;
}

/** A member of a cluster, to look at. */
export interface ShownMember extends Membership {
  readonly image: Image;
  readonly label: string | null;
}

/** A cluster with its best and its most doubtful members. */
export interface ClusterDetails {
  readonly cluster: ShownCluster;
  readonly typical: readonly ShownMember[];
  readonly borderline: readonly ShownMember[];
}

/** A point of the map with what it can be coloured by. */
export interface ShownPoint extends MapPoint {
  readonly label: string | null;
  readonly clusterId: number | null;
}

export interface MapSummary {
  readonly model: Model;
  /** Images that the map was laid out with now; 0 where it was there already. */
  readonly fitted: number;
  /** Images that were placed among their neighbours now. */
  readonly placed: number;
  readonly points: number;
  readonly durationMs: number;
}

export type QueueKind = "uncertain" | "diverse" | "typical" | "mixed";

/** An image to label next, and why. */
export interface QueuedImage {
  readonly image: Image;
  /** The queue that it comes from: of `mixed`, one of the others. */
  readonly queue: Exclude<QueueKind, "mixed">;
  /** The label that is suggested for it, where one is. */
  readonly suggested: string | null;
  readonly confidence: number | null;
  readonly clusterId: number | null;
}

/** What came of making masks. */
export interface MasksSummary {
  readonly model: Model;
  readonly device: string;
  readonly recipe: MaskRecipe;
  readonly made: number;
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
  /** Images that had a mask of this model and recipe, or one by hand. */
  readonly skipped: number;
  readonly durationMs: number;
}

/** What came of taking in masks that were drawn elsewhere. */
export interface MaskImportSummary {
  readonly operation: Operation | null;
  /** Images that got a mask. */
  readonly imported: number;
  /** Masks that were there already. */
  readonly unchanged: number;
  readonly unmatched: readonly { readonly path: string; readonly reason: string }[];
}

/** How well one way of making masks does. */
export interface MaskScoreRow {
  readonly method: string;
  /** Null for baselines, which have no edges to refine. */
  readonly refined: boolean | null;
  /** Mean intersection over union with the true masks, and its standard error. */
  readonly overlap: number;
  readonly standardError: number;
}

export interface EvaluateMasksSummary {
  readonly model: Model;
  readonly device: string;
  readonly size: number;
  /** Images with a true mask. */
  readonly count: number;
  /** Images of those that the best head was chosen on. */
  readonly headExamples: number;
  readonly rows: readonly MaskScoreRow[];
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
}

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

/** What the curves of a pretraining say, in plain words; see core/nn/dino/health.ts. */
export interface RunFinding {
  readonly kind: string;
  /** `collapse`: the run cannot come to any good as it is; `warning`: worth watching; `note`: nothing to do. */
  readonly severity: "collapse" | "warning" | "note";
  readonly sentence: string;
  /** What to change, or null where there is nothing to. */
  readonly advice: string | null;
}

/** What happens in a pretraining while it goes on. */
export type RunEvent =
  /** It begins, or goes on at `run.iteration`. */
  | { readonly kind: "begun"; readonly run: Run; readonly preset: string | null; readonly microBatch: number }
  /** How long it will take, from its first iterations. */
  | { readonly kind: "estimate"; readonly milliseconds: number; readonly imagesPerSecond: number }
  | { readonly kind: "metrics"; readonly metrics: readonly RunMetrics[] }
  | { readonly kind: "probe"; readonly probe: RunProbe }
  /** Given when the findings change. */
  | { readonly kind: "health"; readonly iteration: number; readonly findings: readonly RunFinding[] }
  | { readonly kind: "saved"; readonly iteration: number }
  /** Something to know that does not end the run. */
  | { readonly kind: "note"; readonly sentence: string };

/** A run with what its curves say. */
export interface RunDetails {
  readonly run: Run;
  /** The name of its model; null before its end, and after the model was discarded. */
  readonly model: string | null;
  readonly latest: RunMetrics | null;
  readonly probes: readonly RunProbe[];
  readonly findings: readonly RunFinding[];
}

/** What a pretraining came to. */
export interface PretrainSummary {
  readonly run: Run;
  readonly model: Model;
  readonly before: RunScores;
  readonly after: RunScores;
  /** Iterations of the probes that `before` is of: later than 0 where the library changed while the run was stopped. */
  readonly since: { readonly selfRetrieval: number; readonly accuracy: number };
  readonly findings: readonly RunFinding[];
  /** Pictures that could not be read and were left out. */
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
  readonly durationMs: number;
}

/** How long a pretraining would take. */
export interface PretrainEstimate {
  /** Empty for a run that goes on. */
  readonly preset: string;
  /** The run that goes on; null for a new one. */
  readonly runId: number | null;
  readonly device: string;
  readonly imageCount: number;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Those that are to be taken, and the passes that they are. */
  readonly iterations: number;
  readonly epochs: number;
  readonly imagesPerSecond: number;
  readonly milliseconds: number;
  /** What to know before training from random weights on so few pictures; null where there are enough. */
  readonly caution: string | null;
}
