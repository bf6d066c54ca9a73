import { iterationsPerEpoch } from "../../nn/dino/epochs.ts";
import type { TrainingSettings } from "../../nn/dino/settings.ts";
import { createRandom, deriveSeed } from "../../util/random.ts";

/** Keeps the generator of the order apart from those of crops and drop path. */
const orderPurpose = 0x6f726465;

/**
 * Which of `count` pictures make up the batch of an iteration: every epoch is a pass over all of them in an order of its
 * own, and those left over at its end wait for the next one. It follows from seed and iteration alone.
 */
export function batchIndices(
  { seed, batch }: Pick<TrainingSettings, "seed" | "batch">,
  count: number,
  iteration: number,
): readonly number[] {
  const perEpoch = iterationsPerEpoch(count, batch);
  const epoch = Math.floor(iteration / perEpoch);
  const start = (iteration % perEpoch) * batch;
  return orderOf(seed, epoch, count).slice(start, start + batch);
}

let latest: { readonly key: string; readonly order: readonly number[] } | undefined;

/** The order of an epoch. The last one is remembered: every batch of an epoch asks for it. */
function orderOf(seed: number, epoch: number, count: number): readonly number[] {
  const key = `${seed} ${epoch} ${count}`;
  if (latest?.key !== key) {
    const indices = Array.from({ length: count }, (_, index) => index);
    latest = { key, order: createRandom(deriveSeed(seed, orderPurpose, epoch)).shuffled(indices) };
  }
  return latest.order;
}
