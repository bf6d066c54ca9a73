import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Engine } from "../../core/engine/supervisor.ts";
import { embedImages } from "../../core/jobs/embed.ts";
import { evaluateNeighbours } from "../../core/jobs/evaluate.ts";
import { ingestFolder } from "../../core/jobs/ingest.ts";
import { findModel, foregroundModel, modelAtSize, viewsOf } from "../../core/jobs/models.ts";
import type { Workplace } from "../../core/jobs/run.ts";
import { searchImages } from "../../core/jobs/search.ts";
import { readEmbeddings } from "../../core/library/embeddings.ts";
import { countImagesWithoutForeground, countStaleForegrounds } from "../../core/library/foreground.ts";
import { listImages } from "../../core/library/images.ts";
import { correctMasks, foregroundHeadOf, putForegroundHead } from "../../core/library/masks.ts";
import { insertModel } from "../../core/library/models.ts";
import { undo } from "../../core/library/operations.ts";
import { compressRuns } from "../../core/masks/rle.ts";
import type { Model } from "../../core/rpc/records.ts";
import { CoreError } from "../../core/util/errors.ts";
import { createRandom } from "../../core/util/random.ts";
import { annotate } from "../helpers/annotate.ts";
import { drawPicture, drawPictures } from "../helpers/pictures.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { refusalOf } from "../helpers/refusal.ts";
import { sharedEngine } from "../helpers/shared-engine.ts";
import { addTinyModel, notingEngine, temporaryWorkplace } from "../helpers/workplace.ts";
import { newModel, temporaryFolder } from "../library/support.ts";

leaveNothingBehind();

const engine = sharedEngine();
const options = { device: "cpu" } as const;

interface Start extends Workplace {
  readonly folder: string;
  readonly whole: Model;
  readonly view: Model;
}

/** Pictures, and a model with a foreground head that says something else of each patch. */
async function startWith(count: number): Promise<Start> {
  const workplace = temporaryWorkplace(engine);
  const folder = join(temporaryFolder(), "photos");
  await drawPictures(folder, count, { seed: 3 });
  await ingestFolder(workplace, folder);
  const whole = await addTinyModel(workplace.library);
  putHead(workplace, whole, "ab");
  return { ...workplace, folder, whole, view: foregroundModel(workplace, whole, 0.5) };
}

function putHead({ library: { db } }: Workplace, { hash, width }: Model, twoDigits: string): void {
  const random = createRandom(6);
  const weights = Float32Array.from({ length: width + 1 }, () => random.next() - 0.5);
  putForegroundHead(db, hash, 32, { hash: twoDigits.repeat(32), weights, imageCount: 1 });
}

/** Corrects the masks of some images, by their place in the library: foreground from the left, of some columns. */
function correct({ library: { db } }: Start, places: readonly number[], columns: number): void {
  const images = listImages(db);
  const masks = places.flatMap((place) => {
    const image = images[place];
    if (image === undefined) return [];
    const [width, height] = [image.width ?? 0, image.height ?? 0];
    const counts = Uint32Array.of(0, columns * height, (width - columns) * height);
    return [{ imageId: image.id, width, height, runs: compressRuns({ width, height, counts }) }];
  });
  correctMasks(db, masks, { kind: "correct-masks", summary: "masks" });
}

function vectorsOf({ library: { db } }: Workplace, { id, width }: Model): Float32Array[] {
  const { matrix, imageIds } = readEmbeddings(db, id);
  return imageIds.map((_, row) => matrix.slice(row * width, (row + 1) * width));
}

describe("a view of the foreground", () => {
  test("is a model of its own on the same file, one for each blend and size, and never the one that is meant", async () => {
    const { whole, view, library } = await startWith(1);
    const { db } = library;
    expect(view).toMatchObject({
      name: "tiny+foreground",
      file: whole.file,
      hash: whole.hash,
      foreground: { blend: 0.5 },
    });
    expect(foregroundModel({ library }, whole, 0.5)).toEqual(view);
    expect(foregroundModel({ library }, view, 0.5)).toEqual(view);
    expect(foregroundModel({ library }, view, 0.75).name).toBe("tiny+foreground-0.75");
    expect(modelAtSize({ library }, view, 32)).toEqual(whole);
    const large = foregroundModel({ library }, modelAtSize({ library }, view, 64), 0.5);
    expect(large).toMatchObject({ name: "tiny@64+foreground", imageSize: 64 });
    expect(findModel(db, undefined).name).toBe("tiny@64");
    expect(findModel(db, "tiny+foreground")).toEqual(view);
    expect(viewsOf(db, view).map(({ name }) => name)).toEqual(["tiny", "tiny+foreground", "tiny+foreground-0.75"]);
  });

  test("cannot be had of a model that came as ONNX", async () => {
    const { library } = await startWith(1);
    const foreign = insertModel(library.db, { ...newModel("foreign"), kind: "onnx", architecture: null });
    expect(refusalOf(() => foregroundModel({ library }, foreign, 0.5))).toMatch(/^foreground-unsupported: /);
  });
});

