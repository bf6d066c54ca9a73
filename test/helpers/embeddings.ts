import { join } from "node:path";
import type { EmbeddedPicture } from "../../core/engine/protocol.ts";
import { modelFile, resizeFor } from "../../core/jobs/model-file.ts";
import type { Workplace } from "../../core/jobs/run.ts";
import type { Model } from "../../core/rpc/records.ts";
import { drawPictures } from "./pictures.ts";
import { temporaryFolder } from "../library/support.ts";

/** Paths of a few pictures of noise. */
export async function somePictures(count = 3): Promise<string[]> {
  const folder = temporaryFolder();
  return (await drawPictures(folder, count, { seed: 3 })).map((name) => join(folder, name));
}

/** What a model of a library sees in pictures, on the CPU. Throws where one could not be embedded. */
export async function embedded(
  { library, engine }: Workplace,
  model: Model,
  paths: readonly string[],
): Promise<EmbeddedPicture[]> {
  const outcomes = await engine.call("embedPictures", {
    model: modelFile(library.folder, model),
    device: "cpu",
    paths,
    resize: resizeFor(model.imageSize),
  });
  return outcomes.map((outcome) => {
    if (!outcome.ok) throw new Error(outcome.problem.message);
    return outcome.value;
  });
}

/** Cosine of two vectors. */
export function cosine(one: Float32Array, other: Float32Array): number {
  const dot = one.reduce((sum, value, i) => sum + value * (other[i] ?? NaN), 0);
  return dot / (Math.hypot(...one) * Math.hypot(...other));
}
