import { describe, expect, test } from "vitest";
import { optionRanges, type PretrainOptions } from "../../../core/nn/dino/options.ts";
import { settingsAt } from "../../../core/nn/dino/phases.ts";
import { cautionFor, presetFor, presets, resolveSettings, type PresetName } from "../../../core/nn/dino/presets.ts";
import type { TrainingSettings } from "../../../core/nn/dino/settings.ts";
import { namedArchitecture } from "../../../core/nn/architecture.ts";
import { checkSettings } from "../../../core/weights/training-settings.ts";
import { refusalOf } from "../../helpers/refusal.ts";

const surroundings = { images: 3000, onCpu: true, start: { kind: "random" } } as const;
const resolve = (options: PretrainOptions, changed: object = {}): TrainingSettings =>
  resolveSettings(options, { ...surroundings, ...changed }).settings;

describe("presets", () => {
  test("go by the library's size where there is a card, and are small on the CPU", () => {
    expect(presetFor(100_000, true)).toBe("nano");
    expect([3000, 30_000, 120_000, 500_000].map((images) => presetFor(images, false))).toEqual([
      "tiny",
      "tiny",
      "small",
      "full",
    ]);
  });

  test.each(Object.keys(presets) as PresetName[])("%s gives settings that pass the check of stored ones", (preset) => {
    for (const images of [8, 240, 3000, 300_000]) {
      const settings = resolve({ preset }, { images });
      // By way of JSON, as a checkpoint and the library keep them.
      expect(checkSettings(JSON.parse(JSON.stringify(settings)))).toEqual(settings);
      expect(settings.batch).toBeLessThanOrEqual(images);
      expect(settings.warmupIterations).toBeLessThan(Math.max(2, settings.iterations));
    }
  });

  test("take the number of prototypes from lightly-train's table", () => {
    const prototypes = [3000, 30_000, 60_000, 150_000, 400_000, 1_000_000].map(
      (images) => resolve({}, { images, onCpu: false }).head.prototypes,
    );
    expect(prototypes).toEqual([1024, 2048, 4096, 16_384, 32_768, 65_536]);
  });

  test("scale the learning rate with the batch: by its root below 256 pictures, as the official code above", () => {
    const rateOf = (batch: number): number => resolve({ batch, learningRate: 1e-3 }).learningRate;
    expect([16, 64, 256, 1024].map(rateOf)).toEqual([2.5e-4, 5e-4, 1e-3, 4e-3]);
  });

  test("count epochs in whole batches", () => {
    expect(resolve({ epochs: 3, batch: 64 }).iterations).toBe(3 * 46);
    expect(resolve({ iterations: 7 }).iterations).toBe(7);
    expect(refusalOf(() => resolve({ iterations: 7, epochs: 1 }))).toContain("option-invalid");
  });
});

describe("options", () => {
  test.each(Object.entries(optionRanges))("%s is refused outside its range, with a reason", (name, range) => {
    for (const value of [range.low - 1e-9 - (range.whole ? 1 : 0), range.high * 1.01 + 1, NaN]) {
      const refusal = refusalOf(() => resolve({ [name]: value }));
      expect(refusal).toContain("option-invalid");
      expect(refusal).toContain(range.reason);
    }
    if (range.whole) expect(refusalOf(() => resolve({ [name]: range.low + 0.5 }))).toContain("whole number");
  });

  test("that do not go together are refused", () => {
    expect(refusalOf(() => resolve({ globalSize: 60 }))).toContain("patches of 8 px");
    expect(refusalOf(() => resolve({ width: 100, heads: 3 }))).toContain("does not divide into 3 heads");
    expect(refusalOf(() => resolve({ batch: 64 }, { images: 20 }))).toContain("as many pictures");
    expect(refusalOf(() => resolve({}, { images: 7 }))).toContain("pictures-missing");
  });

  test("of size do not go with weights that have theirs", () => {
    const start = { kind: "model", architecture: namedArchitecture("vit-small"), imageSize: 224 };
    expect(refusalOf(() => resolve({ width: 64 }, { start }))).toContain("--width");
    const settings = resolve({}, { start });
    expect(settings.architecture).toEqual(namedArchitecture("vit-small"));
    expect(settings.freezeBackbone).toBeGreaterThan(0);
    expect(settings.crops).toMatchObject({ globalSize: 224, localSize: 112, sourceSize: 336 });
  });
});

const head = { hidden: 2048, bottleneck: 256, prototypes: 65_536, fixedScale: false };
const starts = {
  random: { kind: "random" },
  model: { kind: "model", architecture: namedArchitecture("vit-small"), imageSize: 224 },
  checkpoint: { kind: "checkpoint", architecture: namedArchitecture("vit-small"), head, settings: null },
};

