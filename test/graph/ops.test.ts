import { describe, expect, test } from "vitest";
import {
  add,
  detach,
  divide,
  elementwiseOps,
  erf,
  exp,
  gelu,
  log,
  multiply,
  negate,
  squareRoot,
  subtract,
} from "../../core/graph/ops/elementwise.ts";
import { linearOps, matMul } from "../../core/graph/ops/linear.ts";
import {
  concat,
  expand,
  pad,
  padFront,
  reshape,
  slice,
  split,
  transpose,
  transposeLast,
} from "../../core/graph/ops/movement.ts";
import { argMax, largest, layerNorm, mean, reduceOps, softmax, sum, topK } from "../../core/graph/ops/reduce.ts";
import { equal, floor, greater, maximum, minimum, selectOps, where } from "../../core/graph/ops/select.ts";
import { opRecord, ops, type OpName } from "../../core/graph/table.ts";
import { constant, formatType, input, known, scalar, type Shape, type Value } from "../../core/graph/value.ts";
import { refusalOf } from "../helpers/refusal.ts";

const floats = (...shape: Shape): Value => input("floats", shape);
const positions = (...shape: Shape): Value => input("positions", shape, "int64");

/** For each operator: what it gives, and the sentence with which it refuses what does not fit. */
interface ShapeCases {
  readonly gives: readonly (readonly [result: () => Value | readonly Value[], types: string])[];
  readonly refuses: readonly (readonly [attempt: () => unknown, sentence: string])[];
}

const binary = { ...elementwiseOps, ...selectOps };
const broadcasting = (
  name: "add" | "subtract" | "multiply" | "divide" | "minimum" | "maximum",
  apply: typeof add,
): ShapeCases => ({
  gives: [
    [() => apply(floats(2, 3), floats(2, 3)), "float32[2,3]"],
    [() => apply(floats(2, 1, 3), floats(4, 1)), "float32[2,4,3]"],
    [() => apply(floats(), floats(5)), "float32[5]"],
    [() => apply(floats("batch", 1), floats(3)), "float32[batch,3]"],
    [() => apply(floats(1, 3), floats("batch", 3)), "float32[batch,3]"],
    [() => apply(positions(2), positions(1)), "int64[2]"],
  ],
  refuses: [
    [() => apply(floats(2, 3), floats(2)), `${name} cannot broadcast [2,3] with [2].`],
    [() => apply(floats("batch"), floats(3)), `${name} cannot broadcast [batch] with [3].`],
    [() => apply(floats("batch"), floats("rows")), `${name} cannot broadcast [batch] with [rows].`],
    [() => apply(floats(2), positions(2)), `${name} cannot mix float32[2] with int64[2].`],
    [() => binary[name].apply([floats(2)], {}), `${name} needs two inputs, got float32[2].`],
  ],
});

function keeping(
  name: "negate" | "detach" | "squareRoot" | "exp" | "log" | "erf" | "gelu" | "floor",
  apply: typeof exp,
): ShapeCases {
  return {
    gives: [[() => apply(floats("batch", 3)), "float32[batch,3]"]],
    refuses: [[() => binary[name].apply([], {}), `${name} needs an input.`]],
  };
}

function reducing(name: "sum" | "mean" | "largest", apply: typeof sum): ShapeCases {
  return {
    gives: [
      [() => apply(floats("batch", 3, 4), [0, -1], false), "float32[3]"],
      [() => apply(floats("batch", 3, 4), [0, -1], true), "float32[1,3,1]"],
      [() => apply(floats(2), [0], false), "float32[]"],
    ],
    refuses: [
      [() => apply(floats(2), [1], true), `${name} got axis 1 for a tensor of 1 dimensions.`],
      [() => apply(floats(2, 3), [1, -1], true), `${name} cannot reduce axes [1,1] of [2,3].`],
      // ONNX reads no axes as all of them.
      [() => apply(floats(2, 3), [], true), `${name} cannot reduce axes [] of [2,3].`],
    ],
  };
}

