/**
 * Reads the outline of an ONNX file: inputs, outputs, nodes, names and shapes of constants. Field numbers are those of
 * onnx/onnx.proto. Values are never decoded, and a file that points to data outside itself is refused.
 */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { CoreError } from "../util/errors.ts";

/** A length that is fixed, named ("batch_size"), or not given. */
export type OnnxDimension = number | string | null;

/** An input, output or intermediate value of a graph. */
export interface OnnxValue {
  readonly name: string;
  /** ONNX's number for the type of element, 1 for float32; 0 where it is not given. */
  readonly elementType: number;
  /** Null where the rank is not known. */
  readonly dimensions: readonly OnnxDimension[] | null;
}

/** A constant tensor, without its values. */
export interface OnnxConstant {
  readonly name: string;
  readonly elementType: number;
  readonly shape: readonly number[];
}

export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  /** Empty for ONNX's own operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** The attribute `axis`, where it has one. */
  readonly axis: number | null;
}

/** The outline of a model. */
export interface OnnxModel {
  readonly irVersion: number;
  /** Version of ONNX's own operators. */
  readonly opset: number;
  readonly producer: string;
  /** What must be fed: inputs of the graph that have no constant of their name. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly constants: readonly OnnxConstant[];
  /** In the order of the file, which is an order of execution. */
  readonly nodes: readonly OnnxNode[];
  /** Intermediate values whose shape the file gives, by name. */
  readonly values: ReadonlyMap<string, OnnxValue>;
}

const limits = { nodes: 200_000, constants: 200_000, values: 400_000, dimensions: 16, nameBytes: 4096, depth: 16 };

const invalid = (what: string, cause?: unknown): CoreError =>
  new CoreError("onnx-invalid", `This is no valid ONNX file: ${what}.`, {
    hint: "The file is damaged or of another format; fetch it again.",
    ...(cause === undefined ? {} : { cause }),
  });

type Field = readonly [number: number, value: Uint8Array | number];

/** The fields of a message in order: bytes for texts and messages, numbers for integers; other kinds are passed over. */
function* fieldsOf(message: Uint8Array): Generator<Field> {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    let field: Field | undefined;
    try {
      const [number, wireType] = reader.tag();
      if (wireType === WireType.LengthDelimited) field = [number, reader.bytes()];
      else if (wireType === WireType.Varint) field = [number, Number(reader.int64())];
      else reader.skip(wireType, number);
    } catch (cause) {
      throw invalid(cause instanceof Error ? cause.message : "it ends early", cause);
    }
    if (field !== undefined) yield field;
  }
}

const text = (value: Uint8Array): string => {
  if (value.byteLength > limits.nameBytes) throw invalid(`a name has ${value.byteLength} bytes`);
  return new TextDecoder().decode(value);
};

function pushBounded<T>(list: T[], value: T, most: number, what: string): void {
  if (list.length >= most) throw invalid(`it has more than ${most} ${what}`);
  list.push(value);
}

/** Mutable while the file is read: a message may come in several pieces, whose lists add up. */
interface Graph {
  readonly inputs: OnnxValue[];
  readonly outputs: OnnxValue[];
  readonly constants: OnnxConstant[];
  readonly nodes: OnnxNode[];
  readonly values: OnnxValue[];
}

const emptyGraph = (): Graph => ({ inputs: [], outputs: [], constants: [], nodes: [], values: [] });

/**
 * Reads the outline of an ONNX file. Throws `onnx-invalid` for other bytes and beyond bounds, `onnx-external-data` where a
 * tensor anywhere in it lies in another file.
 */
export function readOnnxModel(bytes: Uint8Array): OnnxModel {
  const graph = emptyGraph();
  let irVersion = 0;
  let opset = 0;
  let producer = "";
  for (const [number, value] of fieldsOf(bytes)) {
    if (typeof value === "number") {
      if (number === 1) irVersion = value;
    } else if (number === 2) producer = text(value);
    else if (number === 7) readGraph(value, graph, 0);
    else if (number === 8) opset = Math.max(opset, standardOpset(value));
    else if (number === 20) throw invalid("it carries instructions for training, which are not read");
    else if (number === 25) {
      // A function: its nodes may carry tensors too.
      for (const [inner, node] of fieldsOf(value)) if (inner === 7 && typeof node !== "number") readNode(node, 0);
    }
  }
  if (irVersion === 0 || graph.nodes.length === 0) throw invalid("it has no version or no graph");
  const constantNames = new Set(graph.constants.map(({ name }) => name));
  return {
    irVersion,
    opset,
    producer,
    inputs: graph.inputs.filter(({ name }) => !constantNames.has(name)),
    outputs: graph.outputs,
    constants: graph.constants,
    nodes: graph.nodes,
    values: new Map(graph.values.map((value) => [value.name, value])),
  };
}

/** The version in an entry of opset_import, 0 for those of other operator sets. */
function standardOpset(message: Uint8Array): number {
  let domain = "";
  let version = 0;
  for (const [number, value] of fieldsOf(message)) {
    if (number === 1 && typeof value !== "number") domain = text(value);
    if (number === 2 && typeof value === "number") version = value;
  }
  return domain === "" || domain === "ai.onnx" ? version : 0;
}

