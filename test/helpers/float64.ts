import type { Graph } from "../../core/graph/graph.ts";
import type { AttributesOf, OpName } from "../../core/graph/table.ts";
import type { Shape, Value } from "../../core/graph/value.ts";

/** A tensor in float64; positions and truth values are numbers too. */
export interface Tensor64 {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

type Evaluate<Attributes> = (inputs: readonly Tensor64[], attributes: Attributes) => readonly Tensor64[];

/**
 * Runs a graph in float64, element by element from the definitions: differences of its results show a derivative to nine
 * digits, where float32 shows three. Sizes must be numbers. Shares nothing with the libraries or with the shape rules.
 */
export function evaluate(graph: Graph, feeds: Readonly<Record<string, Tensor64>>): Record<string, Tensor64> {
  const results = new Map<object, readonly Tensor64[]>();
  const read = ({ source, shape }: Value): Tensor64 => {
    if (source.kind === "constant") return { shape: numbers(shape), data: Float64Array.from(source.data, Number) };
    const found = source.kind === "input" ? feeds[source.name] : results.get(source.node)?.[source.index];
    if (found === undefined) throw new Error("A value is read before it is there.");
    return found;
  };
  for (const node of graph.nodes) {
    const compute = table[node.op as OpName] as Evaluate<object>;
    results.set(node, compute(node.inputs.map(read), node.attributes));
  }
  return Object.fromEntries(Object.entries(graph.outputs).map(([name, value]) => [name, read(value)]));
}

/** A tensor by a function of the index. */
export function tensor64(shape: readonly number[], element: (index: readonly number[]) => number): Tensor64 {
  const data = new Float64Array(shape.reduce((a, b) => a * b, 1));
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = element(index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if (index[axis] !== shape[axis]) break;
      index[axis] = 0;
    }
  }
  return { shape, data };
}

/** The element at an index of another shape's, aligned at the last axis and repeated along axes of size 1. */
function at({ shape, data }: Tensor64, index: readonly number[]): number {
  let position = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis] ?? 1;
    position = position * size + (size === 1 ? 0 : (index[index.length - shape.length + axis] ?? 0));
  }
  return data[position] ?? NaN;
}

function numbers(shape: Shape): readonly number[] {
  return shape.map(Number);
}

function widest(...shapes: readonly (readonly number[])[]): readonly number[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, i) => Math.max(...shapes.map((s) => s[i - rank + s.length] ?? 1)));
}

