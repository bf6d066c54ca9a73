import { describe, expect, test } from "vitest";
import { weightShapes, type Architecture } from "../../core/nn/architecture.ts";
import { initialWeights } from "../../core/nn/initial-weights.ts";

const architecture: Architecture = {
  width: 64,
  depth: 2,
  heads: 2,
  hidden: 256,
  patch: 16,
  grid: 8,
  registers: 4,
  layerScale: true,
  positionOffset: 0,
  positionAntialias: true,
};
const weights = initialWeights(architecture, 7);

function mean(data: Float32Array): number {
  return data.reduce((sum, value) => sum + value, 0) / data.length;
}

function deviation(data: Float32Array): number {
  const centre = mean(data);
  return Math.sqrt(data.reduce((sum, value) => sum + (value - centre) ** 2, 0) / data.length);
}

test("there is a tensor for every name, in its shape and in order", () => {
  const shapes = [...weights].map(([name, { shape, data }]) => {
    expect(data).toHaveLength(shape.reduce((product, size) => product * size, 1));
    return [name, shape];
  });
  expect(shapes).toEqual([...weightShapes(architecture)]);
});

test("the same seed gives the same weights, another seed others", () => {
  expect(initialWeights(architecture, 7)).toEqual(weights);
  const others = initialWeights(architecture, 8);
  for (const name of ["cls_token", "patch_embed.proj.bias", "blocks.1.mlp.fc2.weight"]) {
    expect(others.get(name)?.data).not.toEqual(weights.get(name)?.data);
  }
});

test("no two tensors are drawn alike", () => {
  const first = weights.get("blocks.0.attn.qkv.weight")?.data ?? [];
  expect(weights.get("blocks.1.attn.qkv.weight")?.data).not.toEqual(first);
});

describe.each([...weights])("%s", (name, { data }) => {
  if (/norm\d?\.weight$/.test(name)) test("is 1 everywhere", () => expect(new Set(data)).toEqual(new Set([1])));
  else if (name.endsWith(".gamma")) {
    test("is 1e-5 everywhere", () => expect(new Set(data)).toEqual(new Set([Math.fround(1e-5)])));
  } else if (name.startsWith("patch_embed")) {
    test("is spread evenly within 1 / sqrt(3 * 16 * 16)", () => {
      // The patch kernel's 49,152 draws fill the interval to the last percent; its bias has only 64.
      const bound = 1 / Math.sqrt(768);
      const spread = name.endsWith("weight") ? 0.01 : 0.25;
      expect(Math.max(...data)).toBeLessThan(bound);
      expect(Math.min(...data)).toBeGreaterThan(-bound);
      expect(Math.abs(deviation(data) / (bound / Math.sqrt(3)) - 1)).toBeLessThan(spread);
    });
  } else if (name.endsWith(".bias")) test("is 0 everywhere", () => expect(new Set(data)).toEqual(new Set([0])));
  else {
    test("is normal with standard deviation 0.02 around 0", () => {
      // Four standard errors of the deviation and of the mean for this many draws.
      const error = 4 / Math.sqrt(data.length);
      expect(Math.abs(deviation(data) / 0.02 - 1)).toBeLessThan(error / Math.SQRT2);
      expect(Math.abs(mean(data))).toBeLessThan(0.02 * error);
      // A uniform spread of that deviation would end at 0.035.
      if (data.length > 1000) expect(Math.max(...data)).toBeGreaterThan(0.05);
    });
  }
});
