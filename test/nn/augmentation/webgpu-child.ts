/**
 * Makes views on WebGPU with no help from the CPU, and on the CPU, in a process of its own (see test/runtime/webgpu-child.ts).
 * Prints a ViewsReport as JSON.
 */
import { drawViews } from "../../../core/nn/augmentation/draw.ts";
import { createOrtRuntime } from "../../../core/runtime/ort.ts";
import { createRandom } from "../../../core/util/random.ts";
import { errorRecord } from "../../../core/util/errors.ts";
import { largestDifference } from "../../helpers/tensors.ts";
import { makeViews, planesOf, testGroup } from "../../helpers/views.ts";

export interface ViewsReport {
  /** Why it did not run. */
  readonly refused?: string;
  /** Largest difference between the two, in normalised values. */
  readonly difference?: number;
}

const random = createRandom(1);
const pictures = [0, 1].map(() => planesOf(24, () => [0, 0, 0].map(() => random.integer(256))));
const group = testGroup(3, 16, 24);
const draws = drawViews(group, [1, 1.4], { seed: 3, iteration: 0 });

async function report(): Promise<ViewsReport> {
  try {
    const got = await makeViews(pictures, group, draws, createOrtRuntime("webgpu", { allowFallback: false }));
    return { difference: largestDifference(got, await makeViews(pictures, group, draws)) };
  } catch (error) {
    return { refused: errorRecord(error).message };
  }
}

console.log(JSON.stringify(await report()));
