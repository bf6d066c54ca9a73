import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { WeightTensor, Weights } from "../../core/nn/architecture.ts";
import { weightShapes } from "../../core/nn/architecture.ts";
import { CoreError } from "../../core/util/errors.ts";
import { readCheckpoint, type CheckpointOptions } from "../../core/weights/checkpoint.ts";
import { readSafetensors, writeSafetensors } from "../../core/weights/safetensors.ts";
import { referenceFile, referenceHeads } from "../helpers/reference.ts";
import {
  op,
  pickle,
  randomWeights,
  smallArchitecture,
  stateDictionary,
  temporaryFile,
  temporaryFolder,
  torchFile,
  zip,
} from "./writers.ts";

const heads = referenceHeads();

async function refusal(file: string, options: CheckpointOptions = {}): Promise<string> {
  try {
    await readCheckpoint(file, options);
  } catch (error) {
    return error instanceof CoreError ? `${error.code}: ${error.message}` : `not ours: ${String(error)}`;
  }
  return "no error";
}

/** Writes tensors as safetensors, under changed names. */
async function safetensors(weights: Weights, rename: (name: string) => string = (name) => name): Promise<string> {
  const file = path.join(temporaryFolder(), "weights.safetensors");
  await writeSafetensors(file, new Map([...weights].map(([name, tensor]) => [rename(name), tensor])));
  return file;
}

const torch = (weights: Weights): string => temporaryFile("weights.pth", torchFile(weights));

/** The map with some entries replaced, added, or (undefined) taken away. */
function changed(weights: Weights, changes: Record<string, WeightTensor | undefined>): Weights {
  const copy = new Map(weights);
  for (const [name, tensor] of Object.entries(changes)) {
    if (tensor === undefined) copy.delete(name);
    else copy.set(name, tensor);
  }
  return copy;
}

const vector = (length: number): WeightTensor => ({ shape: [length], data: new Float32Array(length) });

describe("the official figures", () => {
  test("backbone, full checkpoint and Hugging Face's file hold the same weights and architecture", async () => {
    const backbone = await readCheckpoint(referenceFile("backbone.pth"), { heads });
    const huggingFace = await readCheckpoint(referenceFile("huggingface.safetensors"));
    const student = await readCheckpoint(referenceFile("full_checkpoint.pth"), { heads, part: "student" });
    const teacher = await readCheckpoint(referenceFile("full_checkpoint.pth"), { heads });

    expect(huggingFace.weights).toEqual(backbone.weights);
    expect(huggingFace.architecture).toEqual(backbone.architecture);
    expect(student.architecture).toEqual(backbone.architecture);
    expect(teacher.architecture).toEqual(backbone.architecture);
    expect(teacher.weights).not.toEqual(student.weights);
    expect([backbone, huggingFace, teacher].map(({ provenance }) => provenance.format)).toEqual([
      "dino-pth",
      "huggingface",
      "dino-checkpoint",
    ]);
    expect(teacher.provenance.notes.part).toBe("teacher");
    expect(student.provenance.notes.part).toBe("student");
    expect(teacher.leftOut.length).toBeGreaterThan(0);
    expect(teacher.leftOut.every((name) => name.startsWith("head."))).toBe(true);
    expect(student.leftOut.every((name) => name.startsWith("module.head."))).toBe(true);
  });

  // The file with the official training steps is large, so our own copy of the figures may come without it.
  const training = referenceFile("training.safetensors");
  test.skipIf(!existsSync(training))(
    "the full checkpoint holds the networks after the last official step",
    async () => {
      const { tensors } = await readSafetensors(training);
      for (const part of ["teacher", "student"] as const) {
        const { weights } = await readCheckpoint(referenceFile("full_checkpoint.pth"), { heads, part });
        for (const [name, { data }] of weights) {
          expect(tensors.get(`step2.${part}.backbone.${name}`)?.data, `${part} ${name}`).toEqual(data);
        }
      }
    },
  );

  test("Hugging Face's query, key and value are the three row blocks of qkv", async () => {
    const file = referenceFile("huggingface.safetensors");
    const { weights } = await readCheckpoint(file);
    const { tensors } = await readSafetensors(file);
    const qkv = weights.get("blocks.0.attn.qkv.weight")?.data ?? new Float32Array(0);
    const part = (name: string): number[] => [
      ...(tensors.get(`encoder.layer.0.attention.attention.${name}.weight`)?.data ?? []),
    ];
    expect([...qkv]).toEqual([...part("query"), ...part("key"), ...part("value")]);
  });

  test("heads come from config.json, from config.json of the same name first, or from the caller", async () => {
    const source = referenceFile("huggingface.safetensors");
    const folder = temporaryFolder();
    const file = path.join(folder, "model.safetensors");
    copyFileSync(source, file);
    const { architecture } = await readCheckpoint(file, { heads });
    expect(architecture.heads).toBe(heads);
    if (architecture.width % 64 !== 0) expect(await refusal(file)).toMatch(/^heads-unknown: /);

    const config = JSON.parse(readFileSync(referenceFile("huggingface.config.json"), "utf8")) as Record<
      string,
      unknown
    >;
    const write = (name: string, changes: Record<string, unknown>): void =>
      writeFileSync(path.join(folder, name), JSON.stringify({ ...config, ...changes }));
    write("config.json", {});
    expect((await readCheckpoint(file)).architecture.heads).toBe(heads);
    expect(await refusal(file, { heads: heads + 1 })).toMatch(/^heads-conflict: /);
    write("model.config.json", { num_attention_heads: 1 });
    expect((await readCheckpoint(file)).architecture.heads).toBe(1);
    write("model.config.json", { hidden_size: 7 });
    expect(await refusal(file)).toMatch(/^config-mismatch: .*hidden_size 7/);
    write("model.config.json", { hidden_act: "quick_gelu" });
    expect(await refusal(file)).toMatch(/^config-mismatch: .*hidden_act/);
    write("model.config.json", { num_attention_heads: 1e9 });
    expect(await refusal(file)).toMatch(/^architecture-invalid: /);
    writeFileSync(path.join(folder, "model.config.json"), "[]");
    expect(await refusal(file)).toMatch(/^config-invalid: /);
  });
});

