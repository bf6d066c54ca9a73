/** Data sets of others: taking them in, and writing for other tools. */
import type { ExportFormatName } from "../exports/formats.ts";
import { exportImages, type ExportOptions } from "../jobs/export.ts";
import { importDataset, type ImportFormat } from "../jobs/import-dataset.ts";
import type { Watch, Workplace } from "../jobs/run.ts";
import type { ExportSummary, ImportSummary } from "../rpc/api.ts";

/** Importing and exporting. */
export interface DatasetChanges {
  /** Writes images with labels, masks or embeddings for other tools; see core/exports/formats.ts. */
  exportImages(format: ExportFormatName, options: ExportOptions, watch?: Watch): Promise<ExportSummary>;
  /** Takes in labels and masks of a data set of others. */
  importDataset(format: ImportFormat, path: string, watch?: Watch): Promise<ImportSummary>;
}

export function datasetChanges(workplace: Workplace): DatasetChanges {
  return {
    exportImages: (format, options, watch) => exportImages(workplace, format, options, watch),
    importDataset: (format, path, watch) => importDataset(workplace, format, path, watch),
  };
}
