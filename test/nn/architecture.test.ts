import { expect, test } from "vitest";
import { namedArchitecture, weightShapes, type Architecture } from "../../core/nn/architecture.ts";
import { multiplyAdds } from "../../core/nn/embedding-graph.ts";
import { refusalOf } from "../helpers/refusal.ts";

const parameterCount = (architecture: Architecture): number =>
  [...weightShapes(architecture).values()].reduce((sum, shape) => sum + shape.reduce((size, d) => size * d, 1), 0);

// Counted in PyTorch on the official models.
test.each([
  ["vit-tiny", 16, 5_524_416],
  ["vit-small", 16, 21_665_664],
  ["vit-small", 8, 21_670_272],
  ["vit-base", 16, 85_798_656],
  ["vit-base", 8, 85_807_872],
] as const)("%s with patches of %i has the official model's %i parameters in 150 tensors", (name, patch, count) => {
  const architecture = namedArchitecture(name, patch);
  expect(parameterCount(architecture)).toBe(count);
  expect(weightShapes(architecture).size).toBe(150);
  expect(architecture.width / architecture.heads).toBe(64);
});

test("DINOv2's small model with registers differs from DINO's by what the papers say", () => {
  const architecture: Architecture = {
    ...namedArchitecture("vit-small", 14, 518),
    registers: 4,
    layerScale: true,
  };
  const patches = 384 * 3 * (14 ** 2 - 16 ** 2);
  const positions = 384 * (37 ** 2 - 14 ** 2);
  const registers = 384 * 4;
  const layerScale = 384 * 2 * 12;
  expect(parameterCount(architecture)).toBe(21_665_664 + patches + positions + registers + layerScale);
  expect(weightShapes(architecture).size).toBe(150 + 1 + 2 * 12);
});

test("an image size that does not divide into patches is refused", () => {
  expect(refusalOf(() => namedArchitecture("vit-tiny", 16, 100))).toBe(
    "option-invalid: The image size 100 is not a multiple of the patch size 16.",
  );
});

test.each([
  // GMAC measured on the official models, to two digits after the point.
  ["vit-small", 224, 4.6],
  ["vit-small", 96, 0.81],
  ["vit-tiny", 224, 1.25],
  ["vit-tiny", 96, 0.21],
] as const)("%s at %i px takes %f billion multiply-adds", (name, size, billions) => {
  expect(multiplyAdds(namedArchitecture(name), size, size) / 1e9).toBeCloseTo(billions, 2);
});
