import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { CoreError } from "../../core/util/errors.ts";
import { createRandom } from "../../core/util/random.ts";
import { exposeOutput, inspectOnnx } from "../../core/weights/foreign-onnx.ts";

/** One field: a number is written as a varint, everything else with its length. */
type Field = readonly [number: number, value: number | string | Uint8Array];

function message(...fields: readonly Field[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, value] of fields) {
    if (typeof value === "number") writer.tag(number, WireType.Varint).int64(value);
    else if (typeof value === "string") writer.tag(number, WireType.LengthDelimited).string(value);
    else writer.tag(number, WireType.LengthDelimited).bytes(value);
  }
  return writer.finish();
}

function value(name: string, dimensions: readonly (number | string)[] | null, elementType = 1): Uint8Array {
  const shape = (dimensions ?? []).map((side): Field => [1, message(typeof side === "number" ? [1, side] : [2, side])]);
  const tensor = message([1, elementType], ...(dimensions === null ? [] : ([[2, message(...shape)]] as const)));
  return message([1, name], [2, message([1, tensor])]);
}

function constant(name: string, shape: readonly number[], data: Float32Array | BigInt64Array): Uint8Array {
  const sides = shape.map((side): Field => [1, side]);
  const elementType = data instanceof Float32Array ? 1 : 7;
  return message(...sides, [2, elementType], [8, name], [9, new Uint8Array(data.buffer)]);
}

function node(
  operator: string,
  inputs: readonly string[],
  output: string,
  ...attributes: readonly Uint8Array[]
): Uint8Array {
  const fields = inputs.map((name): Field => [1, name]);
  return message(
    ...fields,
    [2, output],
    [3, `${operator}-${output}`],
    [4, operator],
    ...attributes.map((one): Field => [5, one]),
  );
}

const integerAttribute = (name: string, integer: number): Uint8Array => message([1, name], [3, integer], [20, 2]);
const integersAttribute = (name: string, list: readonly number[]): Uint8Array =>
  message([1, name], ...list.map((integer): Field => [8, integer]), [20, 7]);

interface Parts {
  readonly nodes: readonly Uint8Array[];
  readonly constants?: readonly Uint8Array[];
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
  readonly values?: readonly Uint8Array[];
}

function modelOf({ nodes, constants = [], inputs, outputs, values = [] }: Parts, opset = 17): Uint8Array {
  const fields = (number: number, list: readonly Uint8Array[]): Field[] => list.map((one) => [number, one]);
  const graph = message(
    ...fields(1, nodes),
    [2, "graph"],
    ...fields(5, constants),
    ...fields(11, inputs),
    ...fields(12, outputs),
    ...fields(13, values),
  );
  return message([1, 8], [2, "test"], [7, graph], [8, message([1, ""], [2, opset])]);
}

const width = 4;
const picture = value("pixel_values", ["batch", 3, 4, 4]);

/** Patches of 2 px, one attention head, and tokens [N, 4, width] as output; runs in onnxruntime. */
function smallTransformer(outputs: readonly Uint8Array[] = [value("tokens", ["batch", 4, width])]): Uint8Array {
  const random = createRandom(5);
  const noise = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.normal());
  return modelOf({
    nodes: [
      node("Conv", ["pixel_values", "kernel"], "map", integersAttribute("strides", [2, 2])),
      node("Reshape", ["map", "flat"], "columns"),
      node("Transpose", ["columns"], "x", integersAttribute("perm", [0, 2, 1])),
      node("Unsqueeze", ["x", "axis"], "q"),
      node("Transpose", ["q"], "k", integersAttribute("perm", [0, 1, 3, 2])),
      node("MatMul", ["q", "k"], "early"),
      node("Softmax", ["early"], "first", integerAttribute("axis", -1)),
      node("MatMul", ["first", "q"], "q2"),
      node("MatMul", ["q2", "k"], "scores"),
      node("Softmax", ["scores"], "shares", integerAttribute("axis", 3)),
      node("Identity", ["shares"], "shares2"),
      node("MatMul", ["shares2", "q2"], "mixed"),
      node("Squeeze", ["mixed", "axis"], "tokens"),
      node("ReduceMean", ["tokens"], "mean", integersAttribute("axes", [1]), integerAttribute("keepdims", 0)),
      node("Tanh", ["mean"], "pooler_output"),
      // A classifier's softmax feeds no product, so it is not mistaken for attention.
      node("Softmax", ["mean"], "logits"),
    ],
    constants: [
      constant("kernel", [width, 3, 2, 2], noise(width * 12)),
      constant("flat", [3], BigInt64Array.of(0n, BigInt(width), -1n)),
      constant("axis", [1], BigInt64Array.of(1n)),
    ],
    inputs: [picture, value("kernel", [width, 3, 2, 2])],
    outputs,
  });
}

