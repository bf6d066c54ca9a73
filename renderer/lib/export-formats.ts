/** The export formats as people choose them: by what they are for, and then by how masks or boxes are written. */
import type { ExportFormatName } from "../../core/rpc/contract.ts";

/** What an export can hold. */
export type Holding = "labels" | "masks" | "boxes" | "pictures" | "embeddings";

export const holdings: readonly { readonly id: Holding; readonly title: string }[] = [
  { id: "labels", title: "Labels" },
  { id: "masks", title: "Masks" },
  { id: "boxes", title: "Boxes" },
  { id: "pictures", title: "Pictures" },
  { id: "embeddings", title: "Embeddings" },
];

export interface FormatKind {
  readonly format: ExportFormatName;
  readonly title: string;
  readonly holds: readonly Holding[];
}

/** Formats of one tool or purpose. */
export interface FormatFamily {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  /** What the kinds differ in: `Masks as`. */
  readonly choice: string;
  readonly kinds: readonly [FormatKind, ...FormatKind[]];
}

const kind = (format: ExportFormatName, title: string, ...holds: Holding[]): FormatKind => ({ format, title, holds });

export const formatFamilies: readonly FormatFamily[] = [
  {
    ...{
      id: "table",
      title: "Table of labels",
      text: "A row an image, for spreadsheets and scripts",
      choice: "Written as",
    },
    kinds: [kind("csv", "CSV", "labels"), kind("jsonl", "JSON Lines", "labels")],
  },
  {
    ...{ id: "folders", title: "A folder a label", text: "For most classifier trainings", choice: "" },
    kinds: [kind("folders", "Folders", "labels", "pictures")],
  },
  {
    ...{ id: "coco", title: "COCO", text: "For detection and segmentation", choice: "Masks as" },
    kinds: [
      kind("coco", "Run lengths, exact", "labels", "masks", "boxes", "pictures"),
      kind("coco-polygon", "Polygons", "labels", "masks", "boxes", "pictures"),
    ],
  },
  {
    ...{ id: "yolo", title: "YOLO", text: "For Ultralytics and its kin", choice: "For" },
    kinds: [
      kind("yolo-detect", "Detection", "labels", "boxes", "pictures"),
      kind("yolo-segment", "Segmentation", "labels", "masks", "pictures"),
      kind("yolo-classify", "Classification", "labels", "pictures"),
    ],
  },
  {
    ...{ id: "voc", title: "Pascal VOC", text: "Boxes in XML and masks by class", choice: "" },
    kinds: [kind("voc", "VOC", "labels", "masks", "boxes", "pictures")],
  },
  {
    ...{ id: "masks", title: "Mask pictures", text: "A PNG an image", choice: "Masks as" },
    kinds: [
      kind("masks-binary", "Black and white", "masks"),
      kind("masks-index", "Label numbers", "labels", "masks"),
      kind("masks-soft", "How sure", "masks"),
    ],
  },
  {
    ...{ id: "vectors", title: "Embeddings", text: "What the model sees, as numbers", choice: "Written as" },
    kinds: [kind("npy", "NumPy", "labels", "embeddings"), kind("parquet", "Parquet", "labels", "embeddings")],
  },
  {
    ...{ id: "huggingface", title: "Hugging Face", text: "An image folder that datasets loads", choice: "" },
    kinds: [kind("huggingface", "Folder", "labels", "pictures")],
  },
  {
    ...{ id: "fiftyone", title: "FiftyOne", text: "To look at it in Voxel51's app", choice: "" },
    kinds: [kind("fiftyone", "Dataset", "labels", "masks", "boxes", "pictures")],
  },
];

/** The family of a format, and the format in it. */
export function familyOf(format: ExportFormatName): { readonly family: FormatFamily; readonly kind: FormatKind } {
  for (const family of formatFamilies) {
    const found = family.kinds.find((one) => one.format === format);
    if (found !== undefined) return { family, kind: found };
  }
  throw new Error(`No family has the format ${format}.`);
}

/** Whole percents of train, val and test; test takes what is left. */
export interface Shares {
  readonly train: number;
  readonly val: number;
}

/** Shares with one changed: the other gives way where both would be more than everything. */
export function withShare(shares: Shares, part: keyof Shares, percent: number): Shares {
  const value = Math.max(0, Math.min(100, Math.round(Number.isFinite(percent) ? percent : 0)));
  const other = part === "train" ? "val" : "train";
  return { ...shares, [part]: value, [other]: Math.min(shares[other], 100 - value) };
}

/** Shares as the core takes them: they add up to 1. */
export function sharesOf({ train, val }: Shares): [number, number, number] {
  return [train / 100, val / 100, (100 - train - val) / 100];
}

/** A name for a folder: without the signs that some system refuses. */
export function folderName(library: string, format: string): string {
  const plain = library.replace(/[<>:"/\\|?*\p{Cc}\s]+/gu, " ").trim();
  return `${plain === "" ? "export" : plain} ${format}`;
}

/** A path in a folder, with the slash that the folder's path has. */
export function pathIn(folder: string, name: string): string {
  const slash = folder.includes("\\") && !folder.includes("/") ? "\\" : "/";
  return folder.endsWith(slash) ? `${folder}${name}` : `${folder}${slash}${name}`;
}

/** The folder that a path lies in. */
export function parentOf(path: string): string {
  const end = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  // The root of a drive keeps its slash.
  return path.slice(0, end === 0 || path[end - 1] === ":" ? end + 1 : Math.max(0, end));
}

/** Whether a path is a folder or lies in it, as far as their words say. */
export function liesIn(folder: string, path: string): boolean {
  const plain = (text: string): string => `${text.replace(/[/\\]+/g, "/").replace(/\/$/, "")}/`;
  return plain(path).startsWith(plain(folder));
}

/** A name, or the same with a number where there is something of this name; `there` has them in small letters. */
export function freshName(name: string, there: ReadonlySet<string>): string {
  const isFree = (wanted: string): boolean => !there.has(wanted.toLowerCase());
  let free = name;
  for (let number = 2; !isFree(free); number++) free = `${name} ${number}`;
  return free;
}