describe("embedding the foreground", () => {
  test("pools inside stored masks and inside the model's own, and says of each picture which", async () => {
    const start = await startWith(5);
    writeFileSync(join(start.folder, "004.jpg"), "damaged since");
    // One half of the picture, nothing, and nearly everything.
    correct(start, [0], 32);
    correct(start, [1], 0);
    correct(start, [2], 63);
    const summary = await embedImages(start, start.view, options);
    expect(summary).toMatchObject({ embedded: 4, skipped: 0, model: start.view });
    expect(summary.failed.map(({ path }) => path)).toEqual([join(start.folder, "004.jpg")]);
    const { inMask, inScores, without } = summary.foreground ?? { inMask: NaN, inScores: NaN, without: NaN };
    // What the head finds in the fourth picture is up to its random weights.
    expect([inMask, inScores + without]).toEqual([1, 3]);
    expect(without).toBeGreaterThanOrEqual(2);

    await embedImages(start, start.whole, options);
    const [whole, foreground] = [vectorsOf(start, start.whole), vectorsOf(start, start.view)];
    foreground.forEach((vector, i) => {
      expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
      expect(vector).not.toEqual(whole[i]);
    });
    expect(await embedImages(start, start.view, options)).toMatchObject({ embedded: 0, skipped: 4 });
  });

  test("makes anew what was made from another mask, after a correction, after undoing it, and nothing else", async () => {
    const start = await startWith(6);
    const { db } = start.library;
    await embedImages(start, start.view, options);
    const before = vectorsOf(start, start.view);
    const todo = (): number[] => [countStaleForegrounds(db, start.view), countImagesWithoutForeground(db, start.view)];
    expect(todo()).toEqual([0, 0]);

    correct(start, [2, 3], 20);
    expect(todo()).toEqual([2, 2]);
    const asked = notingEngine(engine);
    const summary = await embedImages({ ...start, engine: asked }, start.view, options);
    expect(summary).toMatchObject({ embedded: 2, skipped: 4, foreground: { inMask: 2, inScores: 0, without: 0 } });
    expect(asked.asked).toEqual(["002.jpg", "003.jpg"].map((name) => join(start.folder, name)));
    expect(todo()).toEqual([0, 0]);
    const after = vectorsOf(start, start.view);
    expect(after.map((vector, i) => vector.join() === before[i]?.join())).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
    ]);

    undo(db);
    expect(todo()).toEqual([2, 2]);
    await embedImages(start, start.view, options);
    // The same batches of pictures as at first would be bit for bit the same; others add up in another order.
    vectorsOf(start, start.view).forEach((vector, i) =>
      vector.forEach((value, k) => expect(value).toBeCloseTo(before[i]?.[k] ?? NaN, 5)),
    );
  });

  test("makes anew what a foreground head gave that was trained anew since", async () => {
    const start = await startWith(3);
    const { db } = start.library;
    correct(start, [0], 30);
    await embedImages(start, start.view, options);
    putHead(start, start.whole, "cd");
    expect(countStaleForegrounds(db, start.view)).toBe(2);
    expect(await embedImages(start, start.view, options)).toMatchObject({ embedded: 2, skipped: 1 });
  });

  test("takes pictures whole where no head can be learned, and trains one where it can", async () => {
    const workplace = temporaryWorkplace(engine);
    const folder = join(temporaryFolder(), "photos");
    await drawPictures(folder, 4, { seed: 3 });
    await ingestFolder(workplace, folder);
    const small = await addTinyModel(workplace.library);
    const { db } = workplace.library;
    // Of four pictures of noise, with four patches each, a random model finds no patch unlike its background.
    expect(await embedImages(workplace, foregroundModel(workplace, small, 0.5), options)).toMatchObject({
      embedded: 4,
      foreground: { inMask: 0, inScores: 0, without: 4 },
    });
    expect(foregroundHeadOf(db, small.hash, 32)).toBeNull();

    await drawPictures(folder, 6, { seed: 3 });
    await ingestFolder(workplace, folder);
    const large = foregroundModel(workplace, modelAtSize(workplace, small, 64), 0.5);
    expect(await embedImages(workplace, large, options)).toMatchObject({ embedded: 6 });
    expect(foregroundHeadOf(db, small.hash, 64)).toMatchObject({ imageCount: 6 });
  });

  test("forgets a picture whose file changed, as other embeddings do", async () => {
    const start = await startWith(2);
    await embedImages(start, start.view, options);
    await drawPicture(join(start.folder, "001.jpg"), { seed: 99, width: 70, height: 50 });
    await ingestFolder(start, start.folder);
    expect(vectorsOf(start, start.view)).toHaveLength(1);
    expect(await embedImages(start, start.view, options)).toMatchObject({ embedded: 1, skipped: 1 });
  });

  test("gets past a picture that ends the engine, also while it learns the foreground", async () => {
    const start = await startWith(6);
    const view = foregroundModel(start, modelAtSize(start, start.whole, 64), 0.5);
    const killer = join(start.folder, "002.jpg");
    const fussy: Engine = {
      ...notingEngine(engine),
      call: (method, request) =>
        "paths" in request && request.paths.includes(killer)
          ? Promise.reject(new CoreError("engine-crashed", "The engine ended."))
          : engine.call(method, request),
    };
    const { embedded, failed } = await embedImages({ ...start, engine: fussy }, view, options);
    expect({ embedded, failed }).toEqual({
      embedded: 5,
      failed: [{ path: killer, reason: "Decoding this picture ended the engine." }],
    });
    expect(foregroundHeadOf(start.library.db, view.hash, 64)).toMatchObject({ imageCount: 5 });
  });

  test("stops when it is told to, and goes on where it was", async () => {
    const start = await startWith(70);
    const controller = new AbortController();
    const stopping = embedImages(start, start.view, options, {
      signal: controller.signal,
      onProgress: ({ phase, done }) =>
        phase.startsWith("embedding") && done > 0 ? controller.abort(new Error("enough")) : undefined,
    });
    await expect(stopping).rejects.toThrow("enough");
    const stored = vectorsOf(start, start.view).length;
    expect(stored).toBeGreaterThan(0);
    expect(stored).toBeLessThan(70);
    const asked = notingEngine(engine);
    expect(await embedImages({ ...start, engine: asked }, start.view, options)).toMatchObject({
      embedded: 70 - stored,
      skipped: stored,
    });
    expect(asked.asked).toHaveLength(70 - stored);
  });
});