function refusal(bytes: Uint8Array): string {
  try {
    inspectOnnx(bytes);
  } catch (error) {
    return error instanceof CoreError ? `${error.code}: ${error.message}` : `not ours: ${String(error)}`;
  }
  return "no error";
}

describe("choosing", () => {
  test("input, CLS token and last attention of a transformer are found", () => {
    const found = inspectOnnx(smallTransformer());
    expect(found.image).toEqual({ name: "pixel_values", batch: null, height: 4, width: 4 });
    expect(found.embedding).toEqual({ output: "tokens", kind: "tokens", width });
    expect(found.attention).toBe("shares");
    expect(found.model.opset).toBe(17);
    expect(found.model.producer).toBe("test");
    expect(found.model.nodes).toHaveLength(16);
    // A constant that is listed as an input too, as old files do, need not be fed.
    expect(found.model.inputs.map(({ name }) => name)).toEqual(["pixel_values"]);
    expect(found.model.constants[0]).toEqual({ name: "kernel", elementType: 1, shape: [width, 3, 2, 2] });
    expect(found.model.nodes[0]).toMatchObject({
      operator: "Conv",
      inputs: ["pixel_values", "kernel"],
      outputs: ["map"],
    });
  });

  test("a pooled vector is taken before tokens, tokens before an untrained pooler or logits", () => {
    const tokens = value("tokens", ["n", 4, width]);
    const mean = value("mean", ["n", width]);
    const pooler = value("pooler_output", ["n", width]);
    const logits = value("logits", ["n", width]);
    const chosen = (...outputs: Uint8Array[]): string => inspectOnnx(smallTransformer(outputs)).embedding.output;
    expect(chosen(logits, pooler, tokens, mean)).toBe("mean");
    expect(chosen(logits, pooler, tokens)).toBe("tokens");
    expect(chosen(logits, pooler)).toBe("pooler_output");
    expect(chosen(logits)).toBe("logits");
    expect(inspectOnnx(smallTransformer([mean])).embedding).toEqual({ output: "mean", kind: "pooled", width });
  });

  test("an input without any fixed length is taken on trust", () => {
    const open = value("pixel_values", ["batch_size", "num_channels", "height", "width"]);
    const nodes = [node("GlobalAveragePool", ["pixel_values"], "y")];
    const found = inspectOnnx(modelOf({ nodes, inputs: [open], outputs: [value("y", ["n", 8])] }));
    expect(found.image).toEqual({ name: "pixel_values", batch: null, height: null, width: null });
    expect(found.attention).toBeNull();
  });

  test("a softmax over another axis or of another rank is no attention", () => {
    const attention = (opset: number, values: Uint8Array[], ...attributes: Uint8Array[]): string | null =>
      inspectOnnx(
        modelOf(
          {
            nodes: [node("Softmax", ["pixel_values"], "a", ...attributes), node("MatMul", ["a", "v"], "y")],
            inputs: [picture],
            outputs: [value("y", ["n", 4])],
            values,
          },
          opset,
        ),
      ).attention;
    expect(attention(17, [])).toBe("a");
    expect(attention(17, [value("a", ["n", 6, 17, 17])])).toBe("a");
    expect(attention(12, [])).toBeNull();
    expect(attention(12, [], integerAttribute("axis", 3))).toBe("a");
    expect(attention(17, [], integerAttribute("axis", 1))).toBeNull();
    expect(attention(17, [value("a", ["n", 17, 17])])).toBeNull();
    expect(attention(17, [value("a", ["n", 6, 1, 17])])).toBeNull();
  });

  test("models without a picture input or a vector output are refused with what they have", () => {
    const nodes = [node("Identity", ["x"], "y")];
    const y = value("y", ["n", 8]);
    const model = (inputs: Uint8Array[], outputs: Uint8Array[]): string => refusal(modelOf({ nodes, inputs, outputs }));
    expect(model([value("x", ["n", "t"], 7)], [y])).toMatch(/^onnx-unsupported: .*x \[n, t\]/);
    expect(model([value("x", ["n", 224, 224, 3])], [y])).toMatch(/^onnx-unsupported: .*\[n, 224, 224, 3\]/);
    expect(model([value("x", ["n", 3, 224, 224], 10)], [y])).toMatch(/^onnx-unsupported: .*element type 10/);
    expect(model([picture, value("input_ids", ["n", "t"], 7)], [y])).toMatch(/^onnx-unsupported: .*2 inputs/);
    expect(model([], [y])).toMatch(/^onnx-unsupported: .*0 inputs/);
    expect(model([picture], [value("y", ["n", 8, 7, 7])])).toMatch(/^onnx-unsupported: .*y \[n, 8, 7, 7\]/);
    expect(model([picture], [value("y", null)])).toMatch(/^onnx-unsupported: /);
    expect(model([picture], [])).toMatch(/^onnx-unsupported: /);
  });
});

