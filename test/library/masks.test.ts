import { describe, expect, test } from "vitest";
import { connectionOf } from "../../core/library/database.ts";
import { upsertImages } from "../../core/library/image-changes.ts";
import {
  correctMasks,
  countEditedMasks,
  countImagesWithoutMask,
  editedMasks,
  foregroundHeadOf,
  imagesWithoutMask,
  maskScoreOf,
  masksOfImages,
  putForegroundHead,
  putMasks,
  removeMasks,
} from "../../core/library/masks.ts";
import { redo, undo } from "../../core/library/operations.ts";
import { ensureSource } from "../../core/library/sources.ts";
import type { MaskRecipe } from "../../core/rpc/records.ts";
import { addImages, errorOf, hashOf, newImage, temporaryLibrary } from "./support.ts";

const recipe: MaskRecipe = {
  method: "attention",
  heads: [0, 2],
  mass: 0.6,
  refined: true,
  components: "largest",
  size: 448,
  headHash: null,
};
const model = hashOf(7);
const step = { kind: "correct-masks", summary: "Corrected a mask" };
const score = { rows: 1, columns: 2, data: Uint8Array.of(10, 200) };
const made = (imageId: number, runs = "abc"): Parameters<typeof putMasks>[3][number] => ({
  imageId,
  width: 640,
  height: 480,
  runs,
  score,
});

describe("masks that models make", () => {
  test("come back with model, recipe and scores", () => {
    const { db } = temporaryLibrary();
    const [a = 0, b = 0] = addImages(db, 2);
    putMasks(db, model, recipe, [made(a)]);
    const mask = masksOfImages(db, [a, b]).get(a);
    expect(mask).toMatchObject({
      imageId: a,
      width: 640,
      height: 480,
      runs: "abc",
      modelHash: model,
      recipe,
      edited: false,
    });
    expect(masksOfImages(db, [b]).size).toBe(0);
    expect(maskScoreOf(db, a)).toEqual({ ...score, data: Buffer.from(score.data) });
    expect(maskScoreOf(db, b)).toBeNull();
  });

  test("are what a job need not make again; another recipe or model is something else", () => {
    const { db } = temporaryLibrary();
    const ids = addImages(db, 5);
    putMasks(
      db,
      model,
      recipe,
      ids.slice(0, 3).map((id) => made(id)),
    );
    expect(imagesWithoutMask(db, model, { ...recipe }).map(({ id }) => id)).toEqual(ids.slice(3));
    expect(imagesWithoutMask(db, model, recipe, { limit: 1, after: ids[3] ?? 0 }).map(({ id }) => id)).toEqual([
      ids[4],
    ]);
    expect(countImagesWithoutMask(db, model, recipe)).toBe(2);
    expect(countImagesWithoutMask(db, model, { ...recipe, mass: 0.7 })).toBe(5);
    expect(countImagesWithoutMask(db, hashOf(8), recipe)).toBe(5);
  });

  test("never replace one that was corrected by hand", () => {
    const { db } = temporaryLibrary();
    const [a = 0] = addImages(db, 1);
    putMasks(db, model, recipe, [made(a)]);
    correctMasks(db, [{ imageId: a, width: 640, height: 480, runs: "hand" }], step);
    putMasks(db, hashOf(9), recipe, [made(a, "machine")]);
    expect(masksOfImages(db, [a]).get(a)).toMatchObject({ runs: "hand", edited: true, modelHash: model });
    expect(countImagesWithoutMask(db, hashOf(9), recipe)).toBe(0);
  });
});

describe("masks that people correct", () => {
  test("can be undone and redone", () => {
    const { db } = temporaryLibrary();
    const [a = 0, b = 0] = addImages(db, 2);
    putMasks(db, model, recipe, [made(a)]);
    const masks = [a, b].map((imageId) => ({ imageId, width: 640, height: 480, runs: "hand" }));
    expect(correctMasks(db, masks, step)?.changeCount).toBe(2);
    expect(editedMasks(db).map(({ imageId, recipe: how }) => [imageId, how])).toEqual([
      [a, recipe],
      [b, null],
    ]);
    expect(correctMasks(db, masks, step)).toBeNull();
    undo(db);
    expect(countEditedMasks(db)).toBe(0);
    expect(masksOfImages(db, [a, b])).toEqual(new Map([[a, expect.objectContaining({ runs: "abc", edited: false })]]));
    redo(db);
    expect(countEditedMasks(db)).toBe(2);
    expect(removeMasks(db, [a, b], { kind: "remove-masks", summary: "Removed masks" })?.changeCount).toBe(2);
    expect(masksOfImages(db, [a, b]).size).toBe(0);
    undo(db);
    expect(countEditedMasks(db)).toBe(2);
  });

  test("must have the size of their image, and an image", () => {
    const { db } = temporaryLibrary();
    const [a = 0] = addImages(db, 1);
    expect(errorOf(() => correctMasks(db, [{ imageId: a, width: 480, height: 640, runs: "x" }], step)).code).toBe(
      "mask-size",
    );
    expect(errorOf(() => correctMasks(db, [{ imageId: 99, width: 1, height: 1, runs: "x" }], step)).code).toBe(
      "image-unknown",
    );
    expect(countEditedMasks(db)).toBe(0);
  });
});

test("when a picture changes, what models made of it goes; what a person drew stays while it fits", () => {
  const { db } = temporaryLibrary();
  const source = ensureSource(db, "/pictures");
  const image = (path: string, seed: number, width = 640): ReturnType<typeof newImage> =>
    newImage(source.id, path, { contentHash: hashOf(seed), width });
  const [a = 0, b = 0, c = 0] = upsertImages(db, [image("a.jpg", 1), image("b.jpg", 2), image("c.jpg", 3)]);
  putMasks(db, model, recipe, [made(a), made(b), made(c)]);
  correctMasks(
    db,
    [b, c].map((imageId) => ({ imageId, width: 640, height: 480, runs: "hand" })),
    step,
  );
  upsertImages(db, [image("a.jpg", 4), image("b.jpg", 5), image("c.jpg", 6, 320)]);
  expect([...masksOfImages(db, [a, b, c]).keys()]).toEqual([b]);
  expect(maskScoreOf(db, b)).toBeNull();
});

test("a trained head is kept for its model and size, and replaced", () => {
  const { db } = temporaryLibrary();
  const head = { hash: hashOf(3), weights: Float32Array.of(1, -2, 0.5), imageCount: 9 };
  putForegroundHead(db, model, 448, head);
  expect(foregroundHeadOf(db, model, 448)).toEqual(head);
  expect(foregroundHeadOf(db, model, 224)).toBeNull();
  putForegroundHead(db, model, 448, { ...head, hash: hashOf(4) });
  expect(foregroundHeadOf(db, model, 448)?.hash).toBe(hashOf(4));
});

test.each([
  ["no JSON object", "[]"],
  ["a mass that is no share", JSON.stringify({ ...recipe, mass: 2 })],
  ["an unknown method", JSON.stringify({ ...recipe, method: "magic" })],
])("a recipe that is %s is called damaged", (_, text) => {
  const { db } = temporaryLibrary();
  const [a = 0] = addImages(db, 1);
  putMasks(db, model, recipe, [made(a)]);
  connectionOf(db).prepare("UPDATE masks SET recipe = ?").run(text);
  expect(errorOf(() => masksOfImages(db, [a])).code).toBe("library-corrupt");
});