describe("shapes tell the architecture", () => {
  const cases = {
    "ViT of another width, depth and patch": smallArchitecture({ width: 20, depth: 5, heads: 5, patch: 8, grid: 2 }),
    "patch 14 and a narrow feed-forward part": smallArchitecture({ patch: 14, hidden: 10, grid: 1 }),
    "DINOv2 with layer scale": smallArchitecture({ layerScale: true }),
    "DINOv2 with registers": smallArchitecture({
      layerScale: true,
      registers: 4,
      positionOffset: 0,
      positionAntialias: true,
    }),
  };
  test.each(Object.entries(cases))("%s, as .pth and as safetensors", async (_, architecture) => {
    const weights = randomWeights(architecture);
    const options = { heads: architecture.heads };
    for (const file of [torch(weights), await safetensors(weights)]) {
      const read = await readCheckpoint(file, options);
      expect(read.architecture).toEqual(architecture);
      expect(read.weights).toEqual(weights);
      expect([...read.weights.keys()]).toEqual([...weightShapes(architecture).keys()]);
    }
  });

  test("a width of 64 features a head needs no option", async () => {
    const architecture = smallArchitecture({ width: 128, depth: 1, hidden: 8, heads: 2 });
    expect((await readCheckpoint(torch(randomWeights(architecture)))).architecture).toEqual(architecture);
  });

  test("heads that do not divide the width are refused", async () => {
    expect(await refusal(torch(randomWeights(smallArchitecture())), { heads: 5 })).toMatch(/^architecture-invalid: /);
    expect(await refusal(torch(randomWeights(smallArchitecture())), { heads: 0 })).toMatch(/^architecture-invalid: /);
    expect(await refusal(torch(randomWeights(smallArchitecture())))).toMatch(/^heads-unknown: /);
  });

  test("timm's register models, whose CLS has no position row, get a row of zeros", async () => {
    const architecture = smallArchitecture({
      layerScale: true,
      registers: 2,
      positionOffset: 0,
      positionAntialias: true,
    });
    const weights = randomWeights(architecture);
    const positions = weights.get("pos_embed") as WeightTensor;
    const { width } = architecture;
    const timm = changed(weights, {
      register_tokens: undefined,
      reg_token: weights.get("register_tokens"),
      pos_embed: { shape: [1, 9, width], data: positions.data.slice(width) },
    });
    const read = await readCheckpoint(await safetensors(timm), { heads: 3 });
    expect(read.architecture).toEqual(architecture);
    const zeroed = Float32Array.from(positions.data, (value, index) => (index < width ? 0 : value));
    expect(read.weights).toEqual(changed(weights, { pos_embed: { shape: [1, 10, width], data: zeroed } }));
  });
});

