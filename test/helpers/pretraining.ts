/** Libraries of a dozen small pictures, and runs on them that take a second or two. */
import { join } from "node:path";
import { ingestFolder } from "../../core/jobs/ingest.ts";
import { labelFromFolders } from "../../core/jobs/label-images.ts";
import type { NewPretraining } from "../../core/jobs/pretrain.ts";
import type { Workplace } from "../../core/jobs/run.ts";
import type { RunMetrics } from "../../core/rpc/records.ts";
import { temporaryFolder } from "../library/support.ts";
import { drawPictures } from "./pictures.ts";

/** A run of six iterations of a network that is as small as networks get. */
export const tinyRun = {
  device: "cpu",
  ...{ width: 24, depth: 1, heads: 2, patch: 8, globalSize: 32, localSize: 16, crops: 1, sourceSize: 40 },
  ...{ headHidden: 16, bottleneck: 8, prototypes: 16, batch: 4, iterations: 6, learningRate: 0.01, seed: 5 },
  // Measured, it could differ between two runs whose figures are to be the same to the last digit.
  ...{ freezeLastLayer: 1, probeEvery: 3, microBatch: 4 },
} as const satisfies NewPretraining;

/** The same as options of the command line. */
export const tinyFlags = (
  "--device cpu --width 24 --depth 1 --heads 2 --patch 8 --global-size 32 --local-size 16 --crops 1 --source-size 40 " +
  "--head-hidden 16 --bottleneck 8 --prototypes 16 --batch 4 --lr 0.01 --seed 5 --freeze-last-layer 1 --micro-batch 4"
).split(" ");

/** Draws fourteen pictures in two folders, whose names are their labels; returns the folder above. */
export async function drawLabelled(folder = join(temporaryFolder(), "photos")): Promise<string> {
  await drawPictures(join(folder, "one"), 7, { seed: 1, width: 60, height: 44 });
  await drawPictures(join(folder, "two"), 7, { seed: 2, width: 44, height: 60 });
  return folder;
}

/** Takes drawn pictures into a library, with their labels. */
export async function fillLibrary(workplace: Workplace, folder?: string): Promise<void> {
  const summary = await ingestFolder(workplace, folder ?? (await drawLabelled()));
  labelFromFolders(workplace.library, summary.source);
}

/** Metrics without what the clock decides. */
export function figuresOf(metrics: readonly RunMetrics[]): Omit<RunMetrics, "milliseconds">[] {
  return metrics.map(({ milliseconds: _, ...figures }) => figures);
}
