import { describe, expect, test } from "vitest";
import { createOrtRuntime } from "../../../core/runtime/ort.ts";
import { createTfjsRuntime } from "../../../core/runtime/tfjs.ts";
import { trainedShapes } from "../../../core/nn/dino/parameters.ts";
import { compareGradients, compareStep, startState } from "../../helpers/training-parity.ts";
import { settings, stepCount } from "../../helpers/training-reference.ts";

describe("the official code's steps on the CPU", () => {
  test("losses, gradients of every tensor, student, teacher and centre agree, step after step", async () => {
    const runtime = createOrtRuntime("cpu");
    let state = startState();
    for (let step = 0; step < stepCount; step++) {
      const gradients = await compareGradients(runtime, step, state);
      expect(Object.keys(gradients).sort(), `step ${step}`).toEqual([...trainedShapes(settings).keys()].sort());
      // Float32 on both sides; sums of some thousand terms in another order differ by a few 1e-6.
      for (const [name, error] of Object.entries(gradients)) expect(error, `step ${step}: ${name}`).toBeLessThan(1e-4);

      const { errors, state: after } = await compareStep(runtime, step, state);
      expect(errors.loss, `step ${step}`).toBeLessThan(1e-5);
      expect(errors.metrics.finite).toBe(true);
      // Student and teacher, all with the scales of the prototypes, and the centre.
      expect(Object.keys(errors.tensors)).toHaveLength(
        2 * (trainedShapes(settings).size + (settings.head.fixedScale ? 1 : 0)) + 1,
      );
      for (const [name, error] of Object.entries(errors.tensors)) {
        expect(error, `step ${step}: ${name}`).toBeLessThan(1e-4);
      }
      state = after;
    }
  }, 60_000);

  test("the comparison sees a wrong step: without the centre, the second loss is another one", async () => {
    const runtime = createOrtRuntime("cpu");
    const { state } = await compareStep(runtime, 0, startState());
    const tensors = new Map(state.tensors);
    tensors.delete("centre");
    const { errors } = await compareStep(runtime, 1, { ...state, tensors });
    expect(errors.loss).toBeGreaterThan(1e-3);
  });
});

test("TensorFlow.js takes the first step alike", async () => {
  const { runtime } = await createTfjsRuntime("wasm");
  const { errors } = await compareStep(runtime, 0, startState());
  // tfjs approximates the error function to 1.5e-7, and its gradient through nine layers is the sharper for it.
  expect(errors.loss).toBeLessThan(1e-3);
  for (const [name, error] of Object.entries(errors.tensors)) expect(error, name).toBeLessThan(1e-3);
}, 60_000);
