import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { WeightTensor } from "../../core/nn/architecture.ts";
import { resolveSettings } from "../../core/nn/dino/presets.ts";
import { readFullCheckpoint, writeFullCheckpoint } from "../../core/weights/full-checkpoint.ts";
import { writeSafetensors } from "../../core/weights/safetensors.ts";
import { readTrainingFile, trainingShapes, writeTrainingFile } from "../../core/weights/training-file.ts";
import { checkSettings } from "../../core/weights/training-settings.ts";
import { createRandom } from "../../core/util/random.ts";
import { tinyRun } from "../helpers/pretraining.ts";
import { refusalOf, refusalOfAsync } from "../helpers/refusal.ts";
import { temporaryFolder } from "../library/support.ts";
import { op, pickle, stateDictionary, zip } from "./writers.ts";

const { device: _, probeEvery: __, ...options } = tinyRun;
const { settings } = resolveSettings(options, { images: 14, onCpu: true, start: { kind: "random" } });

function randomTensors(): Map<string, WeightTensor> {
  const random = createRandom(3);
  return new Map(
    [...trainingShapes(settings)].map(([name, shape]) => {
      const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
      // Prototypes whose scales are fixed have the scale 1.
      return [name, { shape, data: data.map(() => (name.endsWith("weight_g") ? 1 : random.normal())) }];
    }),
  );
}

async function written(tensors = randomTensors()): Promise<string> {
  const path = join(temporaryFolder(), "run.safetensors");
  await writeTrainingFile(path, { settings, iteration: 4, tensors });
  return path;
}

