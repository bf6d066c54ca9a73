import { describe, expect, test } from "vitest";
import { input, type Value } from "../../../core/graph/value.ts";
import { hyperInput, hyperValues, updateTensor } from "../../../core/nn/dino/optimizer.ts";
import { isDecayed, lastLayer, trainedShapes } from "../../../core/nn/dino/parameters.ts";
import type { TrainingSettings } from "../../../core/nn/dino/settings.ts";
import { evaluate } from "../../helpers/run-graph.ts";
import { settings } from "../../helpers/training-reference.ts";

const constantRate: TrainingSettings = {
  ...settings,
  learningRate: 0.01,
  minimumLearningRate: 0.01,
  warmupIterations: 0,
  weightDecay: [0.1, 0.1],
  teacherMomentum: 0.9,
  iterations: 1e9,
  freezeLastLayer: 0,
};

interface Numbers {
  student: number[];
  teacher: number[];
  first: number[];
  second: number[];
}

/** Iterations of one tensor on its own, from the weights given. */
async function iterate(
  name: string,
  shape: readonly number[],
  start: readonly number[],
  gradients: readonly (readonly number[])[],
  changed: Partial<TrainingSettings> = {},
): Promise<Numbers[]> {
  const all = { ...constantRate, ...changed };
  const names = ["student", "teacher", "first", "second"] as const;
  const inputs = Object.fromEntries(names.map((part) => [part, input(part, shape)])) as Record<keyof Numbers, Value>;
  const next = updateTensor(name, inputs, input("gradient", shape), all.clip, hyperInput());
  const outputs = {
    "next.student": next.student,
    "next.teacher": next.teacher,
    "next.first": next.first,
    "next.second": next.second,
  };
  const zeros = start.map(() => 0);
  let state: Numbers = { student: [...start], teacher: [...start], first: zeros, second: zeros };
  const history: Numbers[] = [];
  for (const [i, gradient] of gradients.entries()) {
    const hyper = hyperValues(all, i);
    const feeds = Object.fromEntries(
      [...names.map((part) => [part, state[part]] as const), ["gradient", gradient] as const].map(([part, data]) => [
        part,
        { shape, data },
      ]),
    );
    const got = await evaluate(outputs, { ...feeds, hyper: { shape: [hyper.length], data: hyper } });
    state = {
      student: got["next.student"],
      teacher: got["next.teacher"],
      first: got["next.first"],
      second: got["next.second"],
    };
    history.push(state);
  }
  return history;
}

/** AdamW as its paper writes it, in float64. */
function adamW(start: number, gradients: readonly number[], rate: number, decay: number): number[] {
  let [weight, first, second] = [start, 0, 0];
  return gradients.map((gradient, i) => {
    first = 0.9 * first + 0.1 * gradient;
    second = 0.999 * second + 0.001 * gradient ** 2;
    weight -= rate * decay * weight;
    weight -= (rate * (first / (1 - 0.9 ** (i + 1)))) / (Math.sqrt(second / (1 - 0.999 ** (i + 1))) + 1e-8);
    return weight;
  });
}

test("AdamW takes the worked example's steps", async () => {
  const history = await iterate("x.weight", [1, 1], [1], [[0.5], [-0.2], [0.1]]);
  [0.9890000002, 0.9845549418, 0.9797764691].forEach((wanted, i) => {
    expect(history[i]?.student[0]).toBeCloseTo(wanted, 6);
  });
});

test("AdamW with tiny gradients feels its epsilon as PyTorch's does", async () => {
  const gradients = [1e-8, 3e-8, -2e-8];
  const history = await iterate(
    "x.weight",
    [1, 1],
    [1],
    gradients.map((gradient) => [gradient]),
  );
  adamW(1, gradients, 0.01, 0.1).forEach((wanted, i) => expect(history[i]?.student[0]).toBeCloseTo(wanted, 6));
});

test("a gradient of norm 5 is clipped to 3, and one below is left alone", async () => {
  const clipped = await iterate("x.weight", [1, 2], [0, 0], [[3, 4]]);
  // The first moment is a tenth of the clipped gradient (1.8, 2.4).
  expect(clipped[0]?.first[0]).toBeCloseTo(0.18, 6);
  expect(clipped[0]?.first[1]).toBeCloseTo(0.24, 6);
  expect(clipped[0]?.second[1]).toBeCloseTo(0.001 * 2.4 ** 2, 8);
  const small = await iterate("x.weight", [1, 2], [0, 0], [[0.3, 0.4]]);
  expect(small[0]?.first[1]).toBeCloseTo(0.04, 8);
  const free = await iterate("x.weight", [1, 2], [0, 0], [[3, 4]], { clip: null });
  expect(free[0]?.first[1]).toBeCloseTo(0.4, 7);
});

test("the teacher follows the student's new weights", async () => {
  const [after] = await iterate("x.weight", [1, 1], [1], [[0.5]]);
  expect(after?.teacher[0]).toBeCloseTo(0.9 * 1 + 0.1 * (after?.student[0] ?? NaN), 6);
});

describe("weight decay", () => {
  test("leaves out biases and vectors, and nothing else", () => {
    const plain = [...trainedShapes(settings)].filter(([name, shape]) => !isDecayed(name, shape)).map(([name]) => name);
    expect(plain.every((name) => /\.bias$|norm\d?\.weight$/.test(name))).toBe(true);
    for (const name of ["cls_token", "pos_embed", "patch_embed.proj.weight"])
      expect(plain).not.toContain(`backbone.${name}`);
    expect(plain).not.toContain(lastLayer.directions);
    expect(plain).toContain("backbone.norm.weight");
    expect(plain).toContain("head.mlp.4.bias");
  });

  test("is not taken off a bias", async () => {
    const [after] = await iterate("x.bias", [1], [1], [[0.5]]);
    expect(after?.student[0]).toBeCloseTo(1 - 0.01, 6);
  });
});

describe("the last layer", () => {
  test("does not move while it is frozen: not by its gradient, not by decay, nor do its moments", async () => {
    const gradients = [[0.5], [-0.2]];
    const history = await iterate(lastLayer.directions, [1, 1], [1], gradients, { freezeLastLayer: 2 });
    for (const { student, first, second } of history) expect([student, first, second]).toEqual([[1], [0], [0]]);
  });

  test("then takes its first step as a first step", async () => {
    const gradients = [0.7, 0.5, -0.2, 0.1];
    const history = await iterate(
      lastLayer.directions,
      [1, 1],
      [1],
      gradients.map((gradient) => [gradient]),
      { freezeLastLayer: 1 },
    );
    [0.9890000002, 0.9845549418, 0.9797764691].forEach((wanted, i) => {
      expect(history[i + 1]?.student[0]).toBeCloseTo(wanted, 6);
    });
  });
});
