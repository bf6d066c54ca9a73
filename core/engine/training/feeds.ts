import { input } from "../../graph/value.ts";
import type { WeightTensor } from "../../nn/architecture.ts";
import type { TrainingSettings } from "../../nn/dino/settings.ts";
import { augmentationGroups } from "../../nn/augmentation/groups.ts";
import { augmentedViews } from "../../nn/augmentation/views.ts";
import { fedViews, type ViewSource } from "../../nn/dino/step.ts";
import { viewGroups } from "../../nn/dino/views.ts";
import { floats, type TensorData } from "../../runtime/runtime.ts";
import { CoreError } from "../../util/errors.ts";
import type { TrainingBatch } from "./types.ts";

/** Where the graph's views of `pictures` pictures come from: made in the graph (`augmentedViews`), or fed as they are. */
export function viewSource(settings: TrainingSettings, pictures: number, augmented: boolean): ViewSource {
  if (!augmented) return fedViews;
  const { sourceSize } = settings.crops;
  const source = input("pictures", [pictures, 3, sourceSize, sourceSize]);
  const groups = augmentationGroups(settings);
  return ({ name }) => {
    const group = groups.find((candidate) => candidate.name === name);
    if (group === undefined) throw new CoreError("internal", `There is no augmentation of ${name} views.`);
    return augmentedViews(source, group);
  };
}

/**
 * A batch cut into micro-batches of `size` pictures, as feeds of the graph. Throws `training-input` for a feed that does
 * not fit.
 */
export function microBatches(
  settings: TrainingSettings,
  { pictures, feeds, dropPath }: TrainingBatch,
  size: number,
  augmented: boolean,
): readonly Record<string, TensorData>[] {
  const { batch, crops } = settings;
  const whole: { name: string; tensor: WeightTensor; axis: number; groups: number }[] = [];
  if (augmented) {
    const shape = [batch, 3, crops.sourceSize, crops.sourceSize];
    if (pictures === undefined)
      throw new CoreError("training-input", "The graph makes its views from pictures, got none.");
    whole.push({ name: "pictures", tensor: { shape, data: pictures }, axis: 0, groups: 1 });
  }
  for (const { name, views } of viewGroups(settings)) {
    for (const [feed, tensor] of Object.entries(feeds)) {
      if (feed === name || feed.startsWith(`${name}.`)) whole.push({ name: feed, tensor, axis: 0, groups: views });
    }
    const mask = dropPath?.[name];
    if (mask !== undefined) whole.push({ name: `dropPath.${name}`, tensor: mask, axis: 1, groups: views });
  }
  for (const { name, tensor, axis, groups } of whole) {
    const count = tensor.shape.reduce((product, length) => product * length, 1);
    if (tensor.shape[axis] !== groups * batch || count !== tensor.data.length) {
      throw new CoreError(
        "training-input",
        `${name} must have ${groups * batch} entries along axis ${axis}, got ${tensor.data.length} values as [${tensor.shape.join()}].`,
      );
    }
  }
  return Array.from({ length: batch / size }, (_, part) =>
    Object.fromEntries(
      whole.map(({ name, tensor, axis, groups }) => [name, cut(tensor, axis, groups, batch, part * size, size)]),
    ),
  );
}

/**
 * Of an axis that holds `groups` runs of `batch` entries, entries `start` to `start + size` of each run: the pictures of a
 * micro-batch in each of the views.
 */
function cut(
  { shape, data }: WeightTensor,
  axis: number,
  groups: number,
  batch: number,
  start: number,
  size: number,
): TensorData {
  if (size === batch) return floats(data, shape);
  const product = (sizes: readonly number[]): number => sizes.reduce((total, length) => total * length, 1);
  const inner = product(shape.slice(axis + 1));
  const runs = product(shape.slice(0, axis)) * groups;
  const part = new Float32Array(runs * size * inner);
  for (let run = 0; run < runs; run++) {
    const from = (run * batch + start) * inner;
    part.set(data.subarray(from, from + size * inner), run * size * inner);
  }
  return floats(
    part,
    shape.map((length, i) => (i === axis ? groups * size : length)),
  );
}