function comparing(name: "greater" | "equal", apply: typeof add): ShapeCases {
  return {
    gives: [
      [() => apply(floats("batch", 1), floats(3)), "bool[batch,3]"],
      [() => apply(positions(2), positions(2)), "bool[2]"],
    ],
    refuses: [
      [() => apply(floats(2), positions(2)), `${name} cannot mix float32[2] with int64[2].`],
      [() => apply(floats(2), floats(3)), `${name} cannot broadcast [2] with [3].`],
    ],
  };
}

const cases: Record<OpName, ShapeCases> = {
  add: broadcasting("add", add),
  subtract: broadcasting("subtract", subtract),
  multiply: broadcasting("multiply", multiply),
  divide: broadcasting("divide", divide),
  minimum: broadcasting("minimum", minimum),
  maximum: broadcasting("maximum", maximum),
  negate: keeping("negate", negate),
  detach: keeping("detach", detach),
  squareRoot: keeping("squareRoot", squareRoot),
  exp: keeping("exp", exp),
  log: keeping("log", log),
  erf: keeping("erf", erf),
  gelu: keeping("gelu", gelu),
  floor: keeping("floor", floor),
  matMul: {
    gives: [
      [() => matMul(floats(2, 3), floats(3, 4)), "float32[2,4]"],
      [() => matMul(floats("batch", 5, 3), floats(3, 4)), "float32[batch,5,4]"],
      [() => matMul(floats(2, 1, 5, 3), floats(7, 3, 4)), "float32[2,7,5,4]"],
      [() => matMul(floats("batch", "rows"), floats("rows", 2)), "float32[batch,2]"],
    ],
    refuses: [
      [() => matMul(floats(2, 3), floats(4, 2)), "matMul cannot multiply float32[2,3] by float32[4,2]."],
      [() => matMul(floats(3), floats(3, 2)), "matMul cannot multiply float32[3] by float32[3,2]."],
      [() => matMul(floats(2, 5, 3), floats(4, 3, 5)), "matMul cannot broadcast [2] with [4]."],
      [() => linearOps.matMul.apply([floats(2, 2)], {}), "matMul needs two inputs, got float32[2,2]."],
    ],
  },
  reshape: {
    gives: [
      [() => reshape(floats(2, 6), [3, 4]), "float32[3,4]"],
      [() => reshape(floats("batch", 6), [2, "batch", 3]), "float32[2,batch,3]"],
      [() => reshape(floats(1), []), "float32[]"],
      [() => reshape(positions(4), [2, 2]), "int64[2,2]"],
    ],
    refuses: [
      [() => reshape(floats(2, 3), [4]), "reshape cannot turn [2,3] into [4]."],
      [() => reshape(floats("batch", 3), [3]), "reshape cannot turn [batch,3] into [3]."],
      [() => reshape(floats("batch", 3), ["rows", 3]), "reshape cannot turn [batch,3] into [rows,3]."],
      [() => reshape(floats("a", "b"), ["b", "a"]), "reshape cannot turn [a,b] into [b,a]."],
      [() => reshape(floats(2, 3), [-2, -3]), "reshape cannot turn [2,3] into [-2,-3]."],
      [() => reshape(floats(0, 3), [3, 0]), "reshape cannot turn [0,3] into [3,0]."],
    ],
  },
  transpose: {
    gives: [
      [() => transpose(floats("batch", 3, 4), [2, 0, 1]), "float32[4,batch,3]"],
      [() => transposeLast(floats(5, "batch", 3, 4)), "float32[5,batch,4,3]"],
    ],
    refuses: [
      [() => transpose(floats(2, 3), [0, 0]), "transpose cannot order [2,3] as [0,0]."],
      [() => transpose(floats(2, 3), [1, 2]), "transpose cannot order [2,3] as [1,2]."],
      [() => transpose(floats(2, 3), [0]), "transpose cannot order [2,3] as [0]."],
    ],
  },
  concat: {
    gives: [
      [() => concat([floats("batch", 2), floats("batch", 3)], 1), "float32[batch,5]"],
      [() => concat([floats(1, 4), floats(2, 4), floats(3, 4)], -2), "float32[6,4]"],
    ],
    refuses: [
      [
        () => concat([floats(2, 3), floats(3, 3)], 1),
        "concat along axis 1 needs one element type and equal shapes beside it, got float32[2,3], float32[3,3].",
      ],
      [
        () => concat([floats(2), positions(2)], 0),
        "concat along axis 0 needs one element type and equal shapes beside it, got float32[2], int64[2].",
      ],
      [() => concat([floats("batch"), floats(2)], 0), "concat's axis must be a known size, got batch."],
      [() => concat([floats(2)], 1), "concat got axis 1 for a tensor of 1 dimensions."],
      [() => concat([], 0), "concat needs an input."],
    ],
  },
  slice: {
    gives: [
      [() => slice(floats("batch", 5), 1, 1, 4), "float32[batch,3]"],
      [() => slice(floats(5, 2), -2, 4, 5), "float32[1,2]"],
    ],
    refuses: [
      [() => slice(floats(2, 5), 1, 1, 6), "slice cannot take 1 to 6 of axis 1 of [2,5]."],
      [() => slice(floats(2, 5), 1, 3, 3), "slice cannot take 3 to 3 of axis 1 of [2,5]."],
      [() => slice(floats(2, 5), 1, -2, 3), "slice cannot take -2 to 3 of axis 1 of [2,5]."],
      [() => slice(floats(2, 5), 1, NaN, 3), "slice cannot take NaN to 3 of axis 1 of [2,5]."],
      [() => slice(floats("batch"), 0, 0, 1), "slice's axis must be a known size, got batch."],
      [() => slice(floats(2), 0.5, 0, 1), "slice got axis 0.5 for a tensor of 1 dimensions."],
    ],
  },
  split: {
    gives: [
      [() => split(floats("batch", 6), 1, 3), "float32[batch,2] float32[batch,2] float32[batch,2]"],
      [() => split(floats(4, 2), -2, 1), "float32[4,2]"],
    ],
    refuses: [
      [() => split(floats(2, 5), 1, 2), "split cannot cut axis 1 of [2,5] into 2 equal parts."],
      [() => split(floats(6), 0, 1.5), "split cannot cut axis 0 of [6] into 1.5 equal parts."],
      [() => split(floats(6), 0, 0), "split cannot cut axis 0 of [6] into 0 equal parts."],
      [() => split(floats("batch"), 0, 2), "split's axis must be a known size, got batch."],
    ],
  },
  pad: {
    gives: [
      [() => pad(floats("batch", 3, 4), 1, 2, 1), "float32[batch,6,4]"],
      [() => padFront(floats(3), -1, 2), "float32[5]"],
      [() => pad(positions(3), 0, 0, 0), "int64[3]"],
    ],
    refuses: [
      [() => pad(floats(3), 0, -1, 2), "pad cannot put -1 zeros in front of [3] and 2 behind it."],
      [() => pad(floats(3), 0, 1, 0.5), "pad cannot put 1 zeros in front of [3] and 0.5 behind it."],
      [() => pad(floats("batch"), 0, 1, 0), "pad's axis must be a known size, got batch."],
      [() => pad(floats(3), 1, 1, 0), "pad got axis 1 for a tensor of 1 dimensions."],
    ],
  },
  expand: {
    gives: [
      [() => expand(floats(3, 1), [2, 3, 4]), "float32[2,3,4]"],
      [() => expand(floats("batch", 1), ["batch", 4]), "float32[batch,4]"],
      [() => expand(scalar(1), [2]), "float32[2]"],
    ],
    refuses: [
      [() => expand(floats(3), [1]), "expand cannot repeat [3] until it is [1]."],
      [() => expand(floats(3), [2]), "expand cannot broadcast [3] with [2]."],
      // ONNX wants to know how often.
      [() => expand(floats(1), ["batch"]), "expand cannot repeat [1] until it is [batch]."],
      [() => expand(floats(1), [0]), "expand cannot repeat [1] until it is [0]."],
      [() => expand(floats(1), [1.5]), "expand cannot repeat [1] until it is [1.5]."],
    ],
  },
  sum: reducing("sum", sum),
  mean: reducing("mean", mean),
  largest: reducing("largest", largest),
  argMax: {
    gives: [[() => argMax(floats("batch", 3)), "int64[batch]"]],
    refuses: [[() => argMax(scalar(1)), "argMax got axis -1 for a tensor of 0 dimensions."]],
  },
  greater: comparing("greater", greater),
  equal: comparing("equal", equal),
  where: {
    gives: [
      [() => where(greater(floats("batch", 1), scalar(0)), floats(3), scalar(0)), "float32[batch,3]"],
      [() => where(equal(positions(2), positions(2)), positions(1), positions(2)), "int64[2]"],
    ],
    refuses: [
      [
        () => where(floats(2), floats(2), floats(2)),
        "where needs a bool to choose by, got float32[2], float32[2], float32[2].",
      ],
      [
        () => where(greater(floats(2), floats(2)), floats(2), positions(2)),
        "where's choice cannot mix float32[2] with int64[2].",
      ],
      [() => where(greater(floats(2), floats(2)), floats(3), scalar(1)), "where cannot broadcast [2] with [3]."],
    ],
  },
  softmax: {
    gives: [[() => softmax(floats("batch", 3)), "float32[batch,3]"]],
    refuses: [[() => softmax(scalar(1)), "softmax got axis -1 for a tensor of 0 dimensions."]],
  },
  layerNorm: {
    gives: [[() => layerNorm(floats("batch", 5, 3), floats(3), floats(3), 1e-6), "float32[batch,5,3]"]],
    refuses: [
      [
        () => layerNorm(floats(2, 3), floats(2), floats(3), 1e-6),
        "layerNorm needs a scale and an offset of 3 values, got float32[2,3], float32[2], float32[3].",
      ],
      [
        () => layerNorm(floats(2, 3), floats(3), positions(3), 1e-6),
        "layerNorm needs a scale and an offset of 3 values, got float32[2,3], float32[3], int64[3].",
      ],
      [
        () => reduceOps.layerNorm.apply([floats(3)], { epsilon: 1e-6 }),
        "layerNorm needs a scale and an offset of 3 values, got float32[3].",
      ],
    ],
  },
  topK: {
    gives: [[() => topK(floats("batch", 5), 2), "float32[batch,2] int64[batch,2]"]],
    refuses: [
      [() => topK(floats(2, 3), 4), "topK cannot take 4 of [2,3]."],
      [() => topK(floats(2, 3), 0), "topK cannot take 0 of [2,3]."],
      [() => topK(floats("rows"), 1.5), "topK cannot take 1.5 of [rows]."],
      [() => topK(scalar(1), 1), "topK cannot take 1 of []."],
    ],
  },
};

