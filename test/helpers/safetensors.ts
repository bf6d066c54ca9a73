import { readFileSync } from "node:fs";

/** A tensor of a reference file, its numbers as float64 whatever they were stored as. */
export interface ReferenceTensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

interface Entry {
  readonly dtype: "F32" | "F64" | "I64" | "U8";
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Reads a safetensors file that the tests trust: 8 bytes of header length, the header as JSON, the numbers. */
export function readSafetensors(path: string): {
  metadata: Record<string, string>;
  tensor: (name: string) => ReferenceTensor;
  names: string[];
} {
  const bytes = readFileSync(path);
  const headerEnd = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(bytes.toString("utf8", 8, headerEnd)) as Record<
    string,
    Entry
  > & { __metadata__?: Record<string, string> };
  const tensor = (name: string): ReferenceTensor => {
    const entry = (entries as Record<string, Entry>)[name];
    if (entry === undefined) throw new Error(`${path} has no tensor ${name}`);
    const [start, end] = entry.data_offsets.map((offset) => headerEnd + offset) as [number, number];
    const size = { U8: 1, F32: 4, F64: 8, I64: 8 }[entry.dtype];
    const data = Float64Array.from({ length: (end - start) / size }, (_, i) => {
      const at = start + i * size;
      if (entry.dtype === "U8") return bytes.readUInt8(at);
      if (entry.dtype === "I64") return Number(bytes.readBigInt64LE(at));
      return entry.dtype === "F32" ? bytes.readFloatLE(at) : bytes.readDoubleLE(at);
    });
    return { shape: entry.shape, data };
  };
  return { metadata, tensor, names: Object.keys(entries) };
}
