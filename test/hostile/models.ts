/** Makers of hostile checkpoints: what would run code, unpack to gigabytes, lie about itself, or read files of others. */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { closeSync, openSync, symlinkSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { encodeSafetensors } from "../../core/weights/safetensors.ts";
import { op, pickle, randomWeights, smallArchitecture, torchFile, zip } from "../weights/writers.ts";

/** A pickle that would make a file, were it run. */
function program(marker: string): Buffer {
  return pickle(op.call(op.global("os", "system"), op.tuple(op.text(`touch '${marker}'`))));
}

/** The same in the words of protocol 0, as files before PyTorch 1.6 could hold it: text alone. */
const textProgram = (marker: string): Buffer => Buffer.from(`cos\nsystem\n(S"touch '${marker}'"\ntR.`);

/** A safetensors file with this header and so many bytes behind it; the length may be another than the header's. */
function safetensors(header: string, bytes: number, length = Buffer.byteLength(header)): Buffer {
  const first = Buffer.alloc(8);
  first.writeBigUInt64LE(BigInt(length));
  return Buffer.concat([first, Buffer.from(header), Buffer.alloc(bytes)]);
}

const tensor = (shape: readonly number[], from: number, to: number): string =>
  JSON.stringify({ dtype: "F32", shape, data_offsets: [from, to] });

/** Weights of a small transformer, one number of them another. */
function spoiled(value: number): Uint8Array {
  const weights = randomWeights(smallArchitecture({ width: 64, heads: 1, hidden: 256 }));
  const [first] = weights.values();
  if (first !== undefined) first.data[3] = value;
  return encodeSafetensors(weights, new Map([["format", "pt"]]));
}

type Field = readonly [number: number, value: number | string | Uint8Array];

/** A message of a protocol buffer. */
function message(...fields: readonly Field[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, value] of fields) {
    if (typeof value === "number") writer.tag(number, WireType.Varint).int64(value);
    else if (typeof value === "string") writer.tag(number, WireType.LengthDelimited).string(value);
    else writer.tag(number, WireType.LengthDelimited).bytes(value);
  }
  return writer.finish();
}

function onnxValue(name: string, sides: readonly number[]): Uint8Array {
  const shape = message(...sides.map((side): Field => [1, message([1, side])]));
  return message([1, name], [2, message([1, message([1, 1], [2, shape])])]);
}

/** An ONNX file from a picture of 32 x 32 pixels to a vector of 3,072, with these nodes and constants besides. */
function onnx({
  nodes = [],
  constants = [],
}: {
  nodes?: readonly Uint8Array[];
  constants?: readonly Uint8Array[];
}): Uint8Array {
  const flatten = message([1, "pixels"], [2, "vector"], [4, "Flatten"]);
  const graph = message(
    ...[...nodes, flatten].map((node): Field => [1, node]),
    [2, "graph"],
    ...constants.map((constant): Field => [5, constant]),
    [11, onnxValue("pixels", [1, 3, 32, 32])],
    [12, onnxValue("vector", [1, 3072])],
  );
  return message([1, 8], [7, graph], [8, message([2, 17])]);
}

const external = message(
  ...[[1, 4] as Field, [2, 1] as Field, [8, "w"] as Field],
  [13, message([1, "location"], [2, "../../../../../../etc/passwd"])],
  [14, 1],
);

/** An `If` in an `If` in an `If`, and so on. */
function nested(depth: number): Uint8Array {
  let graph = message([1, message([1, "x"], [2, "y"], [4, "Identity"])], [2, "inner"]);
  for (let i = 0; i < depth; i++) {
    const attribute = message([1, "then_branch"], [6, graph], [20, 5]);
    graph = message([1, message([1, "c"], [2, "y"], [4, "If"], [5, attribute])], [2, "outer"]);
  }
  return message([1, "c"], [2, "y"], [4, "If"], [5, message([1, "then_branch"], [6, graph], [20, 5])]);
}

const int64s = (name: string, values: readonly bigint[]): Uint8Array =>
  message([1, values.length], [2, 7], [8, name], [9, new Uint8Array(BigInt64Array.from(values).buffer)]);

/** A hostile checkpoint. */
export interface HostileModel {
  /** With which it is refused as a model. */
  readonly code: string;
  /** With which it is refused as the start of a pretraining, which takes .pth and safetensors alone. */
  readonly start: string;
  readonly make: (path: string) => void;
}

const of = (code: string, bytes: Uint8Array, start = code): HostileModel => ({
  code,
  start,
  make: (path) => writeFileSync(path, bytes),
});

/** ONNX does not begin as safetensors do. */
const ofOnnx = (code: string, bytes: Uint8Array): HostileModel => of(code, bytes, "safetensors-invalid");

/** A file whose first bytes are these, and which is as long as it says without taking room. */
const sparse = (code: string, bytes: Uint8Array, size: number, start = code): HostileModel => ({
  code,
  start,
  make: (path) => {
    const file = openSync(path, "w");
    writeSync(file, bytes);
    closeSync(file);
    truncateSync(path, size);
  },
});

