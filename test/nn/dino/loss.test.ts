import { expect, test } from "vitest";
import { globalLoss, localLoss, pairCount, targetsOf } from "../../../core/nn/dino/loss.ts";
import { constant, input, scalar } from "../../../core/graph/value.ts";
import { createRandom } from "../../../core/util/random.ts";
import { evaluate } from "../../helpers/run-graph.ts";
import { uniformFloats } from "../../helpers/tensors.ts";

// One picture, two global views and a local one, four prototypes; computed with PyTorch.
const student = [
  [0.2, 0, 0.1, -0.1],
  [0.1, 0.3, -0.2, 0],
  [-0.1, 0.15, 0.25, 0.05],
];
const teacher = [0.3, -0.1, 0.05, 0.2, 0.25, 0, -0.2, 0.1];
const centre = [0.05, -0.05, 0, 0.02];

function floats(values: readonly number[], shape: readonly number[]) {
  return constant(Float32Array.from(values), shape);
}

test("the worked example: targets, loss, entropy and the gradient of every score", async () => {
  const pairs = pairCount(1);
  expect(pairs).toBe(4);
  const targets = targetsOf(floats(teacher, [2, 4]), floats(centre, [1, 4]), scalar(1 / 0.04));
  const globals = globalLoss(
    floats(
      [student[0], student[1]].flatMap((row) => row ?? []),
      [2, 4],
    ),
    targets.probabilities,
    0.1,
    1 / pairs,
  );
  const locals = localLoss(floats(student[2] ?? [], [1, 4]), targets.probabilities, 0.1, 1 / pairs);
  const got = await evaluate({
    targets: targets.probabilities,
    entropy: targets.entropySum,
    globalLoss: globals.lossSum,
    localLoss: locals.lossSum,
    globalGradient: globals.gradient,
    localGradient: locals.gradient,
  });
  const close = (values: readonly number[], wanted: readonly number[], digits: number): void => {
    expect(values).toHaveLength(wanted.length);
    wanted.forEach((value, i) => expect(values[i]).toBeCloseTo(value, digits));
  };
  close(got.targets, [0.846693, 0.000468, 0.005705, 0.147133, 0.931662, 0.021911, 0.000042, 0.046385], 5);
  const loss = ((got.globalLoss[0] ?? NaN) + (got.localLoss[0] ?? NaN)) / pairs;
  const entropy = (got.entropy[0] ?? NaN) / 2;
  expect(loss).toBeCloseTo(2.612671, 5);
  expect(entropy).toBeCloseTo(0.374232, 5);
  expect(loss - entropy).toBeCloseTo(2.23844, 5);
  close(got.globalGradient, [-0.71937, 0.163084, 0.592101, -0.035815, -1.83286, 2.096391, -0.000129, -0.263402], 4);
  close(got.localGradient, [-4.347425, 1.143598, 3.246334, -0.042507], 4);
});

test("without a centre, scores are targets as they are", async () => {
  const plain = targetsOf(floats(teacher, [2, 4]), undefined, scalar(25));
  const zero = targetsOf(floats(teacher, [2, 4]), floats([0, 0, 0, 0], [1, 4]), scalar(25));
  const got = await evaluate({ plain: plain.probabilities, zero: zero.probabilities });
  expect(got.plain).toEqual(got.zero);
});

test("uses count in how many rows each prototype is the largest", async () => {
  const scores = [0, 1, 0.5, 0.2, 2, 0, 0, 3, 0, 9, 8, 7];
  const { uses } = targetsOf(floats(scores, [4, 3]), undefined, scalar(25));
  expect((await evaluate({ uses })).uses).toEqual(
    [0, 4, 0].map(
      (_, k) =>
        [0, 1, 2, 3].filter((row) => {
          const values = scores.slice(3 * row, 3 * row + 3);
          return values[k] === Math.max(...values);
        }).length,
    ),
  );
});

test("the gradient is that of the loss: central differences on several pictures and local views", async () => {
  const [pictures, views, prototypes, share] = [3, 2, 5, 0.25];
  const random = createRandom(5);
  const scores = {
    shape: [views * pictures, prototypes],
    data: uniformFloats(random, views * pictures * prototypes, -1, 1),
  };
  const both = targetsOf(
    floats([...uniformFloats(random, 2 * pictures * prototypes, -0.2, 0.2)], [2 * pictures, prototypes]),
    undefined,
    scalar(25),
  );
  const { lossSum, gradient } = localLoss(input("scores", scores.shape), both.probabilities, 0.1, share);
  const at = async (i: number, step: number): Promise<number> => {
    const data = scores.data.map((value, j) => (i === j ? value + step : value));
    return (await evaluate({ lossSum }, { scores: { ...scores, data } })).lossSum[0] ?? NaN;
  };
  const analytic = (await evaluate({ gradient }, { scores })).gradient;
  for (const i of [0, 7, 13, 29]) {
    const numeric = (share * ((await at(i, 1e-2)) - (await at(i, -1e-2)))) / 2e-2;
    // A step of 0.01 at temperature 0.1: the third derivative leaves about a thousandth of a gradient around 1.
    expect(Math.abs((analytic[i] ?? NaN) - numeric), `score ${i}`).toBeLessThan(1e-2);
  }
});

test("scores far apart give finite losses and gradients", async () => {
  const targets = targetsOf(floats([500, -500, 0, -500, 500, 0], [2, 3]), undefined, scalar(50));
  const { lossSum, gradient } = globalLoss(floats([-300, 300, 0, 300, -300, 0], [2, 3]), targets.probabilities, 0.1, 1);
  const got = await evaluate({ lossSum, gradient, entropy: targets.entropySum });
  expect([...got.lossSum, ...got.gradient, ...got.entropy].every(Number.isFinite)).toBe(true);
});
