import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Graph } from "./graph.ts";
import { nameValues } from "./names.ts";
import type { OnnxAttribute } from "./op.ts";
import { writtenOutputs } from "./outputs.ts";
import { opRecord } from "./table.ts";
import type { TensorType, Value } from "./value.ts";

/** The first opset with Gelu. */
const opset = 20;
const irVersion = 9;

/** TensorProto.DataType. */
const dataTypes: Record<TensorType["element"], number> = { float32: 1, int64: 7, bool: 9 };

/** Field numbers of onnx.proto, as far as they are written here (github.com/onnx/onnx, onnx/onnx.proto). */
const field = {
  model: { irVersion: 1, producerName: 2, graph: 7, opsetImport: 8, metadata: 14 },
  opset: { domain: 1, version: 2 },
  graph: { node: 1, name: 2, initializer: 5, input: 11, output: 12 },
  node: { input: 1, output: 2, name: 3, opType: 4, attribute: 5 },
  attribute: { name: 1, float: 2, int: 3, ints: 8, type: 20 },
  tensor: { dims: 1, dataType: 2, name: 8, rawData: 9 },
  value: { name: 1, type: 2 },
  type: { tensor: 1 },
  tensorType: { element: 1, shape: 2 },
  shape: { dimension: 1 },
  dimension: { value: 1, parameter: 2 },
  property: { key: 1, value: 2 },
} as const;

/** AttributeProto.AttributeType. */
const attributeTypes = { float: 1, int: 2, ints: 7 } as const;

/** The graph as an ONNX model file: standard operators only, opset 20. `metadata` becomes the model's properties. */
export function encodeOnnx(graph: Graph, metadata: Readonly<Record<string, string>> = {}): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  writer.tag(field.model.irVersion, WireType.Varint).int64(irVersion);
  text(writer, field.model.producerName, "dinoscope");
  message(writer, field.model.opsetImport, (w) => {
    text(w, field.opset.domain, "");
    w.tag(field.opset.version, WireType.Varint).int64(opset);
  });
  message(writer, field.model.graph, (w) => writeGraph(w, graph));
  for (const [key, value] of Object.entries(metadata)) {
    message(writer, field.model.metadata, (w) => {
      text(w, field.property.key, key);
      text(w, field.property.value, value);
    });
  }
  return writer.finish();
}

function writeGraph(writer: BinaryWriter, graph: Graph): void {
  const nameOf = nameValues(graph);
  const outputsOf = writtenOutputs(graph);
  text(writer, field.graph.name, graph.name);

  for (const value of graph.constants) {
    if (value.source.kind === "constant")
      writeTensor(writer, nameOf(value), value.shape as number[], value.element, value.source.data);
  }
  for (const node of graph.nodes) {
    const record = opRecord(node.op);
    const form = record.toOnnx?.(node.attributes, node.inputs) ?? {};
    const outputs = outputsOf(node).map(nameOf);
    const parameters = (form.constants ?? []).map((values, i) => {
      const name = `${outputs[0]}:${i}`;
      writeTensor(writer, name, [values.length], "int64", BigInt64Array.from(values.map(BigInt)));
      return name;
    });
    message(writer, field.graph.node, (w) => {
      for (const name of [...node.inputs.map(nameOf), ...parameters]) text(w, field.node.input, name);
      for (const name of outputs) text(w, field.node.output, name);
      text(w, field.node.name, `${outputs[0]}:node`);
      text(w, field.node.opType, record.onnx);
      for (const [name, attribute] of Object.entries(form.attributes ?? {})) writeAttribute(w, name, attribute);
    });
  }
  // Outputs get the caller's names; one value may serve several of them.
  for (const [name, value] of Object.entries(graph.outputs)) {
    message(writer, field.graph.node, (w) => {
      text(w, field.node.input, nameOf(value));
      text(w, field.node.output, name);
      text(w, field.node.name, `${name}:output`);
      text(w, field.node.opType, "Identity");
    });
    writeValue(writer, field.graph.output, name, value);
  }
  for (const value of graph.inputs) writeValue(writer, field.graph.input, nameOf(value), value);
}

function writeTensor(
  writer: BinaryWriter,
  name: string,
  shape: readonly number[],
  element: TensorType["element"],
  data: NonNullable<Extract<Value["source"], { kind: "constant" }>>["data"],
): void {
  message(writer, field.graph.initializer, (w) => {
    for (const size of shape) w.tag(field.tensor.dims, WireType.Varint).int64(size);
    w.tag(field.tensor.dataType, WireType.Varint).int32(dataTypes[element]);
    text(w, field.tensor.name, name);
    w.tag(field.tensor.rawData, WireType.LengthDelimited).bytes(
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    );
  });
}

function writeAttribute(writer: BinaryWriter, name: string, attribute: OnnxAttribute): void {
  message(writer, field.node.attribute, (w) => {
    text(w, field.attribute.name, name);
    if (attribute.type === "int") w.tag(field.attribute.int, WireType.Varint).int64(attribute.value);
    else if (attribute.type === "float") w.tag(field.attribute.float, WireType.Bit32).float(attribute.value);
    else for (const value of attribute.value) w.tag(field.attribute.ints, WireType.Varint).int64(value);
    w.tag(field.attribute.type, WireType.Varint).int32(attributeTypes[attribute.type]);
  });
}

function writeValue(writer: BinaryWriter, number: number, name: string, type: TensorType): void {
  message(writer, number, (w) => {
    text(w, field.value.name, name);
    message(w, field.value.type, (typeWriter) => {
      message(typeWriter, field.type.tensor, (tensorWriter) => {
        tensorWriter.tag(field.tensorType.element, WireType.Varint).int32(dataTypes[type.element]);
        message(tensorWriter, field.tensorType.shape, (shapeWriter) => {
          for (const size of type.shape) {
            message(shapeWriter, field.shape.dimension, (w2) => {
              if (typeof size === "number") w2.tag(field.dimension.value, WireType.Varint).int64(size);
              else text(w2, field.dimension.parameter, size);
            });
          }
        });
      });
    });
  });
}

function text(writer: BinaryWriter, number: number, value: string): void {
  writer.tag(number, WireType.LengthDelimited).string(value);
}

function message(writer: BinaryWriter, number: number, write: (writer: BinaryWriter) => void): void {
  writer.tag(number, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}
