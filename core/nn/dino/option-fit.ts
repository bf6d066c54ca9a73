/** Whether options go together: with each other, with the start, and with the run that they make. */
import { CoreError } from "../../util/errors.ts";
import type { PretrainOptions } from "./options.ts";
import type { StartShape } from "./presets.ts";
import type { TrainingSettings } from "./settings.ts";

/** Throws `option-invalid` for the first option that the run would pass over or that makes no sense in it. */
export function checkFit(options: PretrainOptions, start: StartShape, settings: TrainingSettings): void {
  checkStart(options, start);
  checkSizes(settings);
  checkLengths(options, settings.iterations);
  const { start: first, end } = settings.teacherTemperature;
  if (first > end) {
    throw invalid(
      `The teacher's temperature rises, and ${first} (--teacher-temperature-start) is above the ${end} that it rises to.`,
      `Use ${end} or less, or raise --teacher-temperature.`,
    );
  }
  if (options.centring === false && options.centreMomentum !== undefined) {
    throw invalid("--centre-momentum does not go with --no-centring, which leaves the centre out.", "Leave one out.");
  }
}

/** Throws `option-invalid` for options of sizes that the start has already, or for parts that it does not have. */
function checkStart(options: PretrainOptions, start: StartShape): void {
  if (options.freezeBackbone !== undefined && start.kind !== "model") {
    const why = {
      random: "one of random weights has nothing to keep",
      checkpoint: "a full checkpoint brings the head that fits it",
    }[start.kind];
    throw invalid(
      `--freeze-backbone lets a trained backbone wait for a fresh head: ${why}.`,
      "Leave it out, or start from a model of the library (--start).",
    );
  }
  if (start.kind !== "checkpoint") return;
  const { head } = start;
  const fixed = [
    ["--prototypes", "prototypes", options.prototypes, head.prototypes],
    ["--head-hidden", "hidden features", options.headHidden, head.hidden],
    ["--bottleneck", "features in its bottleneck", options.bottleneck, head.bottleneck],
  ] as const;
  for (const [flag, what, asked, own] of fixed) {
    if (asked !== undefined && asked !== own) {
      throw invalid(`The checkpoint's head has ${own} ${what}.`, `Leave ${flag} out.`);
    }
  }
  const warming = [
    ["--temperature-warmup", options.temperatureWarmup],
    ["--teacher-temperature-start", options.teacherTemperatureStart],
  ] as const;
  const given = warming.find(([, value]) => value !== undefined)?.[0];
  if (given === undefined) return;
  throw invalid(
    `${given} does not go with a full checkpoint: its teacher's answers have settled, and keep one temperature.`,
    "Leave it out; --teacher-temperature sets that one.",
  );
}

function checkSizes({ architecture: { patch }, crops }: TrainingSettings): void {
  const { globalSize, localSize, sourceSize } = crops;
  for (const [what, size] of [
    ["global crops", globalSize],
    ["local crops", localSize],
  ] as const) {
    if (size % patch === 0) continue;
    const below = Math.max(1, Math.floor(size / patch)) * patch;
    throw invalid(
      `The ${what} of ${size} px do not divide into patches of ${patch} px.`,
      `Use ${below} or ${below + patch}.`,
    );
  }
  if (localSize > globalSize) {
    throw invalid(
      `Local crops of ${localSize} px are larger than the global ones of ${globalSize} px, of which they are to be parts.`,
      `Use --local-size ${globalSize} or less; half of it is usual.`,
    );
  }
  if (sourceSize < globalSize) {
    throw invalid(
      `Copies of ${sourceSize} px (--source-size) are smaller than the global crops of ${globalSize} px that are taken from them.`,
      `Use ${globalSize} or more, or leave it out: half as much again is usual.`,
    );
  }
}

/** What is to end within the run. */
function checkLengths(options: PretrainOptions, iterations: number): void {
  const lengths = [
    ["--warmup", options.warmup],
    ["--temperature-warmup", options.temperatureWarmup],
    ["--freeze-last-layer", options.freezeLastLayer],
    ["--freeze-backbone", options.freezeBackbone],
  ] as const;
  for (const [flag, length] of lengths) {
    if (length === undefined || length <= iterations) continue;
    throw invalid(
      `${flag} ${length} is longer than the run of ${iterations} iterations.`,
      `Use ${iterations} or less, or leave it out.`,
    );
  }
}

/** The error for options that do not go together. */
export function invalid(sentence: string, hint: string): CoreError {
  return new CoreError("option-invalid", sentence, { hint });
}
