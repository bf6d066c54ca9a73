import { describe, expect, test } from "vitest";
import { createTrainer, type TrainerState } from "../../core/engine/training/trainer.ts";
import { drawDropPath } from "../../core/nn/dino/drop-path.ts";
import { lastLayer, networkShapes } from "../../core/nn/dino/parameters.ts";
import type { TrainingSettings } from "../../core/nn/dino/settings.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { createRandom } from "../../core/util/random.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { relativeError, uniformFloats } from "../helpers/tensors.ts";
import { meaningful } from "../helpers/training-parity.ts";

const runtime = createOrtRuntime("cpu");

async function expectRefusal(work: Promise<unknown>, code: string): Promise<void> {
  expect(await refusalOfAsync(() => work)).toMatch(new RegExp(`^${code}: `));
}

/** A network of a few thousand weights, with everything on that can be on. */
const settings: TrainingSettings = {
  architecture: {
    width: 16,
    depth: 2,
    heads: 2,
    hidden: 32,
    patch: 8,
    grid: 4,
    registers: 0,
    layerScale: false,
    positionOffset: 0.1,
    positionAntialias: false,
  },
  head: { hidden: 24, bottleneck: 8, prototypes: 20, fixedScale: false },
  crops: {
    globalSize: 32,
    localSize: 16,
    localCount: 3,
    globalScale: [0.4, 1],
    localScale: [0.05, 0.4],
    sourceSize: 48,
  },
  colour: "official",
  batch: 6,
  iterations: 20,
  learningRate: 2e-3,
  minimumLearningRate: 1e-5,
  warmupIterations: 2,
  weightDecay: [0.04, 0.4],
  teacherMomentum: 0.9,
  studentTemperature: 0.1,
  teacherTemperature: { start: 0.04, end: 0.07, warmup: 5 },
  centreMomentum: 0.9,
  clip: 0.5,
  freezeLastLayer: 1,
  dropPath: 0.2,
  seed: 3,
};

function batchOf(iteration: number, changed: Partial<TrainingSettings> = {}) {
  const all = { ...settings, ...changed };
  const random = createRandom(100 + iteration);
  const views = (count: number, size: number) => {
    const shape = [count * all.batch, 3, size, size];
    return { shape, data: uniformFloats(random, count * all.batch * 3 * size * size) };
  };
  const { globalSize, localSize, localCount } = all.crops;
  const local = localCount > 0 ? { local: views(localCount, localSize) } : {};
  return { feeds: { global: views(2, globalSize), ...local }, dropPath: drawDropPath(random, all) };
}

async function train(
  steps: readonly number[],
  options: { state?: TrainerState; microBatch?: number; settings?: Partial<TrainingSettings> } = {},
) {
  const all = { ...settings, ...options.settings };
  const trainer = await createTrainer({ ...options, settings: all, runtime, augmented: false });
  const metrics = [];
  for (const step of steps) metrics.push(await trainer.step(batchOf(step, options.settings), step));
  const state = await trainer.state();
  await trainer.release();
  return { metrics, state };
}

describe("micro-batches", () => {
  test.each([1, 2, 3])("of %i pictures add up to the whole batch of 6", async (microBatch) => {
    const whole = await train([0, 1, 2]);
    const parts = await train([0, 1, 2], { microBatch });
    parts.metrics.forEach((metrics, i) => {
      const wanted = whole.metrics[i];
      expect(metrics.loss).toBeCloseTo(wanted?.loss ?? NaN, 5);
      expect(metrics.gradientNorm / (wanted?.gradientNorm ?? NaN)).toBeCloseTo(1, 5);
      expect(metrics.prototypesUsed).toBe(wanted?.prototypesUsed);
      expect(metrics.clsDeviation).toBeCloseTo(wanted?.clsDeviation ?? NaN, 5);
    });
    for (const [name, { data }] of parts.state.tensors) {
      if (!/^(first|student|teacher|centre)/.test(name)) continue;
      const wanted = meaningful(name, whole.state.tensors.get(name)?.data ?? []);
      // First moments are the gradients themselves, added up. Of one whose exact value is 0 only rounding is left: below
      // a ten-thousandth of the others.
      if (name.startsWith("first.") && Math.hypot(...wanted) < 1e-6) continue;
      expect(relativeError(meaningful(name, data), wanted), name).toBeLessThan(1e-5);
    }
  });

  test("can be halted between two, and the step leaves no trace", async () => {
    const trainer = await createTrainer({ settings, runtime, augmented: false, microBatch: 2 });
    const stopping = new AbortController();
    // Heard after the first micro-batch: what is asked meanwhile waits for the thread.
    setImmediate(() => stopping.abort());
    await expect(trainer.step(batchOf(0), 0, stopping.signal)).rejects.toThrow(/aborted/);
    expect((await trainer.state()).iteration).toBe(0);
    await trainer.step(batchOf(0), 0);
    const { tensors } = await trainer.state();
    await trainer.release();
    const straight = await train([0], { microBatch: 2 });
    for (const [name, { data }] of straight.state.tensors) expect(tensors.get(name)?.data, name).toEqual(data);
  });

  test("must divide the batch", async () => {
    await expectRefusal(createTrainer({ settings, runtime, augmented: false, microBatch: 4 }), "option-invalid");
  });
});

test("stopping and going on from a copy of the state takes exactly the same steps", async () => {
  const straight = await train([0, 1, 2, 3]);
  const half = await train([0, 1]);
  expect(half.state.iteration).toBe(2);
  const rest = await train([2, 3], { state: half.state });
  expect([...half.metrics, ...rest.metrics]).toEqual(straight.metrics);
  for (const [name, { data }] of rest.state.tensors) expect(data, name).toEqual(straight.state.tensors.get(name)?.data);
});

