import { expect, test } from "vitest";
import { lookSize } from "../../core/rpc/look-size.ts";

test.each([
  [{ patch: 16 }, 448],
  [{ patch: 14 }, 392],
  [{ patch: 8 }, 224],
  [null, 448],
])("a model of %j looks at %i pixels", (architecture, size) => {
  expect(lookSize({ architecture })).toBe(size);
});
