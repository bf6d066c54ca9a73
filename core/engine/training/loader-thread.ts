/**
 * A thread beside the engine's own: it decodes pictures, keeps them, and makes up batches, while `session.run` blocks the
 * thread that trains.
 */
import { parentPort, workerData } from "node:worker_threads";
import { drawViews } from "../../nn/augmentation/draw.ts";
import { viewFeeds } from "../../nn/augmentation/feeds.ts";
import { augmentationGroups } from "../../nn/augmentation/groups.ts";
import { drawDropPath } from "../../nn/dino/drop-path.ts";
import { settingsAt } from "../../nn/dino/phases.ts";
import { createRandom, deriveSeed } from "../../util/random.ts";
import { errorRecord } from "../../util/errors.ts";
import type { LoaderAnswer, LoaderData, LoaderRequest, Squares } from "./loader.ts";
import { batchIndices } from "./order.ts";
import { createPictureCache } from "./pictures.ts";
import type { TrainingBatch } from "./types.ts";

/** Keeps the generator of drop path apart from those of order and crops. */
const dropPathPurpose = 0x64726f70;

const { paths, settings, byteLimit } = workerData as LoaderData;
const { sourceSize } = settings.crops;
const cache = createPictureCache(paths, { copies: settings.copies ?? "raw", size: sourceSize, byteLimit });

async function batchOf(iteration: number): Promise<TrainingBatch> {
  const indices = batchIndices(settings, paths.length, iteration);
  const copies = await Promise.all(indices.map((index) => cache.stand(index)));
  const values = 3 * sourceSize * sourceSize;
  const pictures = new Float32Array(copies.length * values);
  copies.forEach(({ planes }, i) => pictures.set(planes, i * values));
  const aspects = copies.map(({ aspect }) => aspect);
  const current = settingsAt(settings, iteration);
  const { seed } = settings;
  const feeds: Record<string, TrainingBatch["feeds"][string]> = {};
  for (const group of augmentationGroups(current)) {
    Object.assign(feeds, viewFeeds(group, drawViews(group, aspects, { seed, iteration })));
  }
  const dropPath = drawDropPath(createRandom(deriveSeed(seed, dropPathPurpose, iteration)), current);
  return { pictures, feeds, dropPath };
}

async function squaresOf(indices: readonly number[]): Promise<Squares> {
  const copies = await Promise.all(indices.map((index) => cache.get(index)));
  const values = 3 * sourceSize * sourceSize;
  const pictures = new Float32Array(copies.length * values);
  copies.forEach((copy, i) => {
    if (copy !== null) pictures.set(copy.planes, i * values);
  });
  return { pictures, aspects: copies.map((copy) => copy?.aspect ?? null) };
}

async function answer({ id, kind, ...request }: LoaderRequest): Promise<void> {
  const send = (message: LoaderAnswer, moved: ArrayBuffer[] = []): void => parentPort?.postMessage(message, moved);
  const problems = (): LoaderAnswer["problems"] => [...cache.problems];
  try {
    if (kind === "batch") {
      const result = await batchOf(request.iteration);
      const buffers = [
        result.pictures,
        ...Object.values({ ...result.feeds, ...result.dropPath }).map(({ data }) => data),
      ];
      send(
        { id, result, problems: problems() },
        buffers.flatMap((values) => (values?.buffer instanceof ArrayBuffer ? [values.buffer] : [])),
      );
    } else {
      const result = await squaresOf(request.indices);
      send({ id, result, problems: problems() }, [result.pictures.buffer as ArrayBuffer]);
    }
  } catch (error) {
    send({ id, error: errorRecord(error), problems: problems() });
  }
}

parentPort?.on("message", (request: LoaderRequest) => void answer(request));
