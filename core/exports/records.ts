/** What formats write: plain records, put together by the export job. */
import type { RunLengths } from "../masks/rle.ts";
import type { Provenance } from "../rpc/records.ts";

/** A part of a split. */
export type SplitPart = "train" | "val" | "test";

/** The parts in the order in which shares are given. */
export const splitParts: readonly SplitPart[] = ["train", "val", "test"];

/** A label as a class of a data set. Its index is its place in `ExportPlan.classes`, which is the order of the tree. */
export interface ExportClass {
  /** Names from the top of the tree down. */
  readonly path: readonly string[];
  /** The last of them, with those above it where two labels have the same name: unique in the export. */
  readonly name: string;
}

/** One thing on a picture: a class, its mask at the size of the upright picture, and how sure each patch was. */
export interface ExportObject {
  readonly classIndex: number;
  readonly runs: RunLengths;
  readonly score: { readonly rows: number; readonly columns: number; readonly data: Uint8Array } | null;
}

/** An image of an export. Width, height, masks and boxes are of the upright picture, after EXIF orientation. */
export interface ExportImage {
  readonly id: number;
  /** Where the picture lies now: an absolute path. */
  readonly file: string;
  /** As a labels file names it: relative to its source, or absolute where two sources have the same. */
  readonly path: string;
  /** A name that every system takes, and whose part before the ending no other image of the export has. */
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly contentHash: string | null;
  readonly classIndex: number | null;
  readonly provenance: Provenance | "suggestion" | null;
  readonly confidence: number | null;
  readonly split: SplitPart | null;
  /** Foreground without a class of its own lies under the image's; empty where there is no mask. */
  readonly objects: readonly ExportObject[];
  /** Null unless the format asked for it. */
  readonly embedding: Float32Array | null;
}

/** What is the same for all images of an export. */
export interface ExportPlan {
  readonly classes: readonly ExportClass[];
  /** Images that `images` will give at most, and features of an embedding. */
  readonly imageCount: number;
  readonly embeddingWidth: number;
  readonly parts: readonly SplitPart[];
  readonly model: { readonly name: string; readonly hash: string } | null;
}

/** The class of an image. */
export function classOf(plan: ExportPlan, { classIndex }: Pick<ExportImage, "classIndex">): ExportClass | null {
  return classIndex === null ? null : (plan.classes[classIndex] ?? null);
}

/** The part of a name before its ending. */
export function stemOf(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(0, dot) : name;
}
