import { microBatchesOf } from "../../nn/dino/micro-batch.ts";
import type { TrainingSettings } from "../../nn/dino/settings.ts";
import { viewGroups } from "../../nn/dino/views.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { CoreError } from "../../util/errors.ts";
import { viewSource } from "./feeds.ts";
import { loadPractice } from "./programs.ts";

/** What a pass through the network took. */
export interface Trial {
  /** Pictures in it. */
  readonly size: number;
  /** Most memory that the process ever held, in bytes. */
  readonly peakBytes: number;
  /** Time for each picture. */
  readonly milliseconds: number;
}

/**
 * Memory of a card that passes may take by estimate, in bytes. Above that some drivers use the computer's own memory, or
 * drop the device, before they refuse.
 */
const cardMemory = 6 * 2 ** 30;

/**
 * Values of a block that are kept for each token, in widths: queries, keys, values, two norms, two branches, the sum, and
 * twice the hidden layer of four widths, with what the gelu's gradient needs of it.
 */
const widthsPerToken = 20;

/** Share of the memory that is free, which passes may take: the rest is for copies of pictures and for other programs. */
const memoryShare = 0.5;

/** No new size is tried after this, in milliseconds: a run of minutes must not spend them on looking for its pace. */
const trialTime = 10_000;

/** Of two sizes that are as fast as each other but for this, the smaller one leaves more memory. */
const closeEnough = 1.05;

/** Passes of a size, the fastest of which counts, as long as they are over within a second. */
const passes = 4;

/**
 * The micro-batch for a training on a device, from passes on made-up numbers, for crops at full resolution. On the CPU
 * the fastest of those that fit; on a card, whose memory cannot be read and where more pictures at once are faster, the
 * most that should fit by estimate and are not refused.
 */
export async function measureMicroBatch(settings: TrainingSettings, runtime: Runtime): Promise<number> {
  const attempt = (size: number): Promise<Trial | null> => tryPass(settings, runtime, size);
  const sizes = microBatchesOf(settings.batch);
  if (runtime.device !== "cpu") {
    const most = cardMemory / bytesPerPicture(settings);
    return largestThatLoads([1, ...sizes.filter((size) => size > 1 && size <= most)], attempt);
  }
  const held = process.memoryUsage.rss();
  return fastestThatFits(sizes, held + memoryShare * process.availableMemory(), attempt);
}

/** Upper estimate of what one picture's views take in memory until the backward pass is done, in bytes. */
function bytesPerPicture(settings: TrainingSettings): number {
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

/** The largest of the sizes, given in rising order, that `attempt` does not refuse. Throws `device-memory` where it refuses all. */
export async function largestThatLoads(
  sizes: readonly number[],
  attempt: (size: number) => Promise<Trial | null>,
): Promise<number> {
  for (const size of sizes.toReversed()) if ((await attempt(size)) !== null) return size;
  throw noRoom();
}

/**
 * Tries the sizes, given in rising order, as long as the line through the last two peaks says that the next one stays
 * below `peakBytes`, and as long as they get faster: the smallest of those that are about as fast as the fastest. The first
 * one is taken where there is nothing smaller. Throws `device-memory` where even that one is refused.
 */
export async function fastestThatFits(
  sizes: readonly number[],
  peakBytes: number,
  attempt: (size: number) => Promise<Trial | null>,
): Promise<number> {
  const started = performance.now();
  const trials: Trial[] = [];
  for (const size of sizes) {
    if (trials.length > 0 && (expectedPeak(trials, size) > peakBytes || performance.now() - started > trialTime)) break;
    const trial = await attempt(size);
    if (trial === null || (trials.length > 0 && trial.peakBytes > peakBytes)) break;
    trials.push(trial);
    // Two sizes in a row that gained nothing: larger ones only take more memory.
    const best = Math.min(...trials.map(({ milliseconds }) => milliseconds));
    if (trials.slice(-2).every(({ milliseconds }) => milliseconds > closeEnough * best)) break;
  }
  const best = Math.min(...trials.map(({ milliseconds }) => milliseconds));
  const chosen = trials.find(({ milliseconds }) => milliseconds <= closeEnough * best);
  if (chosen === undefined) throw noRoom();
  return chosen.size;
}

/** From the last two trials in a straight line: what one picture more takes is the same at every size. */
function expectedPeak(trials: readonly Trial[], size: number): number {
  const [before, last] = [trials.at(-2), trials.at(-1)];
  if (before === undefined || last === undefined) return 0;
  const each = (last.peakBytes - before.peakBytes) / (last.size - before.size);
  return last.peakBytes + each * (size - last.size);
}

/** Passes of `size` pictures; null where the device refuses the memory. */
async function tryPass(settings: TrainingSettings, runtime: Runtime, size: number): Promise<Trial | null> {
  try {
    const practice = await loadPractice(settings, runtime, size, viewSource(settings, size, true));
    try {
      // The first one pays for memory, and on a card for programs.
      await practice.run();
      const started = performance.now();
      let fastest = Infinity;
      for (let i = 0; i < passes && performance.now() - started < 1000; i++) {
        const before = performance.now();
        await practice.run();
        fastest = Math.min(fastest, performance.now() - before);
      }
      const peakBytes = 1024 * process.resourceUsage().maxRSS;
      return { size, peakBytes, milliseconds: fastest / size };
    } finally {
      await practice.release();
    }
  } catch (error) {
    if (error instanceof CoreError && error.code === "device-memory") return null;
    throw error;
  }
}

function noRoom(): CoreError {
  return new CoreError("device-memory", "There is not enough memory to train with even one picture at a time.", {
    hint: "Choose a smaller network (--arch), smaller crops (--global-size), or fewer prototypes.",
  });
}