test("a copy of the state is not touched by later steps", async () => {
  const trainer = await createTrainer({ settings, runtime, augmented: false });
  await trainer.step(batchOf(0), 0);
  const copy = await trainer.state();
  const before = new Map([...copy.tensors].map(([name, { data }]) => [name, data.slice()]));
  for (const step of [1, 2, 3]) await trainer.step(batchOf(step), step);
  await trainer.release();
  for (const [name, { data }] of copy.tensors) expect(data, name).toEqual(before.get(name));
});

describe("a step that is not finite", () => {
  test.each([[undefined], [2]])("says so and leaves the state as it was (micro-batch %s)", async (microBatch) => {
    const options = microBatch === undefined ? {} : { microBatch };
    const trainer = await createTrainer({ settings, runtime, augmented: false, ...options });
    await trainer.step(batchOf(0), 0);
    const before = await trainer.state();
    const broken = batchOf(1);
    broken.feeds.global.data[5] = NaN;
    const metrics = await trainer.step(broken, 1);
    expect(metrics.finite).toBe(false);
    const after = await trainer.state();
    expect(after.iteration).toBe(1);
    for (const [name, { data }] of after.tensors) expect(data, name).toEqual(before.tensors.get(name)?.data);
    // And the next batch is none the worse for it.
    const next = await trainer.step(batchOf(1), 1);
    expect(next.finite).toBe(true);
    await trainer.release();
    const fresh = await train([0, 1], options);
    expect(next.loss).toBe(fresh.metrics[1]?.loss);
  });
});

describe("learning", () => {
  test("brings a student to a teacher that stands still", async () => {
    const still = { teacherMomentum: 1, centreMomentum: null, dropPath: 0, freezeLastLayer: 0 };
    const trainer = await createTrainer({ settings: { ...settings, ...still }, runtime, augmented: false });
    const divergences: number[] = [];
    for (let step = 0; step < 20; step++) divergences.push((await trainer.step(batchOf(7, still), step)).divergence);
    await trainer.release();
    expect(divergences.at(-1)).toBeLessThan((divergences[0] ?? NaN) / 2);
  });

  test("works without local crops, drop path, clipping or a centre", async () => {
    const plain = {
      crops: { ...settings.crops, localCount: 0 },
      dropPath: 0,
      clip: null,
      centreMomentum: null,
      head: { ...settings.head, fixedScale: true },
    };
    const { metrics, state } = await train([0, 1], { settings: plain });
    expect(metrics.every(({ finite, centreNorm }) => finite && centreNorm === 0)).toBe(true);
    // The scales are in every state, as in the official code's checkpoints, and without moments.
    expect(state.tensors.get(`student.${lastLayer.scales}`)?.data.every((scale) => scale === 1)).toBe(true);
    expect(state.tensors.has(`first.${lastLayer.scales}`)).toBe(false);
  });

  test("a fresh student and its teacher start alike, and the last layer moves only after its freeze", async () => {
    const { state: first } = await train([0]);
    const { state: second } = await train([1, 2], { state: first });
    const weights = (state: TrainerState, name: string) => state.tensors.get(name)?.data;
    const name = lastLayer.directions;
    // The teacher is a weighted mean of two equal numbers, which rounds.
    expect(
      relativeError(weights(first, `teacher.${name}`) ?? [], weights(first, `student.${name}`) ?? []),
    ).toBeLessThan(1e-6);
    expect(weights(second, `student.${name}`)).not.toEqual(weights(first, `student.${name}`));
  });
});

describe("what does not fit is refused", () => {
  test("a state of another architecture", async () => {
    const { state } = await train([0]);
    const architecture = { ...settings.architecture, hidden: 48 };
    const options = { settings: { ...settings, architecture }, runtime, state, augmented: false };
    await expectRefusal(createTrainer(options), "training-state");
  });

  test("a network without its head", async () => {
    const { state } = await train([0]);
    const tensors = new Map([...state.tensors].filter(([name]) => !name.includes("head.mlp.4")));
    await expectRefusal(
      createTrainer({ settings, runtime, state: { ...state, tensors }, augmented: false }),
      "training-state",
    );
  });

  test("trained scales of prototypes where they are to be fixed", async () => {
    const { state } = await train([0, 1, 2]);
    const fixed = { ...settings, head: { ...settings.head, fixedScale: true } };
    await expectRefusal(createTrainer({ settings: fixed, runtime, state, augmented: false }), "training-state");
  });

  test("a batch with a view too few, or without its drop path", async () => {
    const trainer = await createTrainer({ settings, runtime, augmented: false });
    const { feeds, dropPath } = batchOf(0);
    const short = { ...feeds.global, shape: [2 * settings.batch - 1, 3, 32, 32] };
    await expectRefusal(trainer.step({ feeds: { ...feeds, global: short }, dropPath }, 0), "training-input");
    await expectRefusal(trainer.step({ feeds }, 0), "training-input");
    await trainer.release();
  });
});

test("the state names every tensor of both networks, the moments and the centre", async () => {
  const { state } = await train([]);
  const names = [...networkShapes(settings).keys()];
  const wanted = ["student", "teacher", "first", "second"].flatMap((kind) => names.map((name) => `${kind}.${name}`));
  expect([...state.tensors.keys()].sort()).toEqual([...wanted, "centre"].sort());
});
