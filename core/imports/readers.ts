import { readClassFolders } from "./class-folders.ts";
import { readCoco } from "./coco.ts";
import type { DatasetReader } from "./dataset.ts";
import { readMaskPictures } from "./mask-pictures.ts";
import { readVoc } from "./voc.ts";
import { readYolo } from "./yolo.ts";

/** Every format of data sets that can be read, by the name that the terminal takes. Labels files have their own reader. */
export const datasetReaders = {
  folders: readClassFolders,
  coco: readCoco,
  yolo: readYolo,
  voc: readVoc,
  masks: readMaskPictures,
} as const satisfies Readonly<Record<string, DatasetReader>>;

export type DatasetFormat = keyof typeof datasetReaders;

/** The names, in the order of the table. */
export const datasetFormats = Object.keys(datasetReaders) as readonly DatasetFormat[];
