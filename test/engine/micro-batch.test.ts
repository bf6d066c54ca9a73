import { describe, expect, test } from "vitest";
import { fastestThatFits, largestThatLoads, measureMicroBatch, type Trial } from "../../core/engine/training/memory.ts";
import { createTrainer } from "../../core/engine/training/trainer.ts";
import { microBatchesOf, smallerMicroBatch } from "../../core/nn/dino/micro-batch.ts";
import { resolveSettings } from "../../core/nn/dino/presets.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { CoreError } from "../../core/util/errors.ts";
import { createRandom } from "../../core/util/random.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { uniformFloats } from "../helpers/tensors.ts";

const runtime = createOrtRuntime("cpu");
const { settings } = resolveSettings(
  {
    ...{ width: 16, depth: 1, heads: 2, patch: 8, globalSize: 16, localSize: 8, crops: 1, sourceSize: 16 },
    ...{ headHidden: 16, bottleneck: 8, prototypes: 16, batch: 8, iterations: 10 },
  },
  { images: 100, onCpu: true, start: { kind: "random" } },
);

/** A device that takes 100 bytes and 10 for each picture, and so long for one of `size` together. */
function device(milliseconds: (size: number) => number, refusedFrom = Infinity) {
  const tried: number[] = [];
  const attempt = (size: number): Promise<Trial | null> => {
    tried.push(size);
    if (size >= refusedFrom) return Promise.resolve(null);
    return Promise.resolve({ size, peakBytes: 100 + 10 * size, milliseconds: milliseconds(size) });
  };
  return { tried, attempt };
}

describe("sizes", () => {
  test("divide the batch, and rise fast enough to be few", () => {
    expect(microBatchesOf(64)).toEqual([1, 2, 4, 8, 16, 32, 64]);
    expect(microBatchesOf(15)).toEqual([1, 3, 5, 15]);
    expect(microBatchesOf(13)).toEqual([1, 13]);
    expect(microBatchesOf(1)).toEqual([1]);
  });

  test("fall to the next divisor that is half as large or less", () => {
    expect(smallerMicroBatch(64, 64)).toBe(32);
    expect(smallerMicroBatch(15, 15)).toBe(5);
    expect(smallerMicroBatch(13, 13)).toBe(1);
    expect(smallerMicroBatch(13, 1)).toBeNull();
  });
});

describe("the micro-batch", () => {
  const sizes = microBatchesOf(64);

  test("is the largest that stays within the memory, where larger is faster; what will not fit is not tried", async () => {
    const { tried, attempt } = device((size) => 100 / size);
    expect(await fastestThatFits(sizes, 300, attempt)).toBe(16);
    expect(tried).toEqual([1, 2, 4, 8, 16]);
  });

  test("is the fastest of those that fit, and of equals the smallest", async () => {
    const fastestAt8 = (size: number): number => 10 + Math.abs(Math.log2(size / 8));
    expect(await fastestThatFits(sizes, 10_000, device(fastestAt8).attempt)).toBe(8);
    const flat = device((size) => (size < 4 ? 20 : 10 - size / 1000));
    expect(await fastestThatFits(sizes, 10_000, flat.attempt)).toBe(4);
  });

  test("stops growing after two sizes that gained nothing", async () => {
    const { tried, attempt } = device((size) => size);
    expect(await fastestThatFits(sizes, 10_000, attempt)).toBe(1);
    expect(tried).toEqual([1, 2, 4]);
  });

  test("is what is below a refusal", async () => {
    expect(await fastestThatFits(sizes, 10_000, device((size) => 100 / size, 8).attempt)).toBe(4);
    const card = device(() => 1, 16);
    expect(await largestThatLoads(sizes, card.attempt)).toBe(8);
    expect(card.tried).toEqual([64, 32, 16, 8]);
  });

  test("is one picture where memory is short, and an error where not even that is given", async () => {
    expect(await fastestThatFits(sizes, 0, device((size) => 100 / size).attempt)).toBe(1);
    const refuses = (): Promise<null> => Promise.resolve(null);
    expect(await refusalOfAsync(() => fastestThatFits(sizes, 10_000, refuses))).toContain("device-memory: ");
    expect(await refusalOfAsync(() => largestThatLoads(sizes, refuses))).toContain("device-memory: ");
  });

  test("is measured on the device itself", async () => {
    expect(microBatchesOf(8)).toContain(await measureMicroBatch(settings, runtime));
  });
});

describe("a device that has no memory left in the middle of a run", () => {
  const batch = () => {
    const random = createRandom(1);
    const views = (count: number, size: number) => ({
      shape: [count * 8, 3, size, size],
      data: uniformFloats(random, count * 8 * 3 * size * size),
    });
    return { feeds: { global: views(2, 16), local: views(1, 8) } };
  };
  /** A device that refuses, once `full` is set, views of more than two pictures at a time. */
  const limited = (state: { full: boolean }): Runtime => ({
    ...runtime,
    loadKeeping: async (source, kept) => {
      const program = await runtime.loadKeeping(source, kept);
      return {
        ...program,
        run: (inputs, into) => {
          const [views = 0] = inputs["global"]?.shape ?? [];
          if (state.full && views > 4) throw new CoreError("device-memory", "Full.");
          return program.run(inputs, into);
        },
      };
    },
  });

  test("takes the same step in smaller parts, to the same figures, and goes on", async () => {
    const state = { full: false };
    const small = await createTrainer({ settings, runtime: limited(state), augmented: false });
    const roomy = await createTrainer({ settings, runtime, augmented: false });
    for (let step = 0; step < 3; step++) {
      state.full = step > 0;
      const [found, wanted] = [await small.step(batch(), step), await roomy.step(batch(), step)];
      expect(small.microBatch).toBe(step > 0 ? 2 : 8);
      // Sums in another order: float32 has seven digits.
      expect(found.loss / wanted.loss).toBeCloseTo(1, 5);
      expect(found.gradientNorm / wanted.gradientNorm).toBeCloseTo(1, 4);
    }
    expect((await small.state()).iteration).toBe(3);
    await small.release();
    await roomy.release();
  });

  test("says so where not even one picture fits", async () => {
    const trainer = await createTrainer({
      settings,
      runtime: {
        ...runtime,
        loadKeeping: async (source, kept) => ({
          ...(await runtime.loadKeeping(source, kept)),
          run: () => Promise.reject(new CoreError("device-memory", "Full.")),
        }),
      },
      augmented: false,
    });
    expect(await refusalOfAsync(() => trainer.step(batch(), 0))).toContain("device-memory: ");
    expect(trainer.microBatch).toBe(1);
    await trainer.release();
  });
});
