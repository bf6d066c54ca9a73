import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { ExportFormat } from "./format.ts";
import { csvField, csvName, csvPath, rowOf } from "./rows.ts";
import type { ExportImage, ExportPlan } from "./records.ts";

/** Images in one row group of a Parquet file: 8 MB of vectors at 512 features. */
const rowGroup = 4096;

/**
 * The header of a .npy file, version 1.0 (numpy.lib.format): magic, version, length, and a Python literal that is filled
 * up with spaces to a multiple of 64 bytes.
 */
export function npyHeader(type: string, shape: readonly number[]): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const literal = `{'descr': '${type}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const length = Math.ceil((10 + literal.length + 1) / 64) * 64 - 10;
  const bytes = Buffer.alloc(10 + length, " ");
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  bytes.writeUInt16LE(length, 8);
  bytes.write(literal, 10, "latin1");
  bytes[9 + length] = 0x0a;
  return bytes;
}

export const npy: ExportFormat = {
  summary: "embeddings.npy (float32, a row an image) and rows.csv, which says whose they are",
  version: 1,
  needs: { label: false, mask: false, embedding: true },
  write: async (plan, images, folder) => {
    const rows: string[] = ["id,path,label,split\r\n"];
    await folder.write("embeddings.npy", vectors(plan, images, rows));
    await folder.write("rows.csv", rows);
  },
};

async function* vectors(
  plan: ExportPlan,
  images: AsyncIterable<ExportImage>,
  rows: string[],
): AsyncGenerator<Uint8Array> {
  yield npyHeader("<f4", [plan.imageCount, plan.embeddingWidth]);
  for await (const image of images) {
    const { path, label, split } = rowOf(plan, image);
    const cells = [image.id, csvPath(String(path)), csvName(String(label ?? "")), split ?? ""];
    rows.push(`${cells.map((value) => csvField(String(value))).join(",")}\r\n`);
    yield littleEndian(image.embedding ?? new Float32Array(plan.embeddingWidth));
  }
}

function littleEndian(vector: Float32Array): Uint8Array {
  const bytes = Buffer.alloc(4 * vector.length);
  vector.forEach((value, i) => bytes.writeFloatLE(value, 4 * i));
  return bytes;
}

/** Columns of the Parquet file: how each is stored, and what an image has there. */
const texts = ["path", "label", "coarse", "label_path", "split", "provenance", "sha256"] as const;
const whole = ["width", "height"] as const;

const schema: ConstructorParameters<typeof ParquetWriter>[0]["schema"] = [
  { name: "root", num_children: 1 + texts.length + whole.length + 2 },
  { name: "id", type: "INT64", repetition_type: "REQUIRED" },
  ...texts.map((name) => ({
    name,
    type: "BYTE_ARRAY" as const,
    converted_type: "UTF8" as const,
    repetition_type: "OPTIONAL" as const,
  })),
  ...whole.map((name) => ({ name, type: "INT32" as const, repetition_type: "REQUIRED" as const })),
  { name: "confidence", type: "DOUBLE", repetition_type: "OPTIONAL" },
  { name: "embedding", repetition_type: "REQUIRED", converted_type: "LIST", num_children: 1 },
  { name: "list", repetition_type: "REPEATED", num_children: 1 },
  { name: "element", type: "FLOAT", repetition_type: "REQUIRED" },
];

export const parquet: ExportFormat = {
  summary: "embeddings.parquet: labels and embeddings, a row an image",
  version: 1,
  needs: { label: false, mask: false, embedding: true },
  write: (plan, images, folder) => folder.write("embeddings.parquet", parquetBytes(plan, images)),
};

async function* parquetBytes(plan: ExportPlan, images: AsyncIterable<ExportImage>): AsyncGenerator<Uint8Array> {
  const writer = new ByteWriter();
  const kvMetadata =
    plan.model === null
      ? []
      : [
          { key: "dinoscope.model", value: plan.model.name },
          { key: "dinoscope.model_sha256", value: plan.model.hash },
        ];
  const file = new ParquetWriter({ writer, schema, createdBy: "dinoscope", kvMetadata });
  // What was encoded so far; `offset`, which the footer counts by, goes on.
  const taken = (): Uint8Array => {
    const bytes = new Uint8Array(writer.buffer.slice(0, writer.index));
    writer.index = 0;
    return bytes;
  };
  let group: ExportImage[] = [];
  const encode = (): Uint8Array => {
    const rows = group.map((image) => rowOf(plan, image));
    const columnData = [
      { name: "id", data: group.map(({ id }) => BigInt(id)) },
      ...texts.map((name) => ({ name, data: rows.map((row) => row[name]) })),
      ...whole.map((name) => ({ name, data: Int32Array.from(rows, (row) => Number(row[name])) })),
      { name: "confidence", data: group.map(({ confidence }) => confidence) },
      { name: "embedding", data: group.map(({ embedding }) => Array.from(embedding ?? [])) },
    ];
    void file.write({ columnData, rowGroupSize: rowGroup });
    group = [];
    return taken();
  };
  for await (const image of images) {
    group.push(image);
    if (group.length === rowGroup) yield encode();
  }
  if (group.length > 0) yield encode();
  void file.finish();
  yield taken();
}
