import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { WeightTensor } from "../../core/nn/architecture.ts";
import { CoreError } from "../../core/util/errors.ts";
import { readCheckpoint } from "../../core/weights/checkpoint.ts";
import { withFile } from "../../core/weights/files.ts";
import type { PickleTensor } from "../../core/weights/pickle-values.ts";
import { openTorch } from "../../core/weights/pth.ts";
import { referenceFile, referenceHeads } from "../helpers/reference.ts";
import { op, pickle, temporaryFile, temporaryFolder, zip, type ZipEntry } from "./writers.ts";

/** Reads every tensor of a saved dictionary. */
function readAll(file: string): Promise<Map<string, WeightTensor>> {
  return withFile(file, async (opened) => {
    const torch = await openTorch(opened);
    return torch.readTensors(torch.root as unknown as Map<string, PickleTensor>);
  });
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof CoreError ? `${error.code}: ${error.message}` : `not ours: ${String(error)}`;
  }
  return "no error";
}

const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const counting = floats(...Array.from({ length: 24 }, (_, index) => index));

/** A saved dictionary with one tensor `x`, and its storage `0`. */
function single(tensor: Buffer, storage: ZipEntry | Uint8Array): string {
  const state = pickle(op.dictionary({ x: tensor }));
  return temporaryFile("single.pth", zip({ "archive/data.pkl": state, "archive/data/0": storage }));
}

describe("reading", () => {
  test("strides and offsets are followed", async () => {
    const storage = op.storage("FloatStorage", "0", 24);
    const read = async (offset: number, shape: number[], strides: number[]): Promise<number[]> => {
      const tensors = await readAll(single(op.tensor(storage, offset, shape, strides), counting));
      expect(tensors.get("x")?.shape).toEqual(shape);
      return [...(tensors.get("x")?.data ?? [])];
    };
    expect(await read(0, [24], [1])).toEqual(Array.from({ length: 24 }, (_, index) => index));
    expect(await read(5, [2, 3], [3, 1])).toEqual([5, 6, 7, 8, 9, 10]);
    // A transpose, a permutation of three axes, every second column, and a number.
    expect(await read(0, [3, 2], [1, 3])).toEqual([0, 3, 1, 4, 2, 5]);
    expect(await read(0, [2, 2, 3], [1, 12, 4])).toEqual([0, 4, 8, 12, 16, 20, 1, 5, 9, 13, 17, 21]);
    expect(await read(1, [3, 2], [6, 2])).toEqual([1, 3, 7, 9, 13, 15]);
    expect(await read(23, [], [])).toEqual([23]);
    expect(await read(0, [1, 4], [99, 1])).toEqual([0, 1, 2, 3]);
    expect(await read(0, [0, 4], [4, 1])).toEqual([]);
  });

  test("float16, bfloat16 and float64 become float32", async () => {
    const halves = new Uint8Array(Uint16Array.of(0x3c00, 0xc100).buffer);
    const brains = new Uint8Array(Uint16Array.of(0x3f80, 0xc020).buffer);
    const doubles = new Uint8Array(Float64Array.of(1, -2.5).buffer);
    for (const [name, bytes] of [
      ["HalfStorage", halves],
      ["BFloat16Storage", brains],
      ["DoubleStorage", doubles],
    ] as const) {
      const tensors = await readAll(single(op.tensor(op.storage(name, "0", 2), 0, [2], [1]), bytes));
      expect([...(tensors.get("x")?.data ?? [])], name).toEqual([1, -2.5]);
    }
  });

  test("two tensors may lie in one storage, and a parameter is its tensor", async () => {
    const storage = op.storage("FloatStorage", "0", 24);
    const parameter = op.call(
      op.global("torch._utils", "_rebuild_parameter"),
      op.tuple(op.tensor(storage, 4, [2], [1]), op.raw("\x88"), op.raw(")")),
    );
    const state = pickle(op.dictionary({ a: op.tensor(storage, 0, [4], [1]), b: parameter }));
    const file = temporaryFile(
      "two.pth",
      zip({ "x/data.pkl": state, "x/data/0": counting, "x/byteorder": Buffer.from("little") }),
    );
    const tensors = await readAll(file);
    expect([...(tensors.get("a")?.data ?? [])]).toEqual([0, 1, 2, 3]);
    expect([...(tensors.get("b")?.data ?? [])]).toEqual([4, 5]);
  });

  test("deflated entries are read", async () => {
    const tensor = op.tensor(op.storage("FloatStorage", "0", 24), 0, [24], [1]);
    const tensors = await readAll(single(tensor, { bytes: counting, deflate: true }));
    expect(tensors.get("x")?.data[23]).toBe(23);
  });

  test("only the storages of the tensors asked for are touched", async () => {
    const state = pickle(
      op.dictionary({
        a: op.tensor(op.storage("FloatStorage", "0", 24), 0, [24], [1]),
        b: op.tensor(op.storage("FloatStorage", "gone", 1e9), 0, [1e9], [1]),
      }),
    );
    const file = temporaryFile("lazy.pth", zip({ "x/data.pkl": state, "x/data/0": counting }));
    await withFile(file, async (opened) => {
      const torch = await openTorch(opened);
      const root = torch.root as unknown as Map<string, PickleTensor>;
      const tensors = await torch.readTensors(new Map([["a", root.get("a") as PickleTensor]]));
      expect(tensors.get("a")?.data.length).toBe(24);
      expect(await refusal(torch.readTensors(root))).toMatch(/^torch-damaged: .*missing/);
    });
  });
});

