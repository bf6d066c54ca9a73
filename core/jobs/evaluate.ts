import type { WantedDevice } from "../engine/protocol.ts";
import type { Engine } from "../engine/supervisor.ts";
import type { Reader } from "../library/database.ts";
import { readEmbeddings } from "../library/embeddings.ts";
import { imagesByIds } from "../library/images.ts";
import { getThumbnail } from "../library/thumbnails.ts";
import type { Accuracy, EvaluateSummary } from "../rpc/api.ts";
import type { Model } from "../rpc/records.ts";
import { evaluateLeaveOneOut, evaluateSplit, type Evaluations } from "../suggest/evaluate.ts";
import { CoreError } from "../util/errors.ts";
import { readParts, type EvaluationParts, type Known, type PartsOptions } from "./evaluation-parts.ts";
import { viewsOf } from "./models.ts";
import { everyRow, loadBank, type Embeddings } from "./neighbours.ts";
import { onceMore } from "./once-more.ts";
import { slices } from "./pipeline.ts";
import type { Watch, Workplace } from "./run.ts";

export interface EvaluateOptions extends PartsOptions {
  readonly neighbours: number;
  readonly temperature: number;
  readonly device: WantedDevice;
}

/** Thumbnails whose histograms are asked for at a time. */
const histogramBatch = 64;

/** Features of images, and the row of each. */
interface Features extends Embeddings {
  readonly rows: ReadonlyMap<number, number>;
}

/**
 * Measures the k-NN vote on images whose labels are known, beside other views of the same pictures by the same weights
 * (whole, foreground) and two baselines that know nothing of the model: a colour histogram under the same vote, and always
 * saying the commonest label. A view that lacks one of the images is left out. Nothing is stored. Throws
 * `labels-missing` without two labels, or where nothing is left to test.
 */
export async function evaluateNeighbours(
  workplace: Workplace,
  model: Model,
  options: EvaluateOptions,
  watch: Watch = {},
): Promise<EvaluateSummary> {
  const { library, engine } = workplace;
  const all = await readParts(library.db, options);
  const wanted = [...all.voters, ...(all.tested ?? [])].map(({ imageId }) => imageId);
  const learned = readFeatures(library.db, model, wanted);
  const embedded = ({ imageId }: Known): boolean => learned.rows.has(imageId);
  const parts = { ...all, voters: all.voters.filter(embedded), tested: all.tested?.filter(embedded) ?? null };
  const labelIds = new Set(parts.voters.map(({ labelId }) => labelId));
  if (labelIds.size < 2 || parts.tested?.length === 0) {
    throw new CoreError(
      "labels-missing",
      `An evaluation needs images of two labels at least, embedded by ${model.name}.`,
      {
        hint: "Import labels, run `dinoscope embed`, and check that the file names images of the library.",
      },
    );
  }
  const ours = await evaluateFeatures(engine, learned, parts, options);
  const tested = [...parts.voters, ...(parts.tested ?? [])].map(({ imageId }) => imageId);
  const others: Accuracy[] = [];
  const leftOut: { model: string; embedded: number }[] = [];
  for (const view of viewsOf(library.db, model)) {
    if (view.id === model.id) continue;
    watch.signal?.throwIfAborted();
    const features = readFeatures(library.db, view, tested);
    if (features.rows.size < tested.length) leftOut.push({ model: view.name, embedded: features.rows.size });
    else others.push(accuracy(nameOf(view), await evaluateFeatures(engine, features, parts, options)));
  }
  const histograms = await readHistograms(workplace, [...learned.rows.keys()], watch);
  const colours = histograms === null ? null : await evaluateFeatures(engine, histograms, parts, options);
  return {
    model,
    protocol: parts.tested === null ? "leave-one-out" : "split",
    count: (parts.tested ?? parts.voters).length,
    labelCount: labelIds.size,
    neighbours: options.neighbours,
    temperature: options.temperature,
    accuracies: [
      accuracy(nameOf(model), ours),
      ...others,
      ...(colours === null ? [] : [accuracy("colour histogram", colours)]),
      ...majority(ours),
    ],
    leftOut,
  };
}

function readFeatures(db: Reader, model: Model, imageIds: readonly number[]): Features {
  const found = readEmbeddings(db, model.id, { imageIds });
  return { ...found, rows: new Map(found.imageIds.map((id, row) => [id, row])) };
}

function nameOf({ name, trained }: Model): string {
  return trained ? name : `${name} (random weights)`;
}

async function evaluateFeatures(
  engine: Engine,
  features: Features,
  { voters, tested, coarseOf }: EvaluationParts,
  { neighbours, temperature, device }: EvaluateOptions,
): Promise<Evaluations> {
  const matrix = pickRows(features, voters);
  const labelIds = Int32Array.from(voters, ({ labelId }) => labelId);
  const settings = { temperature, ...(coarseOf.size === 0 ? {} : { coarseOf }) };
  const bank = await loadBank(engine, { matrix, width: features.width }, device);
  try {
    if (tested === null) {
      return evaluateLeaveOneOut(await bank.nearest(matrix, neighbours, everyRow(voters.length)), labelIds, settings);
    }
    const truths = Int32Array.from(tested, ({ labelId }) => labelId);
    return evaluateSplit(await bank.nearest(pickRows(features, tested), neighbours), labelIds, truths, settings);
  } finally {
    await bank.drop().catch(() => {});
  }
}

function pickRows({ matrix, width, rows }: Features, images: readonly Known[]): Float32Array {
  const picked = new Float32Array(images.length * width);
  images.forEach(({ imageId }, i) => {
    const row = rows.get(imageId) ?? 0;
    picked.set(matrix.subarray(row * width, (row + 1) * width), i * width);
  });
  return picked;
}

/** Colour histograms of the images' thumbnails; null where thumbnails are missing from the cache. */
async function readHistograms(
  { library, engine }: Workplace,
  imageIds: readonly number[],
  watch: Watch,
): Promise<Features | null> {
  const histograms: Float32Array[] = [];
  for (const ids of slices(imageIds, histogramBatch)) {
    watch.signal?.throwIfAborted();
    const thumbnails = imagesByIds(library.db, ids).flatMap(({ contentHash }) => {
      const thumbnail = contentHash === null ? null : getThumbnail(library.thumbnails, contentHash);
      return thumbnail === null ? [] : [thumbnail];
    });
    if (thumbnails.length < ids.length) return null;
    histograms.push(...(await onceMore(() => engine.call("colourHistograms", { thumbnails }))));
  }
  const width = histograms[0]?.length ?? 1;
  const matrix = new Float32Array(histograms.length * width);
  histograms.forEach((histogram, row) => matrix.set(histogram, row * width));
  return { matrix, width, rows: new Map(imageIds.map((id, row) => [id, row])) };
}

function accuracy(method: string, { fine, coarse }: Evaluations): Accuracy {
  const { rate, low, high } = fine.top1;
  const coarseTop1 = coarse?.top1.rate ?? null;
  return { method, top1: rate, top1Low: low, top1High: high, top5: fine.top5.rate, coarseTop1 };
}

function majority({ fine, coarse }: Evaluations): Accuracy[] {
  if (fine.majority === null) return [];
  const { rate, low, high } = fine.majority;
  const coarseTop1 = coarse?.majority?.rate ?? null;
  return [{ method: "commonest label", top1: rate, top1Low: low, top1High: high, top5: rate, coarseTop1 }];
}
