import { expect, test } from "vitest";
import { neighbourGraph } from "../../core/nn/neighbour-graph.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floatOutput, floats } from "../../core/runtime/runtime.ts";
import { createRandom } from "../../core/util/random.ts";
import { largestDifference, uniformFloats } from "../helpers/tensors.ts";

test("the nearest rows are those that sorting all products finds", async () => {
  const [queries, rows, width, count] = [5, 40, 12, 7];
  const random = createRandom(3);
  const bank = uniformFloats(random, rows * width);
  const asked = uniformFloats(random, queries * width);
  const program = await createOrtRuntime("cpu").load(neighbourGraph(queries, rows, width, count));
  const outputs = await program.run({ queries: floats(asked, [queries, width]), bank: floats(bank, [rows, width]) });
  await program.release();

  const ranked = Array.from({ length: queries }, (_, query) =>
    Array.from({ length: rows }, (_, row) => {
      let product = 0;
      for (let i = 0; i < width; i++) product += (asked[query * width + i] ?? 0) * (bank[row * width + i] ?? 0);
      return { row, product };
    })
      .sort((a, b) => b.product - a.product)
      .slice(0, count),
  ).flat();
  const { shape, data } = floatOutput(outputs, "similarities");
  expect(shape).toEqual([queries, count]);
  // Sums of 12 products below 4 in float32.
  expect(
    largestDifference(
      data,
      ranked.map(({ product }) => product),
    ),
  ).toBeLessThan(1e-5);
  expect(Array.from(outputs["rows"]?.data ?? [], Number)).toEqual(ranked.map(({ row }) => row));
});
