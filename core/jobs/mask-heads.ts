/** The two kinds of heads that masks may need: an attention head that was chosen, a foreground head that was trained. */
import { createHash } from "node:crypto";
import type { WantedDevice } from "../engine/protocol.ts";
import type { Reader } from "../library/database.ts";
import { imagesByIds, listImages, pageSize } from "../library/images.ts";
import { editedMasks, foregroundHeadOf, putForegroundHead, type StoredHead } from "../library/masks.ts";
import { trainForegroundHead, type ForegroundHead } from "../masks/foreground-head.ts";
import { bestHead, type HeadChoice, type HeadExample } from "../masks/heads.ts";
import { decodeRuns, decompressRuns, type RunLengths } from "../masks/rle.ts";
import { coverage } from "../masks/score.ts";
import type { Image, Model } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { createRandom } from "../util/random.ts";
import { modelFile } from "./model-file.ts";
import { filePaths } from "./mask-files.ts";
import { pipeBatches, slices } from "./pipeline.ts";
import type { RunningJob, Workplace } from "./run.ts";

/** Corrected masks that the best head is chosen on, at most: the choice settles long before. */
const maxExamples = 200;

/** Pictures that a head is trained on, and patches taken from each: 19,200 rows are 30 MB at 384 features. */
const trainingImages = 300;
const patchesPerImage = 64;

/** Pictures in one request to the engine. */
const batch = 8;

/** Where and how pictures are looked at. */
export interface MaskLook {
  readonly device: WantedDevice;
  readonly size: number;
}

/** A foreground head, and the hash by which masks and embeddings name it. */
export interface OpenedHead {
  readonly hash: string;
  readonly head: ForegroundHead;
}

/** The head whose attention fits given masks best. Throws `masks-missing` without any. */
export async function chooseHead(
  { library, engine }: Workplace,
  model: Model,
  { device, size }: MaskLook,
  mass: number,
  known: readonly { readonly image: Image; readonly runs: RunLengths }[],
  job: RunningJob,
): Promise<HeadChoice> {
  const report = job.phase("choosing the best head", known.length);
  const pathOf = filePaths(library.db);
  const examples: HeadExample[] = [];
  for (const slice of slices(known, batch)) {
    job.signal.throwIfAborted();
    const paths = slice.map(({ image }) => pathOf(image));
    const outcomes = await engine.call("maskAttention", {
      model: modelFile(library.folder, model),
      device,
      paths,
      size,
    });
    slice.forEach(({ runs }, i) => {
      const outcome = outcomes[i];
      if (outcome?.ok !== true) return;
      const { rows, columns } = outcome.value;
      examples.push({ ...outcome.value, truth: coverage(decodeRuns(runs), rows, columns) });
    });
    report(examples.length);
  }
  return bestHead(examples, mass);
}

/** The corrected masks of the library that still fit their images. */
export function correctedExamples({ library: { db } }: Workplace): { image: Image; runs: RunLengths }[] {
  const masks = editedMasks(db, { limit: maxExamples });
  const images = new Map(
    imagesByIds(
      db,
      masks.map(({ imageId }) => imageId),
    ).map((image) => [image.id, image]),
  );
  return masks.flatMap(({ imageId, width, height, runs }) => {
    const image = images.get(imageId);
    const ready = image?.problem === null && image.missingSince === null;
    return ready ? [{ image, runs: decompressRuns(runs, width, height) }] : [];
  });
}

/**
 * The foreground head of a model at a size: the stored one, or one that is trained now on pictures of the library, chosen
 * at random, and stored. Throws `masks-missing` where there is nothing to learn from.
 */
export async function foregroundHead(
  workplace: Workplace,
  model: Model,
  look: MaskLook,
  job: RunningJob,
  { retrain = false }: { readonly retrain?: boolean } = {},
): Promise<OpenedHead> {
  const { db } = workplace.library;
  const known = retrain ? null : storedForegroundHead(db, model, look.size);
  if (known !== null) return known;
  const { tokens, targets, imageCount } = await gatherSamples(workplace, model, look, job);
  const { weights, bias } = trainForegroundHead(tokens, targets, 1);
  const stored = Float32Array.of(...weights, bias);
  const hash = createHash("sha256").update(new Uint8Array(stored.buffer)).digest("hex");
  putForegroundHead(db, model.hash, look.size, { hash, weights: stored, imageCount });
  return opened({ hash, weights: stored, imageCount });
}

/** The foreground head of a model at a size that is stored, or null. */
export function storedForegroundHead(db: Reader, model: Model, size: number): OpenedHead | null {
  const stored = foregroundHeadOf(db, model.hash, size);
  return stored === null ? null : opened(stored);
}

function opened({ hash, weights }: StoredHead): OpenedHead {
  return { hash, head: { weights: weights.subarray(0, -1), bias: weights.at(-1) ?? 0 } };
}

async function gatherSamples(
  { library, engine }: Workplace,
  model: Model,
  { device, size }: MaskLook,
  job: RunningJob,
): Promise<{ tokens: Float32Array; targets: Uint8Array; imageCount: number }> {
  const images = trainingSet(library.db);
  const report = job.phase("learning the foreground", images.length);
  report(0);
  const pathOf = filePaths(library.db);
  const tokens = new Float32Array(images.length * patchesPerImage * model.width);
  const targets = new Uint8Array(images.length * patchesPerImage);
  let [rows, imageCount, seen] = [0, 0, 0];
  await pipeBatches(
    slices(
      images.map((image, place) => ({ image, place })),
      batch,
    ),
    (items) =>
      engine.call("foregroundSamples", {
        model: modelFile(library.folder, model),
        device,
        paths: items.map(({ image }) => pathOf(image)),
        size,
        patches: patchesPerImage,
        // Each picture's patches are drawn by its place, whatever it is asked together with.
        seed: items[0]?.place ?? 0,
      }),
    (items, outcomes) => {
      for (const outcome of outcomes) {
        if (!outcome.ok) continue;
        tokens.set(outcome.value.tokens, rows * model.width);
        targets.set(outcome.value.targets, rows);
        rows += outcome.value.targets.length;
        imageCount++;
      }
      report((seen += items.length));
    },
    job.signal,
  );
  if (imageCount === 0) {
    throw new CoreError("masks-missing", "A foreground head needs pictures to learn from, and none could be read.", {
      hint: "Add pictures first: `dinoscope add FOLDER`.",
    });
  }
  return { tokens: tokens.subarray(0, rows * model.width), targets: targets.subarray(0, rows), imageCount };
}

/** Readable images, chosen at random where there are more than are needed: the same ones each time. */
function trainingSet(db: Parameters<typeof listImages>[0]): Image[] {
  const ready: Image[] = [];
  for (let after = 0; ;) {
    const page = listImages(db, { after });
    ready.push(...page.filter(({ problem, missingSince }) => problem === null && missingSince === null));
    after = page.at(-1)?.id ?? 0;
    if (page.length < pageSize) break;
  }
  return createRandom(1).shuffled(ready).slice(0, trainingImages);
}