describe("the checkpoint of a run", () => {
  test("comes back bit for bit, with settings and position", async () => {
    const tensors = randomTensors();
    expect(await readTrainingFile(await written(tensors))).toEqual({ settings, iteration: 4, tensors });
  });

  test("is not written over by weights that are no numbers", async () => {
    const path = await written();
    const before = readFileSync(path);
    const broken = randomTensors();
    broken.get("centre")?.data.fill(NaN);
    const write = (): Promise<unknown> => writeTrainingFile(path, { settings, iteration: 5, tensors: broken });
    expect(await refusalOfAsync(write)).toContain("weights-not-finite");
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test("is refused where tensors are missing, too many, or of another shape", async () => {
    const path = join(temporaryFolder(), "bad.safetensors");
    const metadata = new Map([["dinoscope.training", JSON.stringify({ version: 1, iteration: 4, settings })]]);
    const refused = async (change: (tensors: Map<string, WeightTensor>) => void): Promise<string> => {
      const tensors = randomTensors();
      change(tensors);
      await writeSafetensors(path, tensors, metadata);
      return refusalOfAsync(() => readTrainingFile(path));
    };
    expect(await refused((tensors) => tensors.delete("centre"))).toContain("centre is missing");
    expect(await refused((tensors) => tensors.set("more", { shape: [1], data: Float32Array.of(1) }))).toContain(
      "tensor more",
    );
    const flat = { shape: [16], data: new Float32Array(16) };
    expect(await refused((tensors) => tensors.set("centre", flat))).toContain("expected [1, 16]");
  });

  test("is refused with metadata that is damaged, of another version, or asks for too much", async () => {
    const path = join(temporaryFolder(), "bad.safetensors");
    const refused = async (text: string): Promise<string> => {
      await writeSafetensors(path, randomTensors(), new Map([["dinoscope.training", text]]));
      return refusalOfAsync(() => readTrainingFile(path));
    };
    expect(await refused("{")).toContain("training-file-invalid");
    expect(await refused("3")).toContain("training-file-invalid");
    expect(await refused(JSON.stringify({ version: 2, iteration: 4, settings }))).toContain("version is 2");
    expect(await refused(JSON.stringify({ version: 1, iteration: -1, settings }))).toContain("iteration is -1");
    const huge = { ...settings, architecture: { ...settings.architecture, width: 1e9 } };
    expect(await refused(JSON.stringify({ version: 1, iteration: 4, settings: huge }))).toContain(
      "architecture-invalid",
    );
  });

  test("takes only settings within bounds", () => {
    const stored = JSON.parse(JSON.stringify(settings)) as Record<string, unknown>;
    expect(checkSettings(stored)).toEqual(settings);
    for (const change of [
      { batch: 0 },
      { batch: 1.5 },
      { batch: "8" },
      { colour: "loud" },
      { weightDecay: [0.1] },
      { teacherMomentum: 2 },
      { teacherTemperature: { start: 0, end: 0.04, warmup: 3 } },
      { head: null },
      { crops: { ...settings.crops, globalSize: 33 } },
      { crops: { ...settings.crops, localCount: 1e6 } },
      { iterations: NaN },
    ]) {
      expect(
        refusalOf(() => checkSettings({ ...stored, ...change })),
        JSON.stringify(change),
      ).toContain("invalid");
    }
  });
});

describe("a full checkpoint", () => {
  test("comes back with its head and centre, and without what the optimiser knew", async () => {
    const path = join(temporaryFolder(), "full.safetensors");
    const tensors = randomTensors();
    await writeFullCheckpoint(path, tensors, settings, { run: 1 });
    const found = await readFullCheckpoint(path);
    expect(found.architecture).toEqual(settings.architecture);
    expect(found.head).toEqual(settings.head);
    expect(found.settings).toEqual(settings);
    const kept = [...tensors].filter(([name]) => !/^(first|second)\./.test(name));
    expect(new Map([...found.tensors].sort())).toEqual(new Map(kept.sort()));
  });

  test("with settings that ask for too much is refused", async () => {
    const path = join(temporaryFolder(), "full.safetensors");
    const huge = { ...settings, crops: { ...settings.crops, globalSize: 2 ** 20 } };
    await writeFullCheckpoint(path, randomTensors(), huge, {});
    expect(await refusalOfAsync(() => readFullCheckpoint(path))).toContain("training-settings-invalid");
  });

  test("is read out of the checkpoint of a run", async () => {
    const { head, tensors, ...found } = await readFullCheckpoint(await written());
    expect(found.settings).toEqual(settings);
    expect(head).toEqual(settings.head);
    expect([...tensors.keys()].some((name) => name.startsWith("first"))).toBe(false);
  });

  test("is read as the official code saves it: a pickled dictionary of dictionaries", async () => {
    const tensors = randomTensors();
    const part = (prefix: string, renamed: string): Map<string, WeightTensor> =>
      new Map(
        [...tensors].flatMap(([name, tensor]) =>
          name.startsWith(prefix) ? [[renamed + name.slice(prefix.length), tensor]] : [],
        ),
      );
    const student = stateDictionary(part("student.", "module."), "s");
    const teacher = stateDictionary(part("teacher.", ""), "t");
    const centre = tensors.get("centre");
    const loss = stateDictionary(new Map(centre === undefined ? [] : [["center", centre]]), "c");
    const root = op.dictionary({
      student: student.state,
      teacher: teacher.state,
      epoch: op.integer(3),
      dino_loss: loss.state,
    });
    const storages = { ...student.storages, ...teacher.storages, ...loss.storages };
    const path = join(temporaryFolder(), "full.pth");
    writeFileSync(path, zip({ "archive/data.pkl": pickle(root), ...storages, "archive/version": Buffer.from("3\n") }));
    const found = await readFullCheckpoint(path);
    // Such a file does not say its heads, of which DINO's models have one for 64 features.
    expect(found.architecture).toEqual({ ...settings.architecture, heads: 1 });
    expect(found.settings).toBeNull();
    expect(found.head).toEqual(settings.head);
    for (const name of [
      "student.backbone.cls_token",
      "teacher.head.mlp.4.bias",
      "student.head.last_layer.weight_v",
      "centre",
    ]) {
      expect(found.tensors.get(name), name).toEqual(tensors.get(name));
    }
  });

  test("without a student, a head or a centre is refused, and says what to do", async () => {
    const path = join(temporaryFolder(), "part.safetensors");
    const teacher = [...randomTensors()].filter(([name]) => name.startsWith("teacher.backbone."));
    await writeSafetensors(path, new Map(teacher));
    expect(await refusalOfAsync(() => readFullCheckpoint(path))).toMatch(/checkpoint-part: .*student.*centre/);
  });
});