/** The hostile checkpoints by file name. */
export function hostileModels(marker: string): Readonly<Record<string, HostileModel>> {
  const good = torchFile(randomWeights(smallArchitecture()));
  const data = new Uint8Array(Buffer.alloc(2 ** 26));
  return {
    "runs.pth": of(
      "pickle-refused",
      zip({ "archive/data.pkl": program(marker), "archive/version": Buffer.from("3\n") }),
    ),
    "runs-legacy.pth": of("checkpoint-legacy", program(marker), "safetensors-invalid"),
    "runs-text.pth": of("checkpoint-unknown", textProgram(marker), "safetensors-invalid"),
    "runs-outside.pth": of("archive-damaged", zip({ "../../data.pkl": program(marker) })),
    "unpacks.pth": of("torch-damaged", zip({ "archive/data.pkl": { bytes: data, deflate: true } })),
    "claims.pth": of(
      "archive-damaged",
      zip({ "archive/data.pkl": { bytes: Buffer.alloc(9), deflate: true, claimedSize: 2 ** 24 } }),
    ),
    "twice.pth": of("archive-damaged", twice(program(marker))),
    "cut.pth": of("archive-damaged", good.subarray(0, good.length >> 1)),
    "length.safetensors": of("safetensors-invalid", safetensors("{}", 0, 9_000)),
    "vast-length.safetensors": of("safetensors-invalid", safetensors("{}", 0, 2 ** 31)),
    "long-header.safetensors": sparse("safetensors-invalid", safetensors('{"', 0, 100_000_000), 100_000_100),
    "full-header.safetensors": of("safetensors-invalid", safetensors(`{"a":[${"[],".repeat(2_700_000)}[]]}`, 0)),
    "overlap.safetensors": of(
      "safetensors-invalid",
      safetensors(`{"a":${tensor([2], 0, 8)},"b":${tensor([2], 4, 12)}}`, 12),
    ),
    "outside.safetensors": of("safetensors-invalid", safetensors(`{"a":${tensor([4096], 0, 16_384)}}`, 4)),
    "overflow.safetensors": of(
      "safetensors-invalid",
      safetensors(`{"a":${tensor([2 ** 52, 2 ** 52, 2 ** 52], 0, 4)}}`, 4),
    ),
    "twice.safetensors": of(
      "safetensors-invalid",
      safetensors(`{"a":${tensor([1], 0, 4)},"a":${tensor([1], 4, 8)}}`, 8),
    ),
    "vast.safetensors": sparse(
      "checkpoint-mismatch",
      safetensors(`{"cls_token":${tensor([1, 1, 2 ** 34], 0, 2 ** 36)}}`, 0),
      8 + Buffer.byteLength(`{"cls_token":${tensor([1, 1, 2 ** 34], 0, 2 ** 36)}}`) + 2 ** 36,
      "checkpoint-part",
    ),
    "nan.safetensors": of("weights-not-finite", spoiled(NaN), "checkpoint-part"),
    "infinite.safetensors": of("weights-not-finite", spoiled(-Infinity), "checkpoint-part"),
    "outside.onnx": ofOnnx("onnx-external-data", onnx({ constants: [external] })),
    "nested.onnx": ofOnnx("onnx-invalid", onnx({ nodes: [nested(40)] })),
    "unknown.onnx": ofOnnx("onnx-unsupported", onnx({ nodes: [message([1, "pixels"], [2, "z"], [4, "RunProgram"])] })),
    "foreign.onnx": ofOnnx(
      "onnx-unsupported",
      onnx({ nodes: [message([1, "pixels"], [2, "z"], [4, "PyOp"], [7, "ai.onnx.contrib"])] }),
    ),
    "shapes.onnx": ofOnnx(
      "onnx-unsupported",
      onnx({ nodes: [message([1, "pixels"], [1, "pixels"], [2, "z"], [4, "Gemm"])] }),
    ),
    "declares.onnx": ofOnnx(
      "onnx-unsupported",
      onnx({
        constants: [message([1, 2 ** 29], [2, 1], [8, "w"])],
        nodes: [message([1, "w"], [2, "z"], [4, "Identity"])],
      }),
    ),
    "allocates.onnx": ofOnnx(
      "onnx-unsupported",
      onnx({ constants: [int64s("n", [2n ** 42n])], nodes: [message([1, "n"], [2, "z"], [4, "ConstantOfShape"])] }),
    ),
    "cut.onnx": ofOnnx("onnx-invalid", onnx({}).subarray(0, 60)),
    "noise.pth": of("checkpoint-unknown", Buffer.from("no model at all"), "safetensors-invalid"),
    "pipe.pth": {
      code: "file-unreadable",
      start: "model-unknown",
      make: (path) => void execFileSync("mkfifo", [path]),
    },
    "pipe.onnx": {
      code: "file-unreadable",
      start: "model-unknown",
      make: (path) => void execFileSync("mkfifo", [path]),
    },
    "link.pth": { code: "path-outside", start: "path-outside", make: (path) => symlinkSync("/etc/passwd", path) },
  };
}

/** An archive with two entries of one name: some readers see the one, some the other. */
function twice(bytes: Buffer): Buffer {
  const archive = zip({ "archive/data.pkl": bytes, "archive/data.pk_": bytes });
  const text = archive.toString("latin1").replaceAll("data.pk_", "data.pkl");
  return Buffer.from(text, "latin1");
}