describe("archives that lie are refused", () => {
  const whole = op.tensor(op.storage("FloatStorage", "0", 24), 0, [24], [1]);
  test("a storage shorter or longer than it was declared", async () => {
    expect(await refusal(readAll(single(whole, counting.subarray(4))))).toMatch(/^torch-damaged: .*92 bytes, 96 were/);
    expect(await refusal(readAll(single(whole, new Uint8Array(200))))).toMatch(/^torch-damaged: .*200 bytes, 96 were/);
  });

  test("a checksum that does not match", async () => {
    expect(await refusal(readAll(single(whole, { bytes: counting, claimedChecksum: 7 })))).toMatch(
      /^archive-damaged: .*checksum/,
    );
  });

  test("sizes that do not match the compressed bytes, either way", async () => {
    const longer = { bytes: new Uint8Array(1000), deflate: true, claimedSize: 96 };
    const shorter = { bytes: new Uint8Array(50), deflate: true, claimedSize: 96 };
    expect(await refusal(readAll(single(whole, longer)))).toMatch(/^archive-damaged: .*96 bytes/);
    expect(await refusal(readAll(single(whole, shorter)))).toMatch(/^archive-damaged: .*50 bytes, 96 were/);
  });

  test("a size that no compression reaches", async () => {
    const huge = op.tensor(op.storage("FloatStorage", "0", 2 ** 30 - 1), 0, [2 ** 30 - 1], [1]);
    const bomb = { bytes: new Uint8Array(1000), deflate: true, claimedSize: 4 * (2 ** 30 - 1) };
    expect(await refusal(readAll(single(huge, bomb)))).toMatch(/^archive-damaged: .*claims 4294967292 bytes from/);
  });

  test("a compressed storage far larger than the tensor that is wanted", async () => {
    const count = 2 ** 20;
    const view = op.tensor(op.storage("FloatStorage", "0", count), 0, [2], [1]);
    const file = single(view, { bytes: new Uint8Array(4 * count), deflate: true });
    expect(await refusal(readAll(file))).toMatch(/^torch-damaged: .*unpacks to more/);
  });

  test("views that repeat numbers, by a stride of zero or by sharing", async () => {
    const repeated = op.tensor(op.storage("FloatStorage", "0", 24), 0, [1000, 1000], [0, 0]);
    expect(await refusal(readAll(single(repeated, counting)))).toMatch(/^torch-damaged: .*repeats/);
    const storage = op.storage("FloatStorage", "0", 24);
    const state = pickle(op.dictionary({ a: op.tensor(storage, 0, [24], [1]), b: op.tensor(storage, 0, [24], [1]) }));
    const file = temporaryFile("shared.pth", zip({ "x/data.pkl": state, "x/data/0": counting }));
    expect(await refusal(readAll(file))).toMatch(/^torch-damaged: .*shares/);
  });

  test("entries that overlap or have the same name", async () => {
    const entries = {
      "x/data.pkl": pickle(op.raw("}")),
      "x/data/0": { bytes: counting },
      "x/data/1": { bytes: counting, sameAs: "x/data/0" },
    };
    expect(await refusal(readAll(temporaryFile("o.pth", zip(entries))))).toMatch(/^archive-damaged: .*overlaps/);
    const twins = zip({ "x/data.pkl": pickle(op.raw("}")), "x/data/0": counting, "x/data/1": counting });
    const same = Buffer.from(twins.toString("latin1").replaceAll("x/data/1", "x/data/0"), "latin1");
    expect(await refusal(readAll(temporaryFile("t.pth", same)))).toMatch(/^archive-damaged: .*two entries/);
  });

  test("positions beyond 2^53 in a zip64 record", async () => {
    const plain = zip({ "x/data.pkl": pickle(op.raw("}")) });
    const end = plain.subarray(plain.length - 22);
    for (const position of [2n ** 64n - 1n, 2n ** 53n, 2n ** 40n]) {
      const locator = Buffer.alloc(20);
      locator.write("PK\x06\x07", "latin1");
      locator.writeBigUInt64LE(position, 8);
      const file = temporaryFile("z.pth", Buffer.concat([plain.subarray(0, -22), locator, end]));
      expect(await refusal(readAll(file))).toMatch(/^archive-damaged: /);
    }
  });

  test("a storage key that points out of the archive's folder finds nothing", async () => {
    const tensor = op.tensor(op.storage("FloatStorage", "../../../etc/passwd", 24), 0, [24], [1]);
    expect(await refusal(readAll(single(tensor, counting)))).toMatch(/^torch-damaged: .*missing/);
  });

  test("big-endian files, TorchScript and other archives are named", async () => {
    const state = pickle(op.raw("}"));
    const archive = (entries: Record<string, Uint8Array>): string => temporaryFile("a.pth", zip(entries));
    expect(await refusal(readAll(archive({ "x/data.pkl": state, "x/byteorder": Buffer.from("big") })))).toMatch(
      /^torch-byte-order: /,
    );
    expect(await refusal(readAll(archive({ "x/data.pkl": state, "x/constants.pkl": state })))).toMatch(
      /^torch-script: /,
    );
    expect(await refusal(readAll(archive({ "a.npy": state })))).toMatch(/^checkpoint-unknown: /);
  });

  test("integers are no weights", async () => {
    const tensor = op.tensor(op.storage("LongStorage", "0", 12), 0, [12], [1]);
    expect(await refusal(readAll(single(tensor, counting)))).toMatch(/^weights-type: .*I64/);
  });

  test("the official file cut anywhere", async () => {
    const bytes = readFileSync(referenceFile("backbone.pth"));
    const file = temporaryFile("cut.pth", bytes);
    for (let part = 31; part >= 0; part--) {
      truncateSync(file, Math.floor((bytes.length * part) / 32));
      expect(await refusal(readCheckpoint(file, { heads: 1 }))).toMatch(/^(archive-damaged|checkpoint-unknown): /);
    }
  });

  test("the official file with changed bytes is read as it was or refused by us", async () => {
    const original = readFileSync(referenceFile("backbone.pth"));
    const heads = referenceHeads();
    const { weights } = await readCheckpoint(referenceFile("backbone.pth"), { heads });
    const file = path.join(temporaryFolder(), "fuzzed.pth");
    const end = original.length - 1;
    // Most of the structure is at the end (the list of entries) and in the pickle at the beginning.
    const position = fc.oneof(fc.nat(end), fc.integer({ min: end - 4000, max: end }), fc.nat(6000));
    const edits = fc.array(fc.tuple(position, fc.nat(255)), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(edits, async (changes) => {
        const bytes = Buffer.from(original);
        for (const [at, value] of changes) bytes[at] = value;
        writeFileSync(file, bytes);
        try {
          expect((await readCheckpoint(file, { heads })).weights).toEqual(weights);
        } catch (error) {
          if (!(error instanceof CoreError)) throw error;
        }
      }),
      { numRuns: 200, seed: 5 },
    );
  });
});