function readGraph(message: Uint8Array, graph: Graph, depth: number): void {
  if (depth > limits.depth) throw invalid(`its graphs are nested more than ${limits.depth} deep`);
  for (const [number, value] of fieldsOf(message)) {
    if (typeof value === "number") continue;
    if (number === 1) pushBounded(graph.nodes, readNode(value, depth), limits.nodes, "nodes");
    else if (number === 5) pushBounded(graph.constants, readTensor(value), limits.constants, "constants");
    else if (number === 11) pushBounded(graph.inputs, readValue(value), limits.values, "inputs");
    else if (number === 12) pushBounded(graph.outputs, readValue(value), limits.values, "outputs");
    else if (number === 13) pushBounded(graph.values, readValue(value), limits.values, "values");
    else if (number === 15) readSparseTensor(value);
  }
}

function readNode(message: Uint8Array, depth: number): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  let name = "";
  let operator = "";
  let domain = "";
  let axis: number | null = null;
  for (const [number, value] of fieldsOf(message)) {
    if (typeof value === "number") continue;
    if (number === 1) inputs.push(text(value));
    else if (number === 2) outputs.push(text(value));
    else if (number === 3) name = text(value);
    else if (number === 4) operator = text(value);
    else if (number === 5) axis = readAttribute(value, depth) ?? axis;
    else if (number === 7) domain = text(value);
  }
  return { name, operator, domain, inputs, outputs, axis };
}

/** Looks into an attribute for tensors and graphs; returns the integer if it is `axis`. */
function readAttribute(message: Uint8Array, depth: number): number | undefined {
  let name = "";
  let integer: number | undefined;
  for (const [number, value] of fieldsOf(message)) {
    if (typeof value === "number") {
      if (number === 3) integer = value;
    } else if (number === 1) name = text(value);
    else if (number === 5 || number === 10) readTensor(value);
    else if (number === 6 || number === 11) readGraph(value, emptyGraph(), depth + 1);
    else if (number === 22 || number === 23) readSparseTensor(value);
  }
  // A missing integer is zero: writers may leave zeros out.
  return name === "axis" ? (integer ?? 0) : undefined;
}

function readSparseTensor(message: Uint8Array): void {
  for (const [number, value] of fieldsOf(message)) {
    if ((number === 1 || number === 2) && typeof value !== "number") readTensor(value);
  }
}

function readTensor(message: Uint8Array): OnnxConstant {
  const shape: number[] = [];
  let name = "";
  let elementType = 0;
  for (const [number, value] of fieldsOf(message)) {
    if (number === 13 || (number === 14 && value !== 0)) {
      throw new CoreError(
        "onnx-external-data",
        "This ONNX file keeps its weights in another file, which is not followed.",
        {
          hint: "Save it with all weights inside: onnx.save(onnx.load(path), path, save_as_external_data=False).",
        },
      );
    }
    if (number === 1)
      for (const side of integers(value)) pushBounded(shape, side, limits.dimensions, "sides of a tensor");
    else if (number === 2 && typeof value === "number") elementType = value;
    else if (number === 8 && typeof value !== "number") name = text(value);
  }
  if (!shape.every((side) => Number.isSafeInteger(side) && side >= 0))
    throw invalid("a constant has an impossible shape");
  return { name, elementType, shape };
}

/** A repeated integer, which may come one by one or packed. */
function* integers(value: Uint8Array | number): Generator<number> {
  if (typeof value === "number") {
    yield value;
    return;
  }
  const reader = new BinaryReader(value);
  while (reader.pos < reader.len) {
    try {
      yield Number(reader.int64());
    } catch (cause) {
      throw invalid("a list of integers ends early", cause);
    }
  }
}

function readValue(message: Uint8Array): OnnxValue {
  let name = "";
  let elementType = 0;
  let dimensions: OnnxDimension[] | null = null;
  for (const [number, value] of fieldsOf(message)) {
    if (typeof value === "number") continue;
    if (number === 1) name = text(value);
    if (number !== 2) continue;
    for (const [kind, tensor] of fieldsOf(value)) {
      if (kind !== 1 || typeof tensor === "number") continue;
      for (const [inner, part] of fieldsOf(tensor)) {
        if (inner === 1 && typeof part === "number") elementType = part;
        if (inner === 2 && typeof part !== "number") dimensions = readShape(part);
      }
    }
  }
  return { name, elementType, dimensions };
}

function readShape(message: Uint8Array): OnnxDimension[] {
  const dimensions: OnnxDimension[] = [];
  for (const [number, dimension] of fieldsOf(message)) {
    if (number !== 1 || typeof dimension === "number") continue;
    let length: OnnxDimension = null;
    for (const [kind, value] of fieldsOf(dimension)) {
      // Exporters write 0 or -1 for lengths that they do not know.
      if (kind === 1 && typeof value === "number") length = Number.isSafeInteger(value) && value > 0 ? value : null;
      if (kind === 2 && typeof value !== "number") length = text(value);
    }
    pushBounded(dimensions, length, limits.dimensions, "sides of a value");
  }
  return dimensions;
}
