import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine, type Engine } from "../../core/engine/supervisor.ts";
import { evaluateMasks } from "../../core/jobs/evaluate-masks.ts";
import { ingestFolder } from "../../core/jobs/ingest.ts";
import { importMasks } from "../../core/jobs/mask-files.ts";
import { maskImages, type MaskOptions } from "../../core/jobs/masks.ts";
import type { Workplace } from "../../core/jobs/run.ts";
import { listImages } from "../../core/library/images.ts";
import { listJobs } from "../../core/library/jobs.ts";
import { countEditedMasks, foregroundHeadOf, masksOfImages, maskScoreOf } from "../../core/library/masks.ts";
import { undo } from "../../core/library/operations.ts";
import { decodeRuns, decompressRuns } from "../../core/masks/rle.ts";
import type { Mask, Model } from "../../core/rpc/records.ts";
import { drawPicture, drawPictures } from "../helpers/pictures.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { addTinyModel, notingEngine, temporaryWorkplace } from "../helpers/workplace.ts";
import { temporaryFolder } from "../library/support.ts";

leaveNothingBehind();

let engine: Engine;
beforeAll(() => (engine = createEngine()));
afterAll(() => engine.close());

const options: MaskOptions = {
  device: "cpu",
  method: "attention",
  heads: "mean",
  mass: 0.6,
  refined: true,
  components: "largest",
  size: 64,
  retrain: false,
};

interface Start extends Workplace {
  readonly folder: string;
  readonly model: Model;
}

async function startWith(count: number): Promise<Start> {
  const workplace = temporaryWorkplace(engine);
  const folder = join(temporaryFolder(), "photos");
  await drawPictures(folder, count, { seed: 3 });
  await ingestFolder(workplace, folder);
  return { ...workplace, folder, model: await addTinyModel(workplace.library) };
}

function masksByPath({ library: { db } }: Workplace): Map<string, Mask> {
  const images = listImages(db);
  const masks = masksOfImages(
    db,
    images.map(({ id }) => id),
  );
  return new Map(
    images.flatMap(({ id, path }) => [masks.get(id)].flatMap((mask) => (mask ? [[path, mask] as const] : []))),
  );
}

/** Writes a mask whose left part, of some columns, is foreground. */
async function drawMask(file: string, columns: number, width = 64, height = 48): Promise<void> {
  const pixels = Uint8Array.from({ length: width * height }, (_, i) => (i % width < columns ? 255 : 0));
  mkdirSync(join(file, ".."), { recursive: true });
  await sharp(pixels, { raw: { width, height, channels: 1 } }).toFile(file);
}

describe("making masks", () => {
  test("gives each readable picture one at its own size, reports bad ones, and says how it was made", async () => {
    const start = await startWith(5);
    await drawPicture(join(start.folder, "tall.png"), { seed: 9, width: 30, height: 90 });
    await ingestFolder(start, start.folder);
    writeFileSync(join(start.folder, "002.jpg"), "damaged since");
    const summary = await maskImages(start, start.model, options);
    expect(summary).toMatchObject({ made: 5, skipped: 0, device: "cpu" });
    expect(summary.failed.map(({ path }) => path)).toEqual([join(start.folder, "002.jpg")]);
    const masks = masksByPath(start);
    expect([...masks.keys()].sort()).toEqual(["000.jpg", "001.jpg", "003.jpg", "004.jpg", "tall.png"]);
    for (const [path, { width, height, runs, recipe, modelHash, edited }] of masks) {
      expect([width, height]).toEqual(path === "tall.png" ? [30, 90] : [64, 48]);
      expect(decodeRuns(decompressRuns(runs, width, height)).data.some(Boolean)).toBe(true);
      expect({ recipe, modelHash, edited }).toEqual({
        recipe: summary.recipe,
        modelHash: start.model.hash,
        edited: false,
      });
    }
    const score = maskScoreOf(start.library.db, masks.get("tall.png")?.imageId ?? 0);
    expect([score?.rows, score?.columns]).toEqual([7, 2]);
    expect(summary.recipe).toEqual({
      method: "attention",
      heads: null,
      mass: 0.6,
      refined: true,
      components: "largest",
      size: 64,
      headHash: null,
    });
  });

  test("stops when it is told to, and goes on where it was", async () => {
    const start = await startWith(14);
    const asked = notingEngine(engine);
    const controller = new AbortController();
    const stopping = maskImages({ ...start, engine: asked }, start.model, options, {
      signal: controller.signal,
      onProgress: ({ done }) => (done > 0 ? controller.abort(new Error("enough")) : undefined),
    });
    await expect(stopping).rejects.toThrow("enough");
    const before = masksByPath(start);
    expect(before.size).toBeGreaterThan(0);
    expect(before.size).toBeLessThan(14);
    expect(listJobs(start.library.db, 1)[0]).toMatchObject({ kind: "masks", state: "stopped" });
    asked.asked.length = 0;
    const summary = await maskImages({ ...start, engine: asked }, start.model, options);
    expect(summary).toMatchObject({ made: 14 - before.size, skipped: before.size });
    expect(asked.asked).toHaveLength(14 - before.size);
    const after = masksByPath(start);
    expect(after.size).toBe(14);
    // The same as in one go: each picture is run by itself.
    const whole = await startWith(14);
    await maskImages(whole, whole.model, options);
    expect([...after].map(([path, { runs }]) => [path, runs])).toEqual(
      [...masksByPath(whole)].map(([path, { runs }]) => [path, runs]),
    );
  });

  test("by TokenCut and by a head that is trained once and kept", async () => {
    const start = await startWith(6);
    expect(await maskImages(start, start.model, { ...options, method: "tokencut" })).toMatchObject({ made: 6 });
    const made = await maskImages(start, start.model, { ...options, method: "foreground" });
    expect(made.made).toBe(6);
    const head = foregroundHeadOf(start.library.db, start.model.hash, 64);
    expect(head).toMatchObject({ hash: made.recipe.headHash, imageCount: 6 });
    expect(head?.weights).toHaveLength(start.model.width + 1);
    const asked = notingEngine(engine);
    const again = await maskImages({ ...start, engine: asked }, start.model, { ...options, method: "foreground" });
    expect(again).toMatchObject({ made: 0, skipped: 6 });
    expect(asked.asked).toEqual([]);
  });

  test("refuses heads that are not there and sizes that are none, as mistakes of the request", async () => {
    const start = await startWith(1);
    expect(await refusalOfAsync(() => maskImages(start, start.model, { ...options, size: 8 }))).toContain(
      "option-invalid: ",
    );
    expect(await refusalOfAsync(() => maskImages(start, start.model, { ...options, heads: [3] }))).toContain(
      "heads 0 to 2",
    );
    expect(await refusalOfAsync(() => maskImages(start, start.model, { ...options, heads: "best" }))).toContain(
      "masks-missing: ",
    );
    expect(await refusalOfAsync(() => maskImages(start, { ...start.model, kind: "onnx" }, options))).toContain(
      "masks-unsupported: ",
    );
  });
});

