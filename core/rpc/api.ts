/**
 * THE CONTRACT: what the core does for the page, for Electron and for the terminal. Long calls take a signal and report
 * progress; results are plain data.
 */
import type { Image, Label, Model, Operation, Source, Suggestion, Voter } from "./records.ts";

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
  readonly durationMs: number;
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
  readonly accuracies: readonly Accuracy[];
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
  readonly models: readonly { readonly model: Model; readonly embedded: number; readonly labelled: number }[];
  readonly labels: number;
}