describe("wrappers and extra tensors", () => {
  const architecture = smallArchitecture();
  const weights = randomWeights(architecture);
  const renamed = (rename: (name: string) => string): Weights =>
    new Map([...weights].map(([name, tensor]) => [rename(name), tensor]));

  test("prefixes of training wrappers are taken off", async () => {
    for (const prefix of ["module.", "backbone.", "module.backbone.", "_orig_mod.", "module._orig_mod.backbone."]) {
      const read = await readCheckpoint(torch(renamed((name) => prefix + name)), { heads: 3 });
      expect(read.weights, prefix).toEqual(weights);
    }
  });

  test("state dictionaries inside model and state_dict are found, and args may tell the heads", async () => {
    for (const key of ["model", "state_dict"]) {
      const { state, storages } = stateDictionary(weights);
      const args = Buffer.concat([
        op.global("argparse", "Namespace"),
        op.raw(")\x81"),
        op.dictionary({ num_heads: op.integer(3), arch: op.text("own") }),
        op.raw("b"),
      ]);
      const whole = pickle(op.dictionary({ [key]: state, args, epoch: op.integer(9) }));
      const file = temporaryFile("wrapped.pth", zip({ "archive/data.pkl": whole, ...storages }));
      const read = await readCheckpoint(file);
      expect(read.weights).toEqual(weights);
      expect(read.provenance).toEqual({ format: "dino-checkpoint", notes: { arch: "own", epoch: 9 } });
    }
  });

  test("student and teacher are told apart, and a part that is missing is said so", async () => {
    const other = randomWeights(architecture, 2);
    const prefixed = (source: Weights, prefix: string): Weights =>
      new Map([...source].map(([name, tensor]) => [`${prefix}backbone.${name}`, tensor]));
    const teacher = stateDictionary(prefixed(weights, ""));
    const student = stateDictionary(changed(prefixed(other, "module."), { "module.head.mlp.0.bias": vector(3) }), "s");
    const both = pickle(op.dictionary({ student: student.state, teacher: teacher.state }));
    const file = temporaryFile("full.pth", zip({ "archive/data.pkl": both, ...teacher.storages, ...student.storages }));
    expect((await readCheckpoint(file, { heads: 3 })).weights).toEqual(weights);
    expect((await readCheckpoint(file, { heads: 3, part: "teacher" })).weights).toEqual(weights);
    const read = await readCheckpoint(file, { heads: 3, part: "student" });
    expect(read.weights).toEqual(other);
    expect(read.leftOut).toEqual(["module.head.mlp.0.bias"]);

    const only = pickle(op.dictionary({ teacher: teacher.state }));
    const lone = temporaryFile("lone.pth", zip({ "archive/data.pkl": only, ...teacher.storages }));
    expect(await refusal(lone, { heads: 3, part: "student" })).toMatch(/^checkpoint-part: /);
    expect(await refusal(torch(weights), { heads: 3, part: "student" })).toMatch(/^checkpoint-part: /);
    expect(await refusal(await safetensors(weights), { heads: 3, part: "student" })).toMatch(/^checkpoint-part: /);
  });

  test("heads, poolers and mask tokens are left out by name", async () => {
    const extra = {
      "head.weight": vector(5),
      "head.bias": vector(5),
      mask_token: vector(12),
      "pooler.dense.bias": vector(12),
    };
    const read = await readCheckpoint(await safetensors(changed(weights, extra)), { heads: 3 });
    expect(read.weights).toEqual(weights);
    expect(read.leftOut).toEqual(Object.keys(extra));
  });

  test("two tensors that mean the same are refused", async () => {
    const twice = changed(weights, { "module.cls_token": weights.get("cls_token") });
    expect(await refusal(torch(twice), { heads: 3 })).toMatch(/^checkpoint-mismatch: .*two tensors/);
  });
});

