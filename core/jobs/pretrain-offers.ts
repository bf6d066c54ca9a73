/** The presets as they come out for a library, with the work that each is. */
import type { WantedDevice } from "../engine/protocol.ts";
import { iterationsPerEpoch } from "../nn/dino/epochs.ts";
import { cautionFor, presetFor, presets, resolveSettings, type PresetName } from "../nn/dino/presets.ts";
import type { TrainingSettings } from "../nn/dino/settings.ts";
import type { PresetTable } from "../rpc/views.ts";
import { runPictures } from "./pretrain-pictures.ts";
import type { PlanDesk } from "./pretrain-plan.ts";

/** The presets for a library's pictures, from random weights. Throws `pictures-missing`. */
export async function offerPresets({ library, engine }: PlanDesk, wanted: WantedDevice): Promise<PresetTable> {
  const imageCount = runPictures(library.db).imageIds.length;
  const { device } = await engine.call("chooseDevice", { device: wanted });
  const surroundings = { images: imageCount, onCpu: device === "cpu", start: { kind: "random" } } as const;
  const offers = (Object.keys(presets) as PresetName[]).map((name) => {
    const { settings } = resolveSettings({ preset: name }, surroundings);
    const { architecture, crops, batch, iterations } = settings;
    return {
      ...{ name, batch, iterations, epochs: Math.round(iterations / iterationsPerEpoch(imageCount, batch)) },
      ...{ width: architecture.width, depth: architecture.depth, patch: architecture.patch },
      ...{ globalSize: crops.globalSize, localSize: crops.localSize, localCount: crops.localCount },
      work: workOf(settings),
    };
  });
  const recommended = presetFor(imageCount, device === "cpu");
  return { imageCount, device, recommended, caution: cautionFor(imageCount, "random"), presets: offers };
}

/**
 * Multiplications of a whole run: the student sees all crops forwards and backwards, which is three times as much, the
 * teacher the two global ones once. Good enough to carry one measured time over to another preset.
 */
export function workOf({ architecture, head, crops, batch, iterations }: TrainingSettings): number {
  const { width, depth, patch } = architecture;
  const view = (size: number): number => {
    const patches = (size / patch) ** 2;
    const block = 12 * (patches + 1) * width ** 2 + 2 * (patches + 1) ** 2 * width;
    const answers = width * head.hidden + head.hidden ** 2 + head.hidden * head.bottleneck;
    return depth * block + 3 * patches * patch ** 2 * width + answers + head.bottleneck * head.prototypes;
  };
  return iterations * batch * (8 * view(crops.globalSize) + 3 * crops.localCount * view(crops.localSize));
}
