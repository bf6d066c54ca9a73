import { viewGroups } from "../../nn/dino/views.ts";
import type { TrainingSettings } from "../../nn/dino/settings.ts";

/**
 * Memory that one pass may take for what its backward half needs again, in bytes. Larger micro-batches than these allow
 * gain no speed on a CPU, and a card has room for them beside weights and moments.
 */
const passMemory = { cpu: 1.5 * 2 ** 30, card: 6 * 2 ** 30 } as const;

/**
 * Values of a block that are kept for each token, in widths: queries, keys, values, two norms, two branches, the sum, and
 * twice the hidden layer of four widths, with what the gelu's gradient needs of it.
 */
const widthsPerToken = 20;

/** Upper estimate of what one picture's views take in memory until the backward pass is done, in bytes. */
export function bytesPerPicture(settings: TrainingSettings): number {
  const { architecture, head, crops } = settings;
  const { width, depth, heads, patch, registers } = architecture;
  let floats = 3 * crops.sourceSize ** 2;
  for (const { views, size } of viewGroups(settings)) {
    const tokens = (size / patch) ** 2 + 1 + registers;
    const perBlock = tokens * (widthsPerToken * width + 2 * heads * tokens);
    floats += views * (depth * perBlock + 4 * head.hidden + 3 * head.prototypes + 12 * size * size);
  }
  return 4 * floats;
}

/** The largest divisor of the batch that fits: gradients are added up exactly, so it changes nothing but memory. */
export function fittingMicroBatch(settings: TrainingSettings, device: string): number {
  const room = passMemory[device === "cpu" ? "cpu" : "card"];
  const most = Math.max(1, Math.floor(room / bytesPerPicture(settings)));
  for (let size = Math.min(settings.batch, most); size > 1; size--) if (settings.batch % size === 0) return size;
  return 1;
}