describe("options that would be passed over, or make no sense, are refused with what to do", () => {
  test.each([
    ["random", { freezeBackbone: 3 }, "--freeze-backbone"],
    ["checkpoint", { freezeBackbone: 3 }, "--freeze-backbone"],
    ["checkpoint", { prototypes: 1024 }, "65536 prototypes"],
    ["checkpoint", { headHidden: 512 }, "2048 hidden features"],
    ["checkpoint", { bottleneck: 64 }, "256 features in its bottleneck"],
    ["checkpoint", { temperatureWarmup: 5 }, "--temperature-warmup"],
    ["checkpoint", { teacherTemperatureStart: 0.04 }, "--teacher-temperature-start"],
    ["random", { warmup: 1_000_000, iterations: 5 }, "longer than the run of 5 iterations"],
    ["random", { temperatureWarmup: 6, iterations: 5 }, "--temperature-warmup 6 is longer"],
    ["random", { freezeLastLayer: 6, iterations: 5 }, "--freeze-last-layer 6 is longer"],
    ["model", { freezeBackbone: 6, iterations: 5 }, "--freeze-backbone 6 is longer"],
    ["random", { localSize: 128 }, "larger than the global ones of 64 px"],
    ["random", { sourceSize: 56 }, "smaller than the global crops of 64 px"],
    ["random", { teacherTemperatureStart: 0.05 }, "above the 0.04"],
    ["random", { centring: false, centreMomentum: 0.5 }, "--no-centring"],
  ] as const)("%s start with %o", (start, options, words) => {
    const refusal = refusalOf(() => resolve(options, { start: starts[start] }));
    expect(refusal).toContain("option-invalid: ");
    expect(refusal).toContain(words);
  });

  test("and taken where they do", () => {
    expect(resolve({ freezeBackbone: 5, iterations: 5 }, { start: starts.model }).freezeBackbone).toBe(5);
    const same = { prototypes: 65_536, headHidden: 2048, bottleneck: 256 };
    expect(resolve(same, { start: starts.checkpoint }).head).toEqual(head);
    expect(resolve({ localSize: 64, sourceSize: 64 }).crops).toMatchObject({ localSize: 64, sourceSize: 64 });
  });
});

test("training from scratch on few pictures is called an experiment, and going on from a model is not", () => {
  expect(cautionFor(12, "random")).toMatch(/^12 pictures are few: .*experiment/);
  expect([cautionFor(240, "random"), cautionFor(12, "model"), cautionFor(12, "checkpoint")]).toEqual([
    null,
    null,
    null,
  ]);
});

test("what the paper keeps fixed is an option: scales, student temperature, centre momentum, first temperature", () => {
  expect(resolve({}).head.fixedScale).toBe(true);
  const options = { trainScales: true, studentTemperature: 0.2, centreMomentum: 0.5, teacherTemperatureStart: 0.01 };
  const settings = resolve(options);
  expect(settings).toMatchObject({ studentTemperature: 0.2, centreMomentum: 0.5, head: { fixedScale: false } });
  expect(settings.teacherTemperature).toMatchObject({ start: 0.01, end: 0.04 });
  const fixed = { ...starts.checkpoint, head: { ...head, fixedScale: true } };
  expect(resolve({}, { start: fixed }).head.fixedScale).toBe(true);
  expect(resolve({ trainScales: true }, { start: fixed }).head.fixedScale).toBe(false);
});

describe("crops of a start", () => {
  const starter = { ...namedArchitecture("vit-tiny"), patch: 8, grid: 12 };

  test("are as large as a model is used at, with local ones in proportion, unless asked otherwise", () => {
    const start = { kind: "model", architecture: starter, imageSize: 96 };
    expect(resolve({}, { start }).crops).toMatchObject({ globalSize: 96, localSize: 48, sourceSize: 144 });
    expect(resolve({ preset: "full" }, { start }).crops).toMatchObject({ globalSize: 96, localSize: 40 });
    expect(resolve({ globalSize: 48 }, { start }).crops).toMatchObject({ globalSize: 48, localSize: 24 });
    const larger = { kind: "model", architecture: { ...starter, patch: 14 }, imageSize: 518 };
    expect(resolve({}, { start: larger }).crops.globalSize).toBe(504);
  });

  test("are those that a checkpoint was trained with, where it says so", () => {
    const head = { hidden: 16, bottleneck: 8, prototypes: 16, fixedScale: true };
    const crops = { globalSize: 80, localSize: 24, localCount: 3, globalScale: [0.3, 1], localScale: [0.05, 0.3] };
    const own = { ...resolve({ teacherTemperature: 0.03 }), crops: { ...crops, sourceSize: 100 } };
    const start = { kind: "checkpoint", architecture: starter, head, settings: own };
    const settings = resolve({}, { start });
    expect(settings.crops).toEqual(own.crops);
    expect(settings.teacherTemperature).toEqual({ start: 0.03, end: 0.03, warmup: 0 });
    expect(settings.teacherMomentum).toBe(own.teacherMomentum);
    expect(resolve({ globalSize: 96 }, { start }).crops).toMatchObject({ localSize: 32, sourceSize: 144 });
    const silent = resolve({}, { start: { ...start, settings: null } });
    expect(silent.crops).toMatchObject({ globalSize: 96, localSize: 48 });
    expect(silent).toMatchObject({ teacherMomentum: 0.9995, teacherTemperature: { end: 0.07 } });
  });
});

test("a full checkpoint moves a tenth as fast, under a slow teacher of the final temperature", () => {
  const head = { hidden: 2048, bottleneck: 256, prototypes: 65_536, fixedScale: false };
  const start = { kind: "checkpoint", architecture: namedArchitecture("vit-small"), head, settings: null };
  const settings = resolve({ batch: 64 }, { start });
  expect(settings).toMatchObject({ head, teacherMomentum: 0.9995, freezeLastLayer: 0 });
  expect(settings.learningRate).toBeCloseTo(5e-5 / 2, 12);
  expect(settings.teacherTemperature).toEqual({ start: 0.07, end: 0.07, warmup: 0 });
  expect(refusalOf(() => resolve({ prototypes: 1024 }, { start }))).toContain("65536 prototypes");
});

test("low resolution lasts for its share, on the same network", () => {
  const settings = resolve({ iterations: 100, lowResolutionFirst: 0.7 });
  expect(settingsAt(settings, 69).crops).toMatchObject({ globalSize: 40, localSize: 24 });
  expect(settingsAt(settings, 69).architecture).toBe(settings.architecture);
  expect(settingsAt(settings, 70)).toBe(settings);
});
