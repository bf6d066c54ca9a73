import type { Random } from "../../util/random.ts";
import type { WeightTensor } from "../architecture.ts";
import { localViews, globalViews } from "./views.ts";
import type { TrainingSettings } from "./settings.ts";

/** Masks of stochastic depth by group of views: [2 * depth, views * pictures, 1, 1], views in view-major order. */
export type DropPathMasks = Readonly<Record<string, WeightTensor>>;

/**
 * Which branches of which views are left out in one iteration (Huang et al. 2016), or undefined when none ever is. The
 * rate grows evenly from 0 in the first block to `dropPath` in the last; a branch that stays is divided by the chance of
 * staying. Row 2i is the attention of block i, row 2i + 1 its feed-forward part.
 */
export function drawDropPath(random: Random, settings: TrainingSettings): DropPathMasks | undefined {
  if (settings.dropPath === 0) return undefined;
  const { depth } = settings.architecture;
  const masks: Record<string, WeightTensor> = {};
  for (const { name, views } of [globalViews(settings), localViews(settings)]) {
    const columns = views * settings.batch;
    if (columns === 0) continue;
    const data = new Float32Array(2 * depth * columns);
    data.forEach((_, i) => {
      const block = Math.floor(i / (2 * columns));
      const keep = 1 - (depth > 1 ? (settings.dropPath * block) / (depth - 1) : 0);
      data[i] = random.next() < keep ? 1 / keep : 0;
    });
    masks[name] = { shape: [2 * depth, columns, 1, 1], data };
  }
  return masks;
}