/** erf by its Taylor series: sums of up to e^(x^2) in float64, so fourteen digits are good for |x| below 2. */
export function erf64(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 120; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const each = (f: (...x: number[]) => number): Evaluate<unknown> => {
  return (inputs) => [
    tensor64(widest(...inputs.map(({ shape }) => shape)), (index) => f(...inputs.map((x) => at(x, index)))),
  ];
};

const one = (inputs: readonly Tensor64[]): Tensor64 => {
  const [x] = inputs;
  if (x === undefined) throw new Error("No input.");
  return x;
};

/** Elements that a reduction combines, for each element of its result. */
function reducing(combine: (values: readonly number[]) => number): Evaluate<AttributesOf<"sum">> {
  return (inputs, { axes, keep }) => {
    const x = one(inputs);
    const groups = tensor64(
      x.shape.map((size, i) => (axes.includes(i) ? 1 : size)),
      (index) => {
        const values: number[] = [];
        const inner = x.shape.map((size, i) => (axes.includes(i) ? size : 1));
        tensor64(inner, (offset) =>
          values.push(
            at(
              x,
              index.map((start, i) => start + (offset[i] ?? 0)),
            ),
          ),
        );
        return combine(values);
      },
    );
    return [keep ? groups : { ...groups, shape: x.shape.filter((_, i) => !axes.includes(i)) }];
  };
}

/** A window of one axis of `x` that begins `shift` before it; zeros outside. */
function shifted(x: Tensor64, axis: number, shift: number, size: number): Tensor64 {
  const along = axis < 0 ? axis + x.shape.length : axis;
  return tensor64(
    x.shape.map((d, i) => (i === along ? size : d)),
    (index) => {
      const moved = index.map((k, i) => (i === along ? k + shift : k));
      const k = moved[along] ?? 0;
      return k < 0 || k >= (x.shape[along] ?? 0) ? 0 : at(x, moved);
    },
  );
}

/** Rows along the last axis, each turned into another. */
function rowwise(x: Tensor64, turn: (row: Float64Array) => readonly number[], width = x.shape.at(-1) ?? 1): Tensor64 {
  const size = x.shape.at(-1) ?? 1;
  const rows = Array.from({ length: x.data.length / size }, (_, i) => turn(x.data.slice(i * size, (i + 1) * size)));
  return { shape: [...x.shape.slice(0, -1), width], data: Float64Array.from(rows.flat()) };
}

function statistics(row: Float64Array, epsilon: number): { mean: number; inverse: number } {
  const mean = row.reduce((a, b) => a + b, 0) / row.length;
  const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
  return { mean, inverse: 1 / Math.sqrt(variance + epsilon) };
}

const table: { readonly [Name in OpName]: Evaluate<AttributesOf<Name>> } = {
  add: each((a = NaN, b = NaN) => a + b),
  subtract: each((a = NaN, b = NaN) => a - b),
  multiply: each((a = NaN, b = NaN) => a * b),
  divide: each((a = NaN, b = NaN) => a / b),
  negate: each((a = NaN) => -a),
  detach: each((a = NaN) => a),
  squareRoot: each((a = NaN) => Math.sqrt(a)),
  exp: each((a = NaN) => Math.exp(a)),
  log: each((a = NaN) => Math.log(a)),
  erf: each((a = NaN) => erf64(a)),
  gelu: each((a = NaN) => (a * (1 + erf64(a / Math.SQRT2))) / 2),
  greater: each((a = NaN, b = NaN) => Number(a > b)),
  equal: each((a = NaN, b = NaN) => Number(a === b)),
  minimum: each((a = NaN, b = NaN) => Math.min(a, b)),
  maximum: each((a = NaN, b = NaN) => Math.max(a, b)),
  where: each((c = NaN, a = NaN, b = NaN) => (c === 1 ? a : b)),
  floor: each((a = NaN) => Math.floor(a)),

  matMul: ([a, b]) => {
    if (a === undefined || b === undefined) throw new Error("Two inputs are needed.");
    const inner = a.shape.at(-1) ?? 0;
    const stack = widest(a.shape.slice(0, -2), b.shape.slice(0, -2));
    return [
      tensor64([...stack, a.shape.at(-2) ?? 1, b.shape.at(-1) ?? 1], (index) => {
        const [row = 0, column = 0] = index.slice(-2);
        let sum = 0;
        for (let k = 0; k < inner; k++) {
          sum += at(a, [...index.slice(0, -2), row, k]) * at(b, [...index.slice(0, -2), k, column]);
        }
        return sum;
      }),
    ];
  },

  reshape: (inputs, { shape }) => [{ ...one(inputs), shape: numbers(shape) }],
  transpose: (inputs, { order }) => {
    const x = one(inputs);
    return [
      tensor64(
        order.map((axis) => x.shape[axis] ?? 1),
        (index) =>
          at(
            x,
            x.shape.map((_, axis) => index[order.indexOf(axis)] ?? 0),
          ),
      ),
    ];
  },
  concat: (inputs, { axis }) => {
    const sizes = inputs.map(({ shape }) => shape.at(axis) ?? 0);
    const total = sizes.reduce((a, b) => a + b, 0);
    let start = 0;
    const parts = inputs.map((x, i) => {
      const part = shifted(x, axis, -start, total);
      start += sizes[i] ?? 0;
      return part;
    });
    return [tensor64(parts[0]?.shape ?? [], (index) => parts.reduce((sum, part) => sum + at(part, index), 0))];
  },
  slice: (inputs, { axis, start, end }) => [shifted(one(inputs), axis, start, end - start)],
  split: (inputs, { axis, parts }) => {
    const size = (one(inputs).shape.at(axis) ?? 0) / parts;
    return Array.from({ length: parts }, (_, i) => shifted(one(inputs), axis, i * size, size));
  },
  pad: (inputs, { axis, before, after }) => {
    const size = one(inputs).shape.at(axis) ?? 0;
    return [shifted(one(inputs), axis, -before, before + size + after)];
  },
  expand: (inputs, { shape }) => [tensor64(numbers(shape), (index) => at(one(inputs), index))],

  sum: reducing((values) => values.reduce((a, b) => a + b, 0)),
  mean: reducing((values) => values.reduce((a, b) => a + b, 0) / values.length),
  largest: reducing((values) => Math.max(...values)),
  argMax: (inputs) => {
    const positions = rowwise(one(inputs), (row) => [row.indexOf(Math.max(...row))], 1);
    return [{ ...positions, shape: positions.shape.slice(0, -1) }];
  },
  softmax: (inputs) => [
    rowwise(one(inputs), (row) => {
      const total = row.reduce((a, b) => a + Math.exp(b), 0);
      return [...row.map((value) => Math.exp(value) / total)];
    }),
  ],
  layerNorm: ([x, scale, offset], { epsilon }) => {
    if (x === undefined || scale === undefined || offset === undefined) throw new Error("Three inputs are needed.");
    return [
      rowwise(x, (row) => {
        const { mean, inverse } = statistics(row, epsilon);
        return [...row.map((value, i) => (value - mean) * inverse * (scale.data[i] ?? NaN) + (offset.data[i] ?? NaN))];
      }),
      rowwise(x, (row) => [statistics(row, epsilon).mean], 1),
      rowwise(x, (row) => [statistics(row, epsilon).inverse], 1),
    ];
  },
  topK: (inputs, { count }) => {
    const ranked = (row: Float64Array): number[] =>
      [...row.keys()].sort((i, j) => (row[j] ?? 0) - (row[i] ?? 0) || i - j).slice(0, count);
    const x = one(inputs);
    return [rowwise(x, (row) => ranked(row).map((i) => row[i] ?? NaN), count), rowwise(x, ranked, count)];
  },
};