describe("masks that come as pictures", () => {
  test("are taken in as corrected ones, can be undone, and are never made again", async () => {
    const start = await startWith(3);
    await maskImages(start, start.model, options);
    const folder = temporaryFolder();
    await drawMask(join(folder, "000.png"), 20);
    await drawMask(join(folder, "002.PNG"), 30, 60);
    await drawMask(join(folder, "other.png"), 20);
    const summary = await importMasks(start, folder);
    expect(summary).toMatchObject({ imported: 1, unchanged: 0 });
    expect(summary.unmatched.map(({ reason }) => reason).sort()).toEqual([
      "no image has this name",
      "the mask has 60 x 48 pixels, the picture 64 x 48",
    ]);
    const mask = masksByPath(start).get("000.jpg");
    expect(mask).toMatchObject({ edited: true, recipe: { method: "attention" } });
    expect([...decompressRuns(mask?.runs ?? "", 64, 48).counts]).toEqual([0, 20 * 48, 44 * 48]);
    expect(await importMasks(start, folder)).toMatchObject({ imported: 0, unchanged: 1, operation: null });
    expect(await maskImages(start, start.model, { ...options, mass: 0.8 })).toMatchObject({ made: 2, skipped: 1 });
    expect(undo(start.library.db)).toMatchObject({ kind: "import-masks", changeCount: 1 });
    expect(countEditedMasks(start.library.db)).toBe(0);
  });

  test("choose the head", async () => {
    const start = await startWith(4);
    const folder = temporaryFolder();
    for (const name of ["000.png", "001.png"]) await drawMask(join(folder, name), 24);
    await importMasks(start, folder);
    const summary = await maskImages(start, start.model, { ...options, heads: "best" });
    expect(summary).toMatchObject({ made: 2, skipped: 2, recipe: { heads: [expect.any(Number)] } });
  });

  test("from a folder that is none are refused", async () => {
    const start = temporaryWorkplace(engine);
    expect(await refusalOfAsync(() => importMasks(start, "/nowhere/at/all"))).toContain("folder-unreadable: ");
  });
});

test("an evaluation measures every method twice, beside baselines whose overlap is known", async () => {
  const start = await startWith(6);
  const truth = temporaryFolder();
  for (let i = 0; i < 5; i++) await drawMask(join(truth, `00${i}.png`), 16);
  const { rows, count, failed, headExamples } = await evaluateMasks(start, start.model, { ...options, truth });
  expect({ count, failed, headExamples }).toEqual({ count: 5, failed: [], headExamples: 5 });
  const overlaps = new Map(rows.map(({ method, refined, overlap }) => [`${method} ${refined}`, overlap]));
  expect(overlaps.get("the whole picture null")).toBeCloseTo(0.25, 9);
  expect(overlaps.get("mean of the true masks null")).toBe(1);
  expect(rows).toHaveLength(3 + 2 * 4);
  expect(rows.every(({ overlap }) => overlap >= 0 && overlap <= 1)).toBe(true);
  expect(masksByPath(start).size).toBe(0);
  const nowhere = evaluateMasks(start, start.model, { ...options, truth: temporaryFolder() });
  expect(await refusalOfAsync(() => nowhere)).toContain("masks-missing: ");
});