describe("exposing a value", () => {
  test("onnxruntime gives the attention as one more output and leaves the others as they were", async () => {
    const bytes = smallTransformer();
    const attention = inspectOnnx(bytes).attention ?? "";
    const exposed = exposeOutput(bytes, attention);
    expect(inspectOnnx(exposed).model.outputs.map(({ name }) => name)).toEqual(["tokens", "shares"]);

    const random = createRandom(2);
    const input = new Tensor(
      "float32",
      Float32Array.from({ length: 96 }, () => random.normal()),
      [2, 3, 4, 4],
    );
    // Without its warning about the constant that is listed as an input.
    const quiet = { logSeverityLevel: 3 } as const;
    const before = await (await InferenceSession.create(bytes, quiet)).run({ pixel_values: input });
    const after = await (await InferenceSession.create(exposed, quiet)).run({ pixel_values: input });
    expect(after.tokens?.data).toEqual(before.tokens?.data);
    expect(after.shares?.dims).toEqual([2, 1, 4, 4]);
    const shares = after.shares?.data as Float32Array;
    for (let row = 0; row < shares.length; row += 4) {
      const sum = shares.subarray(row, row + 4).reduce((total, share) => total + share, 0);
      // Four float32 shares that were divided by their sum.
      expect(sum).toBeCloseTo(1, 6);
    }
  });

  test("an output is not exposed twice, and a value that is not there is refused", () => {
    const bytes = smallTransformer();
    expect(exposeOutput(bytes, "tokens")).toBe(bytes);
    const exposed = exposeOutput(bytes, "shares");
    expect(exposeOutput(exposed, "shares")).toBe(exposed);
    expect(() => exposeOutput(bytes, "nothing")).toThrow(/No node .* nothing/);
  });
});

