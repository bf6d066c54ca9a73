import { createHash } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  encodeSafetensors,
  readSafetensors,
  readSafetensorsHeader,
  readSafetensorsRaw,
  writeSafetensors,
} from "../../core/weights/safetensors.ts";
import { CoreError } from "../../core/util/errors.ts";
import { referenceFile } from "../helpers/reference.ts";
import { temporaryFile, temporaryFolder } from "./writers.ts";

/** A file with the given header text and number of bytes after it. */
function file(header: string, dataBytes = 0, claimedLength?: bigint): Buffer {
  const json = Buffer.from(header, "utf8");
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimedLength ?? BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
}

const tensor = (from: number, to: number, shape: string, dtype = "F32"): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${from},${to}]}`;

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => "no error",
    (thrown: unknown) => thrown,
  );
  return error instanceof CoreError ? error.code : String(error);
}

describe("writing", () => {
  const tensors = new Map([
    ["b.weight", { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 1e-40, 3e38, -0) }],
    ["__proto__", { shape: [1], data: Float32Array.of(7) }],
    ["empty", { shape: [0, 4], data: new Float32Array(0) }],
    ["scalar", { shape: [], data: Float32Array.of(0.1) }],
  ]);
  const metadata = new Map([
    ["note", 'quotes " and \u2028 and ß'],
    ["constructor", "x"],
  ]);

  test("what is written is read back bit by bit, in the same order, with its metadata", async () => {
    const target = path.join(temporaryFolder(), "a.safetensors");
    const written = await writeSafetensors(target, tensors, metadata);
    const read = await readSafetensors(target);
    expect([...read.tensors]).toEqual([...tensors]);
    expect(Object.is(read.tensors.get("b.weight")?.data[5], -0)).toBe(true);
    expect([...read.metadata]).toEqual([...metadata]);
    const bytes = readFileSync(target);
    expect(written).toEqual({ hash: createHash("sha256").update(bytes).digest("hex"), byteSize: bytes.length });
    expect(readdirSync(path.dirname(target))).toEqual(["a.safetensors"]);
    expect(Buffer.compare(bytes, encodeSafetensors(tensors, metadata))).toBe(0);
  });

  test("values start on a multiple of 8 bytes and the header is padded with spaces", () => {
    for (const name of ["a", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh"]) {
      const bytes = Buffer.from(encodeSafetensors(new Map([[name, { shape: [1], data: Float32Array.of(1) }]])));
      const length = Number(bytes.readBigUInt64LE(0));
      expect(length % 8).toBe(0);
      expect(bytes.toString("utf8", 8, 8 + length)).toMatch(/^\{.*\} *$/);
      expect(bytes.length).toBe(8 + length + 4);
    }
  });

  test("a failed write leaves the earlier file as it was and nothing beside it", async () => {
    const target = path.join(temporaryFolder(), "a.safetensors");
    await writeSafetensors(target, tensors);
    const before = readFileSync(target);
    const tooLarge = new Map([["large", { shape: [1], data: Float32Array.of(65520) }]]);
    expect(await codeOf(writeSafetensors(target, tooLarge, new Map(), { dtype: "F16" }))).toBe("weights-overflow");
    const misshapen = new Map([["short", { shape: [2], data: Float32Array.of(1) }]]);
    expect(await codeOf(writeSafetensors(target, misshapen))).toBe("weights-shape");
    expect(Buffer.compare(readFileSync(target), before)).toBe(0);
    expect(readdirSync(path.dirname(target))).toEqual(["a.safetensors"]);
  });

  test("float16 rounds to the nearest value, and ties to the even one", async () => {
    const target = path.join(temporaryFolder(), "half.safetensors");
    // 1 + 2^-11 lies between 1 and 1 + 2^-10; 1 + 3·2^-11 between odd and even; 2^-25 between 0 and the smallest.
    const data = Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -25, 3 * 2 ** -25, 65519, -0.333251953125);
    await writeSafetensors(target, new Map([["x", { shape: [6], data }]]), new Map(), { dtype: "F16" });
    const { tensors: read } = await readSafetensors(target);
    expect([...(read.get("x")?.data ?? [])]).toEqual([1, 1 + 2 ** -9, 0, 2 ** -23, 65504, -0.333251953125]);
  });
});

describe("reading", () => {
  test("every float16 and bfloat16 is widened to exactly its value", async () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, index) => index);
    const bytes = Buffer.concat([
      file(`{"h":${tensor(0, 131072, "[65536]", "F16")},"b":${tensor(131072, 262144, "[65536]", "BF16")}}`),
      Buffer.from(bits.buffer),
      Buffer.from(bits.buffer),
    ]);
    const { tensors } = await readSafetensors(temporaryFile("halves.safetensors", bytes));
    const value = (word: number, exponentBits: number, fractionBits: number): number => {
      const sign = word >> 15 === 1 ? -1 : 1;
      const exponent = (word >> fractionBits) & (2 ** exponentBits - 1);
      const fraction = (word & (2 ** fractionBits - 1)) / 2 ** fractionBits;
      const bias = 2 ** (exponentBits - 1) - 1;
      if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
      return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
    };
    const wrong = (name: string, exponentBits: number, fractionBits: number): number[] =>
      [...bits].filter((word) => !Object.is(tensors.get(name)?.data[word], value(word, exponentBits, fractionBits)));
    expect(wrong("h", 5, 10)).toEqual([]);
    expect(wrong("b", 8, 7)).toEqual([]);
  });

  test("float64 is rounded to float32", async () => {
    const data = Buffer.from(Float64Array.of(1 / 3, 1e300).buffer);
    const bytes = Buffer.concat([file(`{"d":${tensor(0, 16, "[2]", "F64")}}`), data]);
    const { tensors } = await readSafetensors(temporaryFile("d.safetensors", bytes));
    expect([...(tensors.get("d")?.data ?? [])]).toEqual([Math.fround(1 / 3), Infinity]);
  });

  test("integers are listed and read as they are, but are no weights", async () => {
    const source = referenceFile("knn.safetensors");
    const { metadata, tensors } = await readSafetensorsRaw(source);
    const labels = tensors.get("labels");
    expect(labels?.dtype).toBe("I64");
    const classes = BigInt(metadata.get("classes") ?? 0);
    expect(labels?.data).toBeInstanceOf(BigInt64Array);
    expect([...(labels?.data as BigInt64Array)].every((label) => label >= 0n && label < classes)).toBe(true);
    const masks = await readSafetensorsRaw(referenceFile("masks.safetensors"));
    expect(new Set(masks.tensors.get("keep60")?.data as Uint8Array)).toEqual(new Set([0, 1]));
    expect(await codeOf(readSafetensors(source, ["labels"]))).toBe("weights-type");
    expect(await codeOf(readSafetensors(source, ["nothing"]))).toBe("safetensors-missing");
    expect([...(await readSafetensors(source, ["queries"])).tensors.keys()]).toEqual(["queries"]);
  });

  test("rows of the official attention sum to one, so the bytes are where the header says", async () => {
    const { tensors } = await readSafetensors(referenceFile("inference.safetensors"), ["native.attention"]);
    const attention = tensors.get("native.attention");
    const side = attention?.shape.at(-1) ?? 0;
    for (let row = 0; row < (attention?.data.length ?? 0); row += side) {
      const sum = attention?.data.subarray(row, row + side).reduce((total, share) => total + share, 0);
      // Rows are softmaxes of a few dozen float32 values.
      expect(sum).toBeCloseTo(1, 5);
    }
  });
});

describe("hostile headers are refused before anything is allocated for them", () => {
  const cases: Record<string, Buffer> = {
    "an empty file": Buffer.alloc(0),
    "seven bytes": Buffer.alloc(7),
    "a length beyond the file": file("{}", 0, 100n),
    "a length of 2^63": file("{}", 0, 2n ** 63n),
    "no JSON": file("{a}"),
    "a list": file("[]"),
    "space before the brace": file(" {}"),
    "invalid UTF-8": Buffer.concat([file("", 0, 4n), Buffer.from([0x7b, 0x22, 0xff, 0x7d])]),
    "deep nesting": file(`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
    "metadata that is no text": file('{"__metadata__":{"a":1}}'),
    "metadata that is a list": file('{"__metadata__":[]}'),
    "an unknown type": file(`{"a":${tensor(0, 4, "[1]", "F31")}}`, 4),
    "a type named like a method": file(`{"a":${tensor(0, 4, "[1]", "toString")}}`, 4),
    "a negative side": file(`{"a":${tensor(0, 4, "[-1,-1]")}}`, 4),
    "a fraction of a side": file(`{"a":${tensor(0, 4, "[0.5,2]")}}`, 4),
    "a shape that overflows to the right size": file(`{"a":${tensor(0, 4, "[4294967296,4294967296,1]")}}`, 4),
    "sides beyond 2^53": file(`{"a":${tensor(0, 0, "[18446744073709551616]")}}`),
    "too many sides": file(`{"a":${tensor(0, 4, JSON.stringify(Array(17).fill(1)))}}`, 4),
    "more bytes than its shape": file(`{"a":${tensor(0, 8, "[1]")}}`, 8),
    "fewer bytes than its shape": file(`{"a":${tensor(0, 4, "[2]")}}`, 4),
    "offsets beyond the file": file(`{"a":${tensor(0, 400, "[100]")}}`, 4),
    "offsets in reverse": file(`{"a":${tensor(4, 0, "[1]")}}`, 4),
    "three offsets": file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}', 4),
    "a missing field": file('{"a":{"dtype":"F32","shape":[1]}}', 4),
    "an unknown field": file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"__proto__":{}}}', 4),
    "overlapping tensors": file(`{"a":${tensor(0, 8, "[2]")},"b":${tensor(4, 12, "[2]")}}`, 12),
    "one tensor twice": file(`{"a":${tensor(0, 4, "[1]")},"a":${tensor(4, 8, "[1]")}}`, 8),
    "a hole": file(`{"a":${tensor(0, 4, "[1]")},"b":${tensor(8, 12, "[1]")}}`, 12),
    "bytes after the last tensor": file(`{"a":${tensor(0, 4, "[1]")}}`, 5),
    "a tensor that is null": file('{"a":null}'),
  };
  test.each(Object.entries(cases))("%s", async (_, bytes) => {
    expect(await codeOf(readSafetensors(temporaryFile("x.safetensors", bytes)))).toBe("safetensors-invalid");
  });

  test("a header above the limit in a file that could hold it", async () => {
    const target = path.join(temporaryFolder(), "sparse.safetensors");
    const handle = openSync(target, "w");
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(100_000_001n);
    writeSync(handle, length);
    ftruncateSync(handle, 200_000_000);
    closeSync(handle);
    expect(await codeOf(readSafetensorsHeader(target))).toBe("safetensors-invalid");
  });

  test("a file cut anywhere", async () => {
    const whole = encodeSafetensors(new Map([["a", { shape: [8], data: new Float32Array(8) }]]));
    const target = temporaryFile("cut.safetensors", whole);
    for (let size = whole.byteLength - 1; size >= 0; size -= 7) {
      truncateSync(target, size);
      expect(await codeOf(readSafetensors(target))).toBe("safetensors-invalid");
    }
  });

  test("a folder and a missing file get an error of ours", async () => {
    const folder = temporaryFolder();
    expect(await codeOf(readSafetensors(folder))).toBe("file-unreadable");
    expect(await codeOf(readSafetensors(path.join(folder, "none")))).toBe("file-unreadable");
  });

  test("any change to the header gives a valid file or an error of ours, never a crash", async () => {
    const header = `{"__metadata__":{"k":"v"},"a":${tensor(0, 16, "[2,2]")},"b":${tensor(16, 24, "[4]", "F16")}}`;
    const original = file(header, 24);
    const target = path.join(temporaryFolder(), "fuzzed.safetensors");
    const letters = fc.constantFrom(...Buffer.from('0123456789-+.eE[]{}",:\\_ \u0000\u00ff', "latin1"));
    const changes = fc.array(fc.tuple(fc.nat(8 + header.length - 1), fc.oneof(letters, fc.nat(255))), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(changes, async (edits) => {
        const bytes = Buffer.from(original);
        for (const [position, value] of edits) bytes[position] = value;
        writeFileSync(target, bytes);
        try {
          const { tensors } = await readSafetensorsRaw(target);
          // Whatever was read cannot be more than the file holds.
          const total = [...tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
          expect(total).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(CoreError);
        }
      }),
      { numRuns: 500, seed: 11 },
    );
  });
});
