import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CoreError } from "../../core/util/errors.ts";
import { readPickle } from "../../core/weights/pickle.ts";
import { op, pickle } from "./writers.ts";

/** The error that reading these bytes gives, as "code: message". */
function refusal(bytes: Uint8Array): string {
  try {
    readPickle(bytes);
  } catch (error) {
    return error instanceof CoreError ? `${error.code}: ${error.message}` : `not ours: ${String(error)}`;
  }
  return "no error";
}

describe("plain data", () => {
  test("numbers, texts, bytes and containers of protocol 2 are read", () => {
    const value = readPickle(
      pickle(
        op.dictionary({
          small: op.integer(-5),
          long: op.raw("\x8a\x05\x00\x00\x00\x00\x01"),
          negative: op.raw("\x8a\x01\xff"),
          huge: op.raw("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"),
          float: op.raw("G\x3f\xb9\x99\x99\x99\x99\x99\x9a"),
          flags: op.tuple(op.raw("\x88"), op.raw("\x89"), op.raw("N")),
          list: op.list(op.text("ä"), op.raw("K\x07"), op.raw("M\x01\x02")),
        }),
      ),
    );
    expect(value).toEqual(
      new Map<string, unknown>([
        ["small", -5],
        ["long", 2 ** 32],
        ["negative", -1],
        ["huge", 0x1950a86a20f9469cfc6cn],
        ["float", 0.1],
        ["flags", [true, false, null]],
        ["list", ["ä", 7, 513]],
      ]),
    );
  });

  test("protocol 4's frames, short texts and memo are read", () => {
    // What Python gives for pickle.dumps([d, d], 4) where d = {"a": "b"}.
    const bytes = Buffer.from("80049512000000000000005d94287d948c0161948c016294736801652e", "hex");
    const value = readPickle(bytes) as Map<string, string>[];
    expect(value).toEqual([new Map([["a", "b"]]), new Map([["a", "b"]])]);
    expect(value[0]).toBe(value[1]);
  });

  test("names of object internals are ordinary keys", () => {
    const value = readPickle(pickle(op.dictionary({ ["__proto__"]: op.integer(1), constructor: op.integer(2) })));
    expect(value).toEqual(
      new Map([
        ["__proto__", 1],
        ["constructor", 2],
      ]),
    );
  });

  test("a learning rate that numpy computed is a number", () => {
    const type = Buffer.concat([
      op.call(op.global("numpy", "dtype"), op.tuple(op.text("f8"), op.raw("\x89"), op.raw("\x88"))),
      op.tuple(op.integer(3), op.text("<"), op.raw("N"), op.raw("N"), op.raw("N"), op.integer(-1)),
      op.raw("b"),
    ]);
    const bytes = Buffer.from(Float64Array.of(0.0005).buffer).toString("latin1");
    const encoded = op.call(op.global("_codecs", "encode"), op.tuple(op.text(bytes), op.text("latin1")));
    const scalar = op.call(op.global("numpy.core.multiarray", "scalar"), op.tuple(type, encoded));
    expect(readPickle(pickle(scalar))).toBe(0.0005);
  });

  test("the arguments of a training are fields, and are never attributes of an object of ours", () => {
    const built = Buffer.concat([
      op.global("argparse", "Namespace"),
      op.raw(")\x81"),
      op.dictionary({ ["__proto__"]: op.integer(0), arch: op.text("vit_small"), toString: op.text("x") }),
      op.raw("b"),
    ]);
    const value = readPickle(pickle(built)) as { kind: string; fields: Map<string, unknown> };
    expect(value.kind).toBe("namespace");
    expect(value.fields.get("arch")).toBe("vit_small");
    expect(value.fields.get("__proto__")).toBe(0);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(typeof value.toString).toBe("function");
  });

  test("a tensor is described, with its place in a storage", () => {
    const value = readPickle(pickle(op.tensor(op.storage("HalfStorage", "k", 10), 4, [2, 3], [3, 1])));
    expect(value).toMatchObject({
      kind: "tensor",
      offset: 4,
      shape: [2, 3],
      strides: [3, 1],
      storage: { key: "k", count: 10, type: { dtype: "F16" } },
    });
  });
});

