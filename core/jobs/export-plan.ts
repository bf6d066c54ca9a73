import { join } from "node:path";
import type { ExportFormat } from "../exports/format.ts";
import { createFileNames } from "../exports/names.ts";
import type { ExportClass, ExportImage } from "../exports/records.ts";
import { splitImages } from "../exports/split.ts";
import { annotationsOfImages } from "../library/annotations.ts";
import type { Reader } from "../library/database.ts";
import { readEmbeddings } from "../library/embeddings.ts";
import { listFindings } from "../library/findings.ts";
import { listImages, pageSize } from "../library/images.ts";
import { labelTree, type LabelNode } from "../library/labels.ts";
import { masksOfImages } from "../library/masks.ts";
import { listSources } from "../library/sources.ts";
import { listSuggestions } from "../library/suggestions.ts";
import { compressRuns } from "../masks/rle.ts";
import type { Image, Mask, Model } from "../rpc/records.ts";
import { groupNearDuplicates, type GroupedImage } from "../suggest/groups.ts";

/** Which images are exported. */
export type ExportScope =
  | { readonly kind: "labelled" }
  | { readonly kind: "all" }
  /** These, labelled or not. */
  | { readonly kind: "images"; readonly imageIds: readonly number[] }
  /** Labelled ones, and unlabelled ones whose suggestion is at least so sure. */
  | { readonly kind: "suggested"; readonly confidence: number };

/** What decides the contents of an export. */
export interface ExportChoice {
  readonly scope: ExportScope;
  /** Shares of train, val and test; null for no split. */
  readonly split: readonly number[] | null;
  readonly seed: number;
  /** Images without a mask count as one thing that fills the picture. */
  readonly wholeImages: boolean;
}

/** An image of an export, but for what is read when it is written. */
export type PlannedImage = Omit<ExportImage, "objects" | "embedding">;

/** Everything about an export that is known before the first file is written. */
export interface PlannedExport {
  readonly images: readonly PlannedImage[];
  readonly classes: readonly ExportClass[];
  readonly withoutLabel: number;
  readonly withoutMask: number;
  readonly withoutEmbedding: number;
  readonly largestGroup: number;
}

/** A label and who said so. */
type Said = Pick<ExportImage, "provenance" | "confidence"> & { readonly labelId: number };

interface Candidate extends GroupedImage {
  readonly image: Image & { readonly width: number; readonly height: number };
  readonly said: Said | null;
}

/** Chooses the images of an export, and settles their names, classes and parts. */
export function planExport(db: Reader, format: ExportFormat, model: Model | null, choice: ExportChoice): PlannedExport {
  const { chosen, ...left } = chooseImages(db, format, model, choice);
  const groups = choice.split === null ? null : groupNearDuplicates(chosen, { known: knownCopies(db) });
  const parts =
    groups === null || choice.split === null
      ? null
      : splitImages(
          chosen.map(({ id, said }) => ({ id, labelId: said?.labelId ?? null, groupId: groups.get(id) ?? id })),
          { shares: choice.split, seed: choice.seed },
        );
  const used = new Set(chosen.flatMap(({ said }) => (said === null ? [] : [said.labelId])));
  const { classes, indexOf } = classesOf(labelTree(db), used);
  const folders = new Map(listSources(db).map(({ id, folder }) => [id, folder]));
  const isShared = sharedPaths(db);
  const fileName = createFileNames();
  const images = chosen.map(({ id, image, said }): PlannedImage => {
    const file = join(folders.get(image.sourceId) ?? "", image.path);
    const { width, height, contentHash } = image;
    return {
      id,
      file,
      path: isShared(image.path) ? file : image.path,
      name: fileName(image.path),
      width,
      height,
      contentHash,
      classIndex: said === null ? null : (indexOf.get(said.labelId) ?? null),
      provenance: said?.provenance ?? null,
      confidence: said?.confidence ?? null,
      split: parts?.get(id) ?? null,
    };
  });
  return { images, classes, ...left, largestGroup: groups === null ? 0 : largest([...groups.values()]) };
}

/** Groups that the last check found, by embeddings as well as hashes. */
function knownCopies(db: Reader): number[][] {
  return listFindings(db, "duplicates").map(({ images }) => images.map(({ imageId }) => imageId));
}

