import { folders, yoloClassify } from "./class-folders.ts";
import { coco, cocoPolygon } from "./coco.ts";
import { npy, parquet } from "./embeddings.ts";
import { fiftyone } from "./fiftyone.ts";
import type { ExportFormat } from "./format.ts";
import { huggingface } from "./huggingface.ts";
import { masksBinary, masksIndex, masksSoft } from "./mask-pictures.ts";
import { csv, jsonl } from "./rows.ts";
import { voc } from "./voc.ts";
import { yoloDetect, yoloSegment } from "./yolo.ts";

/** Every format, by the name that the terminal takes. */
export const exportFormats = {
  csv,
  jsonl,
  folders,
  coco,
  "coco-polygon": cocoPolygon,
  "yolo-segment": yoloSegment,
  "yolo-detect": yoloDetect,
  "yolo-classify": yoloClassify,
  voc,
  "masks-binary": masksBinary,
  "masks-index": masksIndex,
  "masks-soft": masksSoft,
  npy,
  parquet,
  huggingface,
  fiftyone,
} as const satisfies Readonly<Record<string, ExportFormat>>;

export type ExportFormatName = keyof typeof exportFormats;

/** The names, in the order of the table. */
export const exportFormatNames = Object.keys(exportFormats) as readonly ExportFormatName[];