describe("what is not a backbone of ours is refused by name", () => {
  const weights = randomWeights(smallArchitecture());
  const refusalWith = async (changes: Record<string, WeightTensor | undefined>): Promise<string> =>
    refusal(await safetensors(changed(weights, changes)), { heads: 3 });

  test("missing, unexpected and misshapen tensors", async () => {
    expect(await refusalWith({ "blocks.1.norm2.bias": undefined })).toMatch(
      /^checkpoint-mismatch: .*Missing: blocks\.1\.norm2\.bias\./,
    );
    expect(await refusalWith({ "blocks.0.attn.q_norm.weight": vector(4) })).toMatch(/^checkpoint-mismatch: .*q_norm/);
    expect(await refusalWith({ "blocks.0.attn.proj.weight": vector(144) })).toMatch(
      /^checkpoint-mismatch: .*\[144\], expected \[12, 12\]/,
    );
    expect(await refusalWith({ "blocks.7.norm1.weight": vector(12) })).toMatch(
      /^checkpoint-mismatch: .*depth 8.*Missing/,
    );
    expect(await refusalWith({ "blocks.9999.norm1.weight": vector(12) })).toMatch(/^architecture-invalid: .*depth/);
    expect(await refusalWith({ pos_embed: { shape: [1, 8, 12], data: new Float32Array(96) } })).toMatch(
      /^checkpoint-mismatch: .*8 rows/,
    );
    expect(await refusalWith({ pos_embed: undefined })).toMatch(/^checkpoint-mismatch: .*pos_embed is missing/);
  });

  test("values that are not finite", async () => {
    for (const value of [NaN, Infinity, -Infinity]) {
      const norm = { shape: [12], data: new Float32Array(12).fill(1) };
      norm.data[11] = value;
      expect(await refusalWith({ "norm.weight": norm })).toMatch(
        /^weights-not-finite: norm\.weight holds -?(NaN|Infinity) at position 11/,
      );
    }
  });

  test("DINOv3, SwiGLU layers, ResNets and files of other things", async () => {
    expect(await refusalWith({ "rope_embed.periods": vector(16) })).toMatch(/^model-unsupported: .*DINOv3/);
    expect(await refusalWith({ "blocks.0.mlp.w12.weight": vector(16) })).toMatch(/^model-unsupported: .*SwiGLU/);
    const resnet = new Map([["layer1.0.conv1.weight", vector(3)]]);
    expect(await refusal(torch(resnet))).toMatch(/^model-unsupported: .*ResNet/);
    expect(await refusal(torch(new Map([["prompt", vector(3)]])))).toMatch(/^model-unsupported: .*prompt/);
    expect(await refusal(torch(new Map()))).toMatch(/^checkpoint-unknown: /);
    expect(await refusal(temporaryFile("list.pth", zip({ "a/data.pkl": pickle(op.raw("]")) })))).toMatch(
      /^checkpoint-unknown: /,
    );
  });

  test("the kind is told by the bytes, whatever the name says", async () => {
    const misnamed = temporaryFile("weights.safetensors", torchFile(weights));
    expect((await readCheckpoint(misnamed, { heads: 3 })).provenance.format).toBe("dino-pth");
    const legacy = Buffer.from("80028a0a6cfc9c46f9206aa850192e80024de9032e", "hex");
    expect(await refusal(temporaryFile("old.pth", legacy))).toMatch(/^checkpoint-legacy: /);
    const onnx = Buffer.from("0808120774657374", "hex");
    expect(await refusal(temporaryFile("model.pth", onnx))).toMatch(/^checkpoint-unknown: .*ONNX/);
    expect(await refusal(temporaryFile("model.pth", Buffer.from("hello")))).toMatch(/^checkpoint-unknown: /);
    expect(await refusal(temporaryFile("model.pth", Buffer.alloc(0)))).toMatch(/^checkpoint-unknown: /);
  });

  test("a pickle that would run code is refused before any weights are read", async () => {
    const { state, storages } = stateDictionary(weights);
    const bad = Buffer.concat([op.call(op.global("os", "system"), op.tuple(op.text("true"))), op.raw("0"), state]);
    const file = temporaryFile("bad.pth", zip({ "archive/data.pkl": pickle(bad), ...storages }));
    expect(await refusal(file, { heads: 3 })).toMatch(/^pickle-refused: .*os\.system, at byte 2\./);
  });
});