describe.each(Object.keys(ops) as OpName[])("%s", (name) => {
  const { gives = [], refuses = [] } = (cases as Partial<typeof cases>)[name] ?? {};

  test("has cases of both kinds", () => {
    expect(Math.min(gives.length, refuses.length)).toBeGreaterThan(0);
  });

  test.each(gives)("%s gives %s", (result, types) => {
    const values = [result()].flat();
    expect(values.map(formatType).join(" ")).toBe(types);
    expect(values.map(({ source }) => source.kind === "node" && source.node.op)).toEqual(values.map(() => name));
  });

  test.each(refuses)("%s says: %s", (attempt, sentence) => {
    expect(refusalOf(attempt)).toBe(`graph-shape: ${sentence}`);
  });
});

test("each record of the table is filed under its own name", () => {
  for (const [key, record] of Object.entries(ops)) expect(record.name).toBe(key);
});

test("an operator that is not in the table is refused by name", () => {
  expect(refusalOf(() => opRecord("convolve"))).toBe("graph-op: There is no operator convolve.");
  expect(refusalOf(() => opRecord("toString"))).toBe("graph-op: There is no operator toString.");
});

test("a constant must fill its shape", () => {
  expect(formatType(constant(new Float32Array(6), [2, 3]))).toBe("float32[2,3]");
  expect(refusalOf(() => constant(new Float32Array(5), [2, 3]))).toBe(
    "graph-shape: A constant of shape [2,3] needs 6 values, got 5.",
  );
});

test("a size that must be known says what it is for", () => {
  expect(known(3, "Picture height")).toBe(3);
  expect(refusalOf(() => known("side", "Picture height"))).toBe(
    "graph-shape: Picture height must be a known size, got side.",
  );
  expect(refusalOf(() => known(undefined, "Picture height"))).toBe(
    "graph-shape: Picture height must be a known size, got nothing.",
  );
});
