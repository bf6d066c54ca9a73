import { describe, expect, test } from "vitest";
import { iterationValues, type IterationValues } from "../../../core/nn/dino/schedules.ts";
import type { TrainingSettings } from "../../../core/nn/dino/settings.ts";
import { referenceFile } from "../../helpers/reference.ts";
import { readSafetensors } from "../../helpers/safetensors.ts";
import { settings } from "../../helpers/training-reference.ts";

const figures = readSafetensors(referenceFile("schedules.safetensors"));

/** Numbers in the sentence that the reference describes a schedule with: "base 5e-4 final 1e-6 epochs 10 …". */
function described(name: string): number[] {
  return (figures.metadata[name] ?? "").split(" ").map(Number).filter(Number.isFinite);
}

function everyIteration(changed: Partial<TrainingSettings>, pick: keyof IterationValues): number[] {
  const all = { ...settings, ...changed };
  return Array.from({ length: all.iterations }, (_, i) => iterationValues(all, i)[pick]);
}

describe("the official code's schedules, by iteration", () => {
  const iterations = figures.tensor("lr").shape[0] ?? 0;
  const [base = 0, final = 0, , steps = 0, warmupEpochs = 0] = described("lr");
  const [decayStart = 0, decayEnd = 0] = described("wd");
  const [momentum = 0] = described("momentum");
  const changed = {
    iterations,
    learningRate: base,
    minimumLearningRate: final,
    warmupIterations: warmupEpochs * steps,
    weightDecay: [decayStart, decayEnd] as const,
    teacherMomentum: momentum,
  };

  test.each([
    ["lr", "learningRate"],
    ["wd", "weightDecay"],
    ["momentum", "teacherMomentum"],
  ] as const)("%s", (name, pick) => {
    const wanted = figures.tensor(name).data;
    // The reference is stored in float32; the bar of 1e-6 is for numbers around 1 and of the rate about a thousandth.
    const scale = Math.max(...wanted);
    everyIteration(changed, pick).forEach((value, i) => {
      expect(Math.abs(value - (wanted[i] ?? NaN)), `iteration ${i}`).toBeLessThan(1e-6 * scale);
    });
  });
});

describe("the worked example: 10 epochs of 5 iterations, 2 of them warm-up, batch 512", () => {
  const example = {
    ...settings,
    iterations: 50,
    learningRate: (5e-4 * 512) / 256,
    minimumLearningRate: 1e-6,
    warmupIterations: 10,
    weightDecay: [0.04, 0.4] as const,
    teacherMomentum: 0.996,
  };

  test.each([
    [0, 0],
    [1, 1.11111e-4],
    [9, 1e-3],
    [10, 1e-3],
    [30, 5.005e-4],
    [49, 2.53979e-6],
  ])("learning rate in iteration %i", (iteration, wanted) => {
    expect(iterationValues(example, iteration).learningRate).toBeCloseTo(wanted, 8);
  });

  test.each([
    [0, 0.996, 0.04],
    [25, 0.998, 0.22],
    [49, 0.99999605, 0.39964481],
  ])("teacher momentum and weight decay in iteration %i", (iteration, momentum, decay) => {
    const values = iterationValues(example, iteration);
    expect(values.teacherMomentum).toBeCloseTo(momentum, 8);
    expect(values.weightDecay).toBeCloseTo(decay, 8);
  });
});

test("the teacher's temperature rises in equal steps, both ends included, and stays", () => {
  const changed = { iterations: 6, teacherTemperature: { start: 0.04, end: 0.07, warmup: 4 } };
  everyIteration(changed, "teacherTemperature").forEach((value, i) => {
    expect(value).toBeCloseTo([0.04, 0.05, 0.06, 0.07, 0.07, 0.07][i] ?? NaN, 12);
  });
});

test("warm-ups of no or one iteration divide by nothing", () => {
  const short = { ...settings, learningRate: 1, iterations: 10 };
  expect(iterationValues({ ...short, warmupIterations: 0 }, 0).learningRate).toBe(1);
  expect(iterationValues({ ...short, warmupIterations: 1 }, 0).learningRate).toBe(0);
  expect(iterationValues({ ...short, warmupIterations: 10 }, 9).learningRate).toBe(1);
  const temperature = { start: 0.02, end: 0.04, warmup: 1 };
  expect(iterationValues({ ...short, teacherTemperature: temperature }, 0).teacherTemperature).toBe(0.02);
  expect(iterationValues({ ...short, teacherTemperature: temperature }, 1).teacherTemperature).toBe(0.04);
});
