import { expect, test } from "vitest";
import { gradients } from "../../../core/graph/gradient.ts";
import { constant, input } from "../../../core/graph/value.ts";
import { prototypeScores } from "../../../core/nn/dino/head.ts";
import { headShapes, initialHead } from "../../../core/nn/dino/parameters.ts";
import { createRandom } from "../../../core/util/random.ts";
import { evaluate } from "../../helpers/run-graph.ts";

test("the worked example: scores, and the gradients of bottleneck, directions and scales", async () => {
  const x = input("x", [1, 2]);
  const v = input("v", [3, 2]);
  const g = input("g", [3, 1]);
  const y = prototypeScores(x, v, g);
  const upstream = constant(Float32Array.of(0.1, -0.2, 0.3), [1, 3]);
  const [dx, dv, dg] = gradients([{ value: y, gradient: upstream }], [x, v, g]);
  if (dx === undefined || dv === undefined || dg === undefined) throw new Error("three gradients");
  const got = await evaluate(
    { y, dx, dv, dg, fixed: prototypeScores(x, v, undefined) },
    {
      x: { shape: [1, 2], data: [3, 4] },
      v: { shape: [3, 2], data: [1, 2, 2, -1, 0, 0.5] },
      g: { shape: [3, 1], data: [1, 1, 1] },
    },
  );
  const wanted = {
    y: [0.98387, 0.178885, 0.8],
    fixed: [0.98387, 0.178885, 0.8],
    dx: [-0.063146, 0.04736],
    dv: [0.007155, -0.003578, -0.039355, -0.07871, 0.36, 0],
    dg: [0.098387, -0.035777, 0.24],
  };
  for (const [name, values] of Object.entries(wanted)) {
    values.forEach((value, i) => expect(got[name as keyof typeof wanted][i], name).toBeCloseTo(value, 5));
  }
});

test("a fresh head has the paper's size, distributions and scales", () => {
  const settings = { hidden: 2048, bottleneck: 256, prototypes: 4096, fixedScale: true };
  const count = [...headShapes(settings, 192).values()].reduce(
    (sum, shape) => sum + shape.reduce((a, b) => a * b, 1),
    0,
  );
  // 6.17 million on a width of 192 with 4,096 prototypes, the scales among them.
  expect(count / 1e6).toBeCloseTo(6.17, 2);

  const head = initialHead({ ...settings, hidden: 64, prototypes: 128 }, 192, createRandom(1));
  const data = (name: string): Float32Array => head.get(name)?.data ?? new Float32Array();
  const deviation = Math.sqrt(data("head.mlp.0.weight").reduce((sum, x) => sum + x * x, 0) / (64 * 192));
  expect(deviation).toBeCloseTo(0.02, 3);
  expect(data("head.mlp.2.bias").every((x) => x === 0)).toBe(true);
  expect(data("head.last_layer.weight_g").every((x) => x === 1)).toBe(true);
  const directions = data("head.last_layer.weight_v");
  // Uniform within 1 / sqrt(256): the largest of 32,768 comes close to the bound.
  expect(Math.max(...directions)).toBeGreaterThan(0.062);
  expect(Math.max(...directions.map(Math.abs))).toBeLessThanOrEqual(1 / 16);
});
