import type { TrainingSettings } from "./settings.ts";

/** The settings that hold at an iteration: with smaller crops while the resolution is still low. */
export function settingsAt(settings: TrainingSettings, iteration: number): TrainingSettings {
  const { lowResolution: low, crops } = settings;
  if (low === undefined || iteration >= low.iterations) return settings;
  return { ...settings, crops: { ...crops, globalSize: low.globalSize, localSize: low.localSize } };
}