test("a search by file looks at the foreground as the library does: a picture of the library finds itself", async () => {
  const start = await startWith(5);
  await embedImages(start, start.view, options);
  const file = join(start.folder, "003.jpg");
  const [first] = await searchImages(start, start.view, { file }, { count: 2, device: "cpu" });
  expect(first?.image.path).toBe("003.jpg");
  // The same picture in a batch of another size: float32 adds up in another order.
  expect(first?.similarity).toBeCloseTo(1, 5);
});

test("an evaluation has whole and foreground side by side, or says which of them lacks pictures", async () => {
  const start = await startWith(6);
  const { db } = start.library;
  annotate(
    db,
    listImages(db).map(({ id }, i) => ({ imageId: id, label: [i % 2 === 0 ? "a" : "b"] })),
  );
  const evaluate = (model: Model): ReturnType<typeof evaluateNeighbours> =>
    evaluateNeighbours(start, model, { neighbours: 3, temperature: 0.07, device: "cpu" });
  const methods = ({ accuracies }: Awaited<ReturnType<typeof evaluate>>): string[] =>
    accuracies.map(({ method }) => method).filter((method) => method.startsWith("tiny"));
  await embedImages(start, start.whole, options);
  const alone = await evaluate(start.whole);
  expect(methods(alone)).toEqual(["tiny (random weights)"]);
  expect(alone.leftOut).toEqual([{ model: "tiny+foreground", embedded: 0 }]);

  await embedImages(start, start.view, options);
  const both = await evaluate(start.whole);
  expect(methods(both)).toEqual(["tiny (random weights)", "tiny+foreground (random weights)"]);
  expect(both.leftOut).toEqual([]);
  expect(both.accuracies[0]).toEqual(alone.accuracies[0]);
  const turned = await evaluate(start.view);
  expect(methods(turned)).toEqual(methods(both).toReversed());
  expect(turned.accuracies[0]).toEqual(both.accuracies[1]);
});