/** Images of the scope that have what the format needs, and how many have not. */
function chooseImages(
  db: Reader,
  { needs }: ExportFormat,
  model: Model | null,
  { scope, wholeImages }: ExportChoice,
): { chosen: Candidate[] } & Pick<PlannedExport, "withoutLabel" | "withoutMask" | "withoutEmbedding"> {
  const suggested = scope.kind === "suggested" && model !== null ? sureSuggestions(db, model, scope.confidence) : null;
  const only = scope.kind === "images" ? new Set(scope.imageIds) : null;
  const everyone = scope.kind === "all" || scope.kind === "images";
  const chosen: Candidate[] = [];
  const left = { withoutLabel: 0, withoutMask: 0, withoutEmbedding: 0 };
  for (const page of pagesOfImages(db)) {
    const ids = page.map(({ id }) => id);
    const annotations = annotationsOfImages(db, ids);
    const masks = needs.mask && !wholeImages ? masksOfImages(db, ids) : null;
    const embedded =
      needs.embedding && model !== null ? new Set(readEmbeddings(db, model.id, { imageIds: ids }).imageIds) : null;
    for (const image of page) {
      const { id, width, height, contentHash, perceptualHash } = image;
      if (only?.has(id) === false) continue;
      if (image.problem !== null || image.missingSince !== null || width === null || height === null) continue;
      const annotation = annotations.get(id);
      const said: Said | null = annotation ?? suggested?.get(id) ?? null;
      if (said === null && !everyone) continue;
      const mask = masks?.get(id);
      if (needs.label && said === null) left.withoutLabel++;
      else if (masks !== null && (mask === undefined || !hasForeground(mask, width, height))) left.withoutMask++;
      else if (embedded?.has(id) === false) left.withoutEmbedding++;
      else chosen.push({ id, contentHash, perceptualHash, image: { ...image, width, height }, said });
    }
  }
  return { chosen, ...left };
}

/** Whether a mask fits its picture, and marks anything on it: nothing marked would read as a picture of nothing. */
function hasForeground(mask: Mask, width: number, height: number): boolean {
  const empty = compressRuns({ width, height, counts: Uint32Array.of(width * height) });
  return mask.width === width && mask.height === height && mask.runs !== empty;
}

function* pagesOfImages(db: Reader): Generator<Image[]> {
  for (let after = 0; ;) {
    const page = listImages(db, { after });
    if (page.length > 0) yield page;
    if (page.length < pageSize) return;
    after = page.at(-1)?.id ?? after;
  }
}

/** A model's suggestions from a confidence on, by image. */
function sureSuggestions(db: Reader, model: Model, confidence: number): Map<number, Said> {
  const found = new Map<number, Said>();
  let last: { confidence: number; imageId: number } | undefined;
  for (;;) {
    const page = listSuggestions(db, model.id, last === undefined ? {} : { after: last });
    for (const suggestion of page) {
      if (suggestion.confidence < confidence) return found;
      const { imageId, labelId } = suggestion;
      found.set(imageId, { labelId, provenance: "suggestion", confidence: suggestion.confidence });
    }
    last = page.at(-1);
    if (last === undefined) return found;
  }
}

/** The labels in use as classes, in the order of the tree, with names that no two share. */
function classesOf(
  tree: readonly LabelNode[],
  used: ReadonlySet<number>,
): { classes: ExportClass[]; indexOf: ReadonlyMap<number, number> } {
  const found: { id: number; path: string[] }[] = [];
  const walk = (nodes: readonly LabelNode[], above: readonly string[]): void => {
    for (const { label, children } of nodes) {
      const path = [...above, label.name];
      if (used.has(label.id)) found.push({ id: label.id, path });
      walk(children, path);
    }
  };
  walk(tree, []);
  const counts = new Map<string, number>();
  for (const { path } of found) counts.set(path.at(-1) ?? "", (counts.get(path.at(-1) ?? "") ?? 0) + 1);
  const taken = new Set<string>();
  const classes = found.map(({ path }) => {
    const own = path.at(-1) ?? "";
    const wanted = (counts.get(own) ?? 0) > 1 ? path.join("/") : own;
    let name = wanted;
    // `a/b` may be a label of its own, or b under a.
    for (let number = 2; taken.has(name); number++) name = `${wanted} (${number})`;
    taken.add(name);
    return { path, name };
  });
  return { classes, indexOf: new Map(found.map(({ id }, i) => [id, i])) };
}

/** Whether images of two sources have this path, so that it does not say which is meant. */
function sharedPaths(db: Reader): (path: string) => boolean {
  const once = new Set<string>();
  const shared = new Set<string>();
  for (const page of pagesOfImages(db)) {
    for (const { path } of page) {
      if (once.has(path)) shared.add(path);
      once.add(path);
    }
  }
  return (path) => shared.has(path);
}

function largest(groupIds: readonly number[]): number {
  const sizes = new Map<number, number>();
  for (const id of groupIds) sizes.set(id, (sizes.get(id) ?? 0) + 1);
  return Math.max(0, ...sizes.values());
}
