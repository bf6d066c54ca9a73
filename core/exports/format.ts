import type { ExportFolder } from "./folder.ts";
import type { ExportImage, ExportPlan } from "./records.ts";

/** How one format is written. */
export interface ExportFormat {
  /** One line for `--help`. */
  readonly summary: string;
  /** Goes up when a reader of the old files could not read the new ones. */
  readonly version: number;
  /** Images without what is `true` here are left out and counted. */
  readonly needs: { readonly label: boolean; readonly mask: boolean; readonly embedding: boolean };
  /** What is read where there is any, though images without it are written all the same. */
  readonly uses?: { readonly mask?: boolean };
  /** Writes everything but the manifest. `images` can be gone through once, in the order of ids. */
  readonly write: (plan: ExportPlan, images: AsyncIterable<ExportImage>, folder: ExportFolder) => Promise<void>;
}