describe("programs are refused and not run", () => {
  const command = op.text("touch /tmp/dinoscope-was-here");
  const system = op.global("os", "system");
  const cases: Record<string, [Buffer, RegExp]> = {
    "os.system by REDUCE": [op.call(system, op.tuple(command)), /os\.system, at byte 2\./],
    "os.system by a name from the stack": [
      Buffer.concat([op.text("os"), op.text("system"), op.raw("\x93"), op.tuple(command), op.raw("R")]),
      /os\.system, at byte 20\./,
    ],
    "a builtin": [op.call(op.global("builtins", "eval"), op.tuple(op.text("1"))), /builtins\.eval, at byte 2\./],
    "an instance by INST": [op.raw("(ios\nsystem\n"), /instruction INST \(os\.system\), at byte 3\./],
    "an instance by OBJ": [Buffer.concat([op.raw("("), command, op.raw("o")]), /instruction OBJ, at byte \d+\./],
    "OBJ of a class": [Buffer.concat([op.raw("("), system, command, op.raw("o")]), /os\.system, at byte 3\./],
    "a new object of a foreign class": [
      Buffer.concat([op.global("subprocess", "Popen"), op.tuple(command), op.raw("\x81")]),
      /subprocess\.Popen, at byte 2\./,
    ],
    NEWOBJ_EX: [op.raw(")}}\x92"), /instruction NEWOBJ_EX, at byte 5\./],
    "attributes by BUILD on a list": [
      Buffer.concat([op.raw("]"), op.dictionary({}), op.raw("b")]),
      /BUILD on an object/,
    ],
    "attributes by BUILD on a class": [
      Buffer.concat([op.global("torch", "FloatStorage"), op.dictionary({ x: op.integer(1) }), op.raw("b")]),
      /BUILD on an object/,
    ],
    "an extension by EXT1": [op.raw("\x82\x01"), /instruction EXT1, at byte 2\./],
    "an extension by EXT2": [op.raw("\x83\x01\x00"), /instruction EXT2/],
    "an extension by EXT4": [op.raw("\x84\x01\x00\x00\x00"), /instruction EXT4/],
    "a persistent id by PERSID": [op.raw("Px\n"), /instruction PERSID/],
    "a buffer from outside": [op.raw("\x97"), /instruction NEXT_BUFFER/],
    "an unknown byte": [op.raw("\xff"), /instruction 0xff, at byte 2\./],
    "a call of a storage class": [
      op.call(op.global("torch", "FloatStorage"), op.tuple()),
      /call of torch\.FloatStorage/,
    ],
    "a call of text": [op.call(op.text("os.system"), op.tuple(command)), /call of something that is no class/],
    "a name that only begins like an allowed one": [
      op.global("torch._utils", "_rebuild_tensor_v2.__globals__"),
      /__globals__/,
    ],
    "a class of the object prototype": [op.global("constructor", "constructor"), /constructor\.constructor/],
    "an older protocol": [op.raw("\x80\x01"), /protocol 1/],
  };
  test.each(Object.entries(cases))("%s", (_, [program, message]) => {
    const found = refusal(pickle(program));
    expect(found).toMatch(/^pickle-refused: /);
    expect(found).toMatch(message);
  });
});

describe("tensors that lie are refused", () => {
  const storage = op.storage("FloatStorage", "0", 10);
  const cases: Record<string, Buffer> = {
    "a shape beyond the storage": op.tensor(storage, 0, [11], [1]),
    "an offset beyond the storage": op.tensor(storage, 8, [3], [1]),
    "a stride beyond the storage": op.tensor(storage, 0, [2, 2], [9, 2]),
    "a huge stride": op.tensor(storage, 0, [2, 2], [2 ** 31 - 1, 1]),
    "a huge shape with huge strides": op.tensor(
      storage,
      0,
      Array<number>(16).fill(2 ** 31 - 1),
      Array<number>(16).fill(2 ** 31 - 1),
    ),
    "a negative stride": op.tensor(storage, 9, [2], [-1]),
    "a negative side": op.tensor(storage, 0, [-2], [1]),
    "fewer strides than sides": op.tensor(storage, 0, [2, 2], [1]),
    "no storage": op.tensor(op.text("storage"), 0, [1], [1]),
    "a storage of a negative size": op.tensor(op.storage("FloatStorage", "0", -1), 0, [1], [1]),
    "a storage of a class that is none": op.tensor(op.storage("Size", "0", 10), 0, [1], [1]),
  };
  test.each(Object.entries(cases))("%s", (_, program) => expect(refusal(pickle(program))).toMatch(/^pickle-refused: /));
});

describe("bounds", () => {
  test("texts longer than the file, empty stacks and unknown memo slots are damage", () => {
    for (const program of [
      op.raw("X\xff\xff\xff\x7fabc"),
      op.raw("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"),
      op.raw("R"),
      op.raw("t"),
    ]) {
      expect(refusal(pickle(program))).toMatch(/^pickle-damaged: /);
    }
    expect(refusal(pickle(op.raw("h\x05")))).toMatch(/slot 5/);
    expect(refusal(pickle(op.raw("cos" + "x".repeat(300))))).toMatch(/^pickle-damaged: /);
    expect(refusal(pickle(op.raw("X\x01\x00\x00\x00\xff")))).toMatch(/not UTF-8/);
    expect(refusal(Buffer.from([0x80, 0x02]))).toMatch(/^pickle-damaged: /);
    expect(refusal(new Uint8Array(0))).toMatch(/^pickle-damaged: /);
  });

  test("instructions, the stack and integers have an upper bound", () => {
    expect(refusal(pickle(Buffer.alloc(300_000, "N")))).toMatch(/values on its stack/);
    expect(refusal(pickle(Buffer.alloc(2_000_000, "N0")))).toMatch(/1000000 instructions/);
    expect(refusal(pickle(Buffer.alloc(1_500_000, "(")))).toMatch(/^pickle-refused: /);
    expect(refusal(pickle(op.raw("\x8b\xff\xff\xff\x00")))).toMatch(/integer of 16777215 bytes/);
  });

  test("deeply nested and recursive containers neither overflow nor hang", () => {
    let value = readPickle(pickle(Buffer.alloc(100_000, "]"), Buffer.alloc(99_999, "a")));
    let depth = 0;
    while (Array.isArray(value) && value.length > 0) {
      value = value[0] ?? null;
      depth++;
    }
    expect(depth).toBe(99_999);
    const recursive = readPickle(pickle(op.raw("]q\x00h\x00a"))) as unknown[];
    expect(recursive[0]).toBe(recursive);
  });

  test("random bytes and random edits give data or an error of ours", () => {
    const original = pickle(
      op.dictionary({ a: op.tensor(op.storage("FloatStorage", "0", 6), 0, [2, 3], [3, 1]), b: op.list(op.integer(1)) }),
    );
    const expectOurs = (bytes: Uint8Array): void => {
      expect(refusal(bytes)).toMatch(/^(no error$|pickle-)/);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), expectOurs), { numRuns: 500, seed: 3 });
    const edits = fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(edits, (changes) => {
        const bytes = Buffer.from(original);
        for (const [position, value] of changes) bytes[position] = value;
        expectOurs(bytes);
      }),
      { numRuns: 2000, seed: 4 },
    );
  });
});
