import { describe, expect, test } from "vitest";
import { keptMass, keptMassPerHead, keptMassScore, meanOfHeads, torchSum } from "../../core/masks/attention.ts";
import { removeSpikes } from "../../core/masks/spikes.ts";
import { createRandom } from "../../core/util/random.ts";
import { referenceFile } from "../helpers/reference.ts";
import { readSafetensors } from "../helpers/safetensors.ts";

describe("kept mass", () => {
  const reference = readSafetensors(referenceFile("masks.safetensors"));
  const attention = reference.tensor("attention");
  const [pictures = 0, heads = 0, patches = 0] = attention.shape;
  const values = Float32Array.from(attention.data);

  test.each([50, 60, 80])(
    "keeps the patches that the official code keeps at %i percent, all heads, patch for patch",
    (mass) => {
      const expected = reference.tensor(`keep${mass}`).data;
      expect(pictures * heads * patches).toBe(expected.length);
      expect(keptMassPerHead(values, pictures * heads, mass / 100)).toEqual(Uint8Array.from(expected));
    },
  );

  test("scores say the same as the kept mass, at every mass", () => {
    const random = createRandom(3);
    const row = Float32Array.from({ length: 200 }, () => random.next() ** 3);
    for (let mass = 0.02; mass <= 1; mass += 0.02) {
      const scores = keptMassScore(row, mass);
      expect(Array.from(scores, (score) => Number(score >= 0.5))).toEqual([...keptMass(row, mass)]);
      expect(Math.min(...scores)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...scores)).toBeLessThanOrEqual(1);
    }
  });

  test("scores rise with attention", () => {
    const scores = keptMassScore(Float32Array.of(0.1, 0.4, 0.2, 0.3), 0.6);
    expect([scores[0], scores[2], scores[3], scores[1]]).toEqual([...scores].sort((a, b) => a - b));
  });

  test("keeps the fewest patches that hold the mass", () => {
    expect([...keptMass(Float32Array.of(1, 5, 2, 2), 0.5)]).toEqual([0, 1, 0, 0]);
    expect([...keptMass(Float32Array.of(1, 5, 2, 2), 0.6)]).toEqual([0, 1, 0, 1]);
  });

  test("refuses a mass that is no share, with a reason", () => {
    expect(() => keptMass(Float32Array.of(1), 1.5)).toThrow("above 0 and at most 1");
    expect(() => keptMass(Float32Array.of(1), NaN)).toThrow("above 0 and at most 1");
  });
});

test("sums float32 in the order of PyTorch's vectors: the cascade loses less than adding one by one", () => {
  const values = Float32Array.from({ length: 20_000 }, (_, i) => 1 + (i % 7) * 1e-4);
  const exact = values.reduce((sum, value) => sum + value, 0);
  const oneByOne = values.reduce((sum, value) => Math.fround(sum + value), 0);
  expect(Math.abs(torchSum(values) - exact)).toBeLessThan(Math.abs(oneByOne - exact) / 10);
  // Figures of torch 1.13.1 on the CPU: torch.sum(((torch.arange(n) * 37 % 101) / 7 + 0.1) ** 3, dim=-1) in float32.
  for (const [count, sum] of officialSums) {
    const row = Float32Array.from({ length: count }, (_, i) =>
      Math.fround(cubed(Math.fround(Math.fround(((i * 37) % 101) / 7) + Math.fround(0.1)))),
    );
    expect([count, torchSum(row)]).toEqual([count, sum]);
  }
});

function cubed(x: number): number {
  return Math.fround(Math.fround(x * x) * x);
}

const officialSums: readonly (readonly [number, number])[] = [
  [9, 6524.97216796875],
  [40, 30535.771484375],
  [130, 96900.8046875],
  [784, 593091.1875],
  [3600, 2724539.5],
  [20001, 15137401],
];

test("the mean of heads takes those that are named, all unless some are", () => {
  const attention = Float32Array.of(1, 2, 3, 4, 8, 9);
  expect([...meanOfHeads(attention, 3)]).toEqual([4, 5]);
  expect([...meanOfHeads(attention, 3, [0, 1])]).toEqual([2, 3]);
  expect(() => meanOfHeads(attention, 3, [3])).toThrow("heads 0 to 2, not 3");
  expect(() => meanOfHeads(attention, 3, [])).toThrow("heads 0 to 2, not none");
});

describe("spikes", () => {
  test("a lone patch of more than four times its neighbours gets their median", () => {
    const values = Float32Array.of(1, 1, 1, 1, 9, 2, 1, 1, 1);
    expect([...removeSpikes(values, 3, 3)]).toEqual([1, 1, 1, 1, 1, 2, 1, 1, 1]);
  });

  test("an object of two patches stays, and so does a map of one patch", () => {
    const values = Float32Array.of(1, 1, 1, 1, 9, 8, 1, 1, 1);
    expect(removeSpikes(values, 3, 3)).toEqual(values);
    expect([...removeSpikes(Float32Array.of(5), 1, 1)]).toEqual([5]);
  });
});
