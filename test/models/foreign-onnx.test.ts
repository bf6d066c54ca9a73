import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createGraph } from "../../core/graph/graph.ts";
import { encodeOnnx } from "../../core/graph/onnx.ts";
import { matMul } from "../../core/graph/ops/linear.ts";
import { reshape } from "../../core/graph/ops/movement.ts";
import { constant, input, type Dimension } from "../../core/graph/value.ts";
import { embedImages } from "../../core/jobs/embed.ts";
import { ingestFolder } from "../../core/jobs/ingest.ts";
import { importModel, modelAtSize } from "../../core/jobs/models.ts";
import { listModels } from "../../core/library/models.ts";
import { createRandom } from "../../core/util/random.ts";
import { embedded, somePictures } from "../helpers/embeddings.ts";
import { drawPictures } from "../helpers/pictures.ts";
import { refusalOf, refusalOfAsync } from "../helpers/refusal.ts";
import { uniformFloats } from "../helpers/tensors.ts";
import { temporaryWorkplace } from "../helpers/workplace.ts";
import { sharedEngine } from "../helpers/shared-engine.ts";
import { temporaryFolder } from "../library/support.ts";

const engine = sharedEngine();

const side = 16;
const values = 3 * side * side;
const features = 8;

/** A model of the simplest kind: every row of pixels times a fixed matrix. `tokens` rows a picture, or a plain vector. */
function linearModel(batch: Dimension, { height = side, width = side, tokens = 0 } = {}): Uint8Array<ArrayBuffer> {
  const pixels = input("pixels", [batch, 3, height, width]);
  const length = (3 * height * width) / Math.max(1, tokens);
  const matrix = constant(uniformFloats(createRandom(4), length * features), [length, features]);
  const rows = reshape(pixels, tokens > 0 ? [batch, tokens, length] : [batch, length]);
  return encodeOnnx(createGraph("linear", { embedding: matMul(rows, matrix) }));
}

function fileOf(bytes: Uint8Array, name = "linear.onnx"): string {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, bytes);
  return file;
}

describe("an ONNX file of others", () => {
  test("with a vector and no attention gives embeddings without attention", async () => {
    const workplace = temporaryWorkplace(engine);
    const model = await importModel(workplace, fileOf(linearModel("n")), {});
    expect(model).toMatchObject({
      kind: "onnx",
      file: "models/linear.onnx",
      imageSize: side,
      width: features,
      trained: true,
    });
    expect(model.provenance).toMatchObject({ format: "onnx", notes: { attention: false } });
    const seen = await embedded(workplace, model, await somePictures(5));
    for (const { vector, attention } of seen) {
      expect(attention).toBeNull();
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    }
    expect(new Set(seen.map(({ vector }) => vector.join())).size).toBe(5);
  });

  test("with a batch of one is run picture by picture, with the same result", async () => {
    const workplace = temporaryWorkplace(engine);
    const open = await importModel(workplace, fileOf(linearModel("n")), { name: "open" });
    const single = await importModel(workplace, fileOf(linearModel(1)), { name: "single" });
    const pictures = await somePictures(5);
    const expected = await embedded(workplace, open, pictures);
    const found = await embedded(workplace, single, pictures);
    found.forEach(({ vector }, i) => {
      const wanted = expected[i]?.vector ?? new Float32Array(0);
      // Unit vectors; products of one row and of several may add up in another order.
      expect(Math.hypot(...vector.map((value, k) => value - (wanted[k] ?? NaN)))).toBeLessThan(2e-6);
    });
  });

  test("with tokens [N, T, D] gives the first of them, the CLS token", async () => {
    const workplace = temporaryWorkplace(engine);
    const tokens = await importModel(workplace, fileOf(linearModel("n", { tokens: 4 })), {});
    expect(tokens.width).toBe(features);
    // The first token of four is a quarter of the pixels: the model of the upper quarter alone, by the same matrix.
    const [picture = ""] = await somePictures(1);
    const [seen] = await embedded(workplace, tokens, [picture]);
    expect(seen?.vector).toHaveLength(features);
    expect(seen?.attention).toBeNull();
    const pooled = await importModel(workplace, fileOf(firstToken()), { name: "first" });
    const [alone] = await embedded(workplace, pooled, [picture]);
    expect(Math.hypot(...(seen?.vector.map((value, k) => value - (alone?.vector[k] ?? NaN)) ?? [1]))).toBeLessThan(
      2e-6,
    );
  });

  /** The first token of `linearModel` with four, as a vector: its matrix with zeros below the first quarter. */
  function firstToken(): Uint8Array {
    const matrix = new Float32Array(values * features);
    matrix.set(uniformFloats(createRandom(4), (values / 4) * features));
    const rows = reshape(input("pixels", ["n", 3, side, side]), ["n", values]);
    return encodeOnnx(createGraph("first", { embedding: matMul(rows, constant(matrix, [values, features])) }));
  }

  test("goes through the whole way of a library: pictures in, embeddings out", async () => {
    const workplace = temporaryWorkplace(engine);
    const folder = temporaryFolder();
    await drawPictures(folder, 5, { seed: 1 });
    await ingestFolder(workplace, folder);
    const model = await importModel(workplace, fileOf(linearModel(1)), {});
    expect(await embedImages(workplace, model, { device: "cpu" })).toMatchObject({ embedded: 5, failed: [] });
    expect(refusalOf(() => modelAtSize(workplace, model, 32))).toBe(
      "option-invalid: linear came as ONNX and takes pictures of 16 px only.",
    );
  });

  test("is known by its content, whatever its name says", async () => {
    const workplace = temporaryWorkplace(engine);
    expect(await importModel(workplace, fileOf(linearModel("n"), "weights.bin"), {})).toMatchObject({
      kind: "onnx",
      file: "models/weights.onnx",
    });
  });
});