describe("hostile files", () => {
  const parts: Parts = {
    nodes: [node("Identity", ["pixel_values"], "y")],
    inputs: [picture],
    outputs: [value("y", ["n", 8])],
  };
  const location = message([1, "location"], [2, "../../../etc/passwd"]);
  const external = message([1, 4], [2, 1], [8, "w"], [13, location], [14, 1]);

  test("data in another file is refused wherever it is named", () => {
    const withNode = (...attributes: Uint8Array[]): Uint8Array =>
      modelOf({ ...parts, nodes: [node("If", ["pixel_values"], "y", ...attributes)] });
    const subgraph = message([5, external]);
    const nested = message([1, node("If", ["c"], "z", message([1, "then_branch"], [6, subgraph]))]);
    const cases = {
      "a constant": modelOf({ ...parts, constants: [external] }),
      "a constant without the flag": modelOf({ ...parts, constants: [message([8, "w"], [13, location])] }),
      "a flag alone": modelOf({ ...parts, constants: [message([8, "w"], [14, 1])] }),
      "an attribute": withNode(message([1, "value"], [5, external])),
      "a list attribute": withNode(message([1, "values"], [10, external])),
      "a sparse attribute": withNode(message([1, "value"], [22, message([1, external])])),
      "a graph inside a node": withNode(message([1, "then_branch"], [6, subgraph])),
      "a graph inside a graph": withNode(message([1, "branches"], [11, nested])),
      "a function": Buffer.concat([
        modelOf(parts),
        message([25, message([7, node("Constant", [], "c", message([1, "value"], [5, external]))])]),
      ]),
      "a sparse constant": Buffer.concat([modelOf(parts), message([7, message([15, message([2, external])])])]),
      "a second piece of the graph": Buffer.concat([modelOf(parts), message([7, message([5, external])])]),
    };
    for (const [name, bytes] of Object.entries(cases)) expect(refusal(bytes), name).toMatch(/^onnx-external-data: /);
  });

  test("deep nesting, training instructions, long names and impossible shapes are refused", () => {
    let graph = message([1, node("Identity", ["a"], "b")]);
    for (let depth = 0; depth < 5000; depth++) {
      graph = message([1, message([4, "If"], [5, message([1, "then_branch"], [6, graph])])]);
    }
    expect(refusal(message([1, 8], [7, graph]))).toMatch(/^onnx-invalid: .*nested/);
    expect(refusal(Buffer.concat([modelOf(parts), message([20, "x"])]))).toMatch(/^onnx-invalid: .*training/);
    expect(refusal(modelOf({ ...parts, nodes: [node("Identity", ["x".repeat(5000)], "y")] }))).toMatch(
      /^onnx-invalid: /,
    );
    expect(refusal(modelOf({ ...parts, constants: [message([1, -4], [8, "w"])] }))).toMatch(/^onnx-invalid: .*shape/);
    expect(refusal(modelOf({ ...parts, constants: [message(...Array<Field>(17).fill([1, 1]))] }))).toMatch(
      /^onnx-invalid: /,
    );
    expect(refusal(new Uint8Array(0))).toMatch(/^onnx-invalid: /);
    expect(refusal(Buffer.from("PK\x03\x04 something else"))).toMatch(/^onnx-invalid: /);
  });

  test("a file cut anywhere, changed anywhere, or of random bytes gives a result or an error of ours", () => {
    const bytes = smallTransformer();
    const ours = /^(no error$|onnx-)/;
    for (let size = 0; size < bytes.byteLength; size += 3) expect(refusal(bytes.subarray(0, size))).toMatch(ours);
    const edits = fc.array(fc.tuple(fc.nat(bytes.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(edits, (changes) => {
        const changed = Uint8Array.from(bytes);
        for (const [position, byte] of changes) changed[position] = byte;
        expect(refusal(changed)).toMatch(ours);
      }),
      { numRuns: 1000, seed: 8 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (random) => {
        expect(refusal(random)).toMatch(ours);
      }),
      { numRuns: 500, seed: 9 },
    );
  });
});