describe("an ONNX file that cannot be used", () => {
  const good = linearModel("n");
  /** The same file with a constant whose values lie in another file: of a protocol buffer followed by another, lists add up. */
  const external = ((): Uint8Array => {
    const tensor = new BinaryWriter()
      .tag(8, WireType.LengthDelimited)
      .string("w")
      .tag(14, WireType.Varint)
      .int32(1)
      .finish();
    const graph = new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(tensor).finish();
    return Buffer.concat([good, new BinaryWriter().tag(7, WireType.LengthDelimited).bytes(graph).finish()]);
  })();
  const unknownOperator = Buffer.from(Buffer.from(good).toString("latin1").replaceAll("MatMul", "MatNul"), "latin1");
  const rows = input("features", ["n", 10]);
  const notPictures = encodeOnnx(createGraph("rows", { out: matMul(rows, constant(new Float32Array(20), [10, 2])) }));

  test.each([
    ["takes no pictures", notPictures, /^onnx-unsupported: .* expected a picture \[N, 3, H, W\]/],
    ["keeps its weights elsewhere", external, /^onnx-external-data: /],
    ["ends early", good.subarray(0, good.length / 2), /^onnx-invalid: /],
    [
      "uses an operator that nobody knows",
      unknownOperator,
      /^onnx-unsupported: onnxruntime cannot run this ONNX file: .*MatNul/,
    ],
    [
      "takes four pictures at a time",
      linearModel(4),
      /^onnx-unsupported: The model takes exactly 4 pictures at a time/,
    ],
    ["takes no squares", linearModel("n", { height: 32, width: 16 }), /^onnx-unsupported: .* 32 x 16; only squares/],
  ])("because it %s is refused, and nothing is left in the library", async (_, bytes, refusal) => {
    const workplace = temporaryWorkplace(engine);
    const found = await refusalOfAsync(() => importModel(workplace, fileOf(bytes), {}));
    expect(found).toMatch(refusal);
    expect(listModels(workplace.library.db)).toEqual([]);
    expect(readdirSync(join(workplace.library.folder, "models"))).toEqual([]);
  });

  test("because it asks for enormous pictures is refused before one is made", async () => {
    const pixels = input("pixels", ["n", 3, 100_000, 100_000]);
    const bytes = encodeOnnx(createGraph("vast", { out: reshape(pixels, ["n", 30_000_000_000]) }));
    const workplace = temporaryWorkplace(engine);
    expect(await refusalOfAsync(() => importModel(workplace, fileOf(bytes), {}))).toBe(
      "onnx-unsupported: The model takes pictures of 100000 px; at most 2048 are supported.",
    );
  });

  test("with options that are for weights is a mistake of usage", async () => {
    const workplace = temporaryWorkplace(engine);
    const file = fileOf(good);
    for (const options of [{ heads: 3 }, { part: "student" as const }]) {
      expect(await refusalOfAsync(() => importModel(workplace, file, options))).toMatch(/^option-invalid: /);
    }
  });
});
