import { describe, expect, test } from "vitest";
import { assignLabels } from "../../core/library/annotations.ts";
import { allIn, chunked, chunkSize, places } from "../../core/library/chunked.ts";
import { transaction } from "../../core/library/database.ts";
import { countEmbeddings, insertEmbeddings } from "../../core/library/embeddings.ts";
import { attentionOf } from "../../core/library/attention.ts";
import { annotationsOfImages } from "../../core/library/annotations.ts";
import {
  markFound,
  markMissing,
  relinkImages,
  replaceContents,
  upsertImages,
} from "../../core/library/image-changes.ts";
import {
  countImages,
  countImagesWithoutEmbedding,
  imageById,
  imageByPath,
  imagesByContentHash,
  imagesByIds,
  imagesOfSource,
  imagesWithoutEmbedding,
  listImages,
  unlabelledImages,
} from "../../core/library/images.ts";
import { createLabels } from "../../core/library/label-changes.ts";
import { ensureSource } from "../../core/library/sources.ts";
import { replaceSuggestions, suggestionOfImage } from "../../core/library/suggestions.ts";
import type { Library } from "../../core/library/open.ts";
import { addImages, addModel, errorOf, hashOf, newImage, temporaryLibrary } from "./support.ts";

const problem = { code: "image-unreadable", message: "Cannot decode it." };
const unreadable = { contentHash: null, format: null, width: null, height: null, perceptualHash: null, problem };

/** An image with an annotation, an embedding, attention and a suggestion. */
function richImage(library: Library): { imageId: number; sourceId: number; modelId: number; labelId: number } {
  const { db } = library;
  const [imageId = 0] = addImages(db, 1);
  const model = addModel(db);
  const labelId = createLabels(db, [["Oat Drink"]]).result[0]?.id ?? 0;
  assignLabels(db, [{ imageId, labelId, provenance: "person", confidence: null }], {
    kind: "assign-labels",
    summary: "",
  });
  const attention = { heads: 1, rows: 1, columns: 2, scales: new Float32Array([0.5]), data: new Uint8Array([1, 2]) };
  insertEmbeddings(db, model.id, [{ imageId, vector: new Float32Array([1, 2, 3, 4]), attention }]);
  const confidence = { share: 1, confidence: 0.5, confidenceLow: 0.4, confidenceHigh: 0.6, abstained: false };
  replaceSuggestions(db, model.id, [{ imageId, labelId, ...confidence, voters: [] }]);
  return { imageId, sourceId: imageById(db, imageId)?.sourceId ?? 0, modelId: model.id, labelId };
}

describe("taking in images", () => {
  test("gives back what was put in", () => {
    const { db } = temporaryLibrary();
    const source = ensureSource(db, "/pictures");
    const inputs = [newImage(source.id, "shelf/ü 1.jpg"), newImage(source.id, "bad.jpg", unreadable)];
    const ids = upsertImages(db, inputs);
    expect(imagesByIds(db, ids)).toEqual(inputs.map((input, i) => ({ id: ids[i], ...input, missingSince: null })));
    expect(imageByPath(db, source.id, "shelf/ü 1.jpg")?.id).toBe(ids[0]);
    expect(imageByPath(db, source.id, "shelf")).toBeNull();
    expect(imageById(db, 999)).toBeNull();
  });

  test("keeps the row of a path that is known", () => {
    const { db } = temporaryLibrary();
    const source = ensureSource(db, "/pictures");
    const [id = 0] = upsertImages(db, [newImage(source.id, "a.jpg", unreadable)]);
    markMissing(db, [id], 77);
    expect(upsertImages(db, [newImage(source.id, "a.jpg", { contentHash: hashOf(9) })])).toEqual([id]);
    expect(imageById(db, id)).toMatchObject({ contentHash: hashOf(9), problem: null, missingSince: null });
  });

  test("takes in none where one cannot be", () => {
    const { db } = temporaryLibrary();
    const source = ensureSource(db, "/pictures");
    const images = [newImage(source.id, "a.jpg"), newImage(source.id, "../outside.jpg")];
    expect(errorOf(() => upsertImages(db, images)).code).toBe("path-invalid");
    expect(errorOf(() => upsertImages(db, [newImage(source.id, "a.jpg"), newImage(999, "b.jpg")])).code).toBe(
      "row-invalid",
    );
    expect(countImages(db).total).toBe(0);
  });

  test.each(["", "/etc/passwd", "a//b", "./a", "a/../b", "..", "a\0b"])("refuses the path %j", (path) => {
    const { db } = temporaryLibrary();
    expect(errorOf(() => upsertImages(db, [newImage(ensureSource(db, "/p").id, path)])).code).toBe("path-invalid");
  });

  test("rolls back everything when the caller throws in between", () => {
    const { db } = temporaryLibrary();
    const boom = new Error("boom");
    expect(() =>
      transaction(db, () => {
        addImages(db, 3);
        throw boom;
      }),
    ).toThrow(boom);
    expect(countImages(db).total).toBe(0);
  });
});

describe("files that change, move and go", () => {
  test("new content deletes what was computed from the old, and keeps the annotation", () => {
    const library = temporaryLibrary();
    const { db } = library;
    const { imageId, modelId, sourceId, labelId } = richImage(library);
    replaceContents(db, [{ id: imageId, ...newImage(sourceId, "0000.jpg", { contentHash: hashOf(5), width: 10 }) }]);
    expect(imageById(db, imageId)).toMatchObject({ contentHash: hashOf(5), width: 10 });
    expect(countEmbeddings(db, modelId)).toBe(0);
    expect(attentionOf(db, modelId, imageId)).toBeNull();
    expect(suggestionOfImage(db, modelId, imageId)).toBeNull();
    expect(annotationsOfImages(db, [imageId]).get(imageId)?.labelId).toBe(labelId);
  });

  test("the same content with a new time keeps all", () => {
    const library = temporaryLibrary();
    const { db } = library;
    const { imageId, modelId, sourceId } = richImage(library);
    const { contentHash } = imageById(db, imageId) ?? { contentHash: null };
    upsertImages(db, [newImage(sourceId, "0000.jpg", { contentHash, modifiedAt: 8 })]);
    expect(imageById(db, imageId)?.modifiedAt).toBe(8);
    expect(countEmbeddings(db, modelId)).toBe(1);
    expect(attentionOf(db, modelId, imageId)).not.toBeNull();
    expect(suggestionOfImage(db, modelId, imageId)).not.toBeNull();
  });

  test("a moved file keeps its row and all that hangs on it", () => {
    const library = temporaryLibrary();
    const { db } = library;
    const { imageId, modelId } = richImage(library);
    const other = ensureSource(db, "/other");
    markMissing(db, [imageId], 5);
    relinkImages(db, [{ id: imageId, sourceId: other.id, path: "new/name.jpg", modifiedAt: 6 }]);
    const image = imageByPath(db, other.id, "new/name.jpg");
    expect(image).toMatchObject({ id: imageId, missingSince: null, modifiedAt: 6 });
    expect(countEmbeddings(db, modelId)).toBe(1);
    expect(annotationsOfImages(db, [imageId]).size).toBe(1);
  });

  test("two files may trade names in one step", () => {
    const { db } = temporaryLibrary();
    const [a = 0, b = 0] = addImages(db, 2);
    const sourceId = imageById(db, a)?.sourceId ?? 0;
    relinkImages(db, [
      { id: a, sourceId, path: "0001.jpg", modifiedAt: 1 },
      { id: b, sourceId, path: "0000.jpg", modifiedAt: 2 },
    ]);
    expect(imagesByIds(db, [a, b]).map(({ path }) => path)).toEqual(["0001.jpg", "0000.jpg"]);
  });

  test("a path that another image has is refused, and nothing moves", () => {
    const { db } = temporaryLibrary();
    const [a = 0, b = 0] = addImages(db, 3);
    const sourceId = imageById(db, a)?.sourceId ?? 0;
    const moves = [
      { id: a, sourceId, path: "free.jpg", modifiedAt: 1 },
      { id: b, sourceId, path: "0002.jpg", modifiedAt: 1 },
    ];
    expect(errorOf(() => relinkImages(db, moves)).code).toBe("path-taken");
    expect(imagesByIds(db, [a, b]).map(({ path }) => path)).toEqual(["0000.jpg", "0001.jpg"]);
    expect(errorOf(() => relinkImages(db, [{ id: 999, sourceId, path: "x.jpg", modifiedAt: 1 }])).code).toBe(
      "image-unknown",
    );
  });

  test("a missing image keeps the time when it was first missed, until it is found", () => {
    const { db } = temporaryLibrary();
    const ids = addImages(db, 3);
    const [first = 0, second = 0] = ids;
    markMissing(db, [first], 100);
    markMissing(db, [first, second], 200);
    expect(imagesByIds(db, ids).map(({ missingSince }) => missingSince)).toEqual([100, 200, null]);
    markFound(db, [first]);
    expect(imageById(db, first)?.missingSince).toBeNull();
  });
});

describe("asking for images", () => {
  test("by content hash finds all copies, missing or not", () => {
    const { db } = temporaryLibrary();
    const source = ensureSource(db, "/pictures");
    const paths = ["a.jpg", "b.jpg", "c.jpg"];
    const [a = 0, b = 0] = upsertImages(
      db,
      paths.map((path) => newImage(source.id, path, { contentHash: hashOf(path === "c.jpg" ? 2 : 1) })),
    );
    markMissing(db, [b], 1);
    const idsOf = (images: { id: number }[]): number[] => images.map(({ id }) => id).sort();
    expect(idsOf(imagesByContentHash(db, [hashOf(1), hashOf(1), hashOf(3)]))).toEqual([a, b]);
  });

  test("of a source goes through all in the order of paths, and the library may be written meanwhile", () => {
    const { db } = temporaryLibrary();
    const source = ensureSource(db, "/pictures");
    addImages(db, 10, "/other");
    // Not in order, and more than two pages.
    const paths = Array.from({ length: 2500 }, (_, i) => `folder/${(i * 7919) % 2500}.jpg`);
    upsertImages(
      db,
      paths.map((path) => newImage(source.id, path)),
    );
    const seen: string[] = [];
    for (const file of imagesOfSource(db, source.id)) {
      if (seen.length % 500 === 0) markMissing(db, [file.id], 4);
      seen.push(file.path);
    }
    expect(seen).toEqual(paths.toSorted());
    expect(countImages(db, source.id)).toEqual({ total: 2500, ready: 2495, problem: 0, missing: 5 });
  });

  test("counts each in one state", () => {
    const { db } = temporaryLibrary();
    const source = ensureSource(db, "/pictures");
    const [, bad = 0, gone = 0] = upsertImages(db, [
      newImage(source.id, "good.jpg"),
      newImage(source.id, "bad-and-gone.jpg", unreadable),
      newImage(source.id, "gone.jpg"),
      newImage(source.id, "bad.jpg", unreadable),
    ]);
    addImages(db, 2, "/other");
    markMissing(db, [bad, gone], 1);
    expect(countImages(db)).toEqual({ total: 6, ready: 3, problem: 1, missing: 2 });
    expect(countImages(db, source.id)).toEqual({ total: 4, ready: 1, problem: 1, missing: 2 });
  });

  test("lists all in pages", () => {
    const { db } = temporaryLibrary();
    const ids = addImages(db, 5);
    const first = listImages(db, { limit: 3 });
    const second = listImages(db, { limit: 3, after: first.at(-1)?.id ?? 0 });
    expect([...first, ...second].map(({ id }) => id)).toEqual(ids);
  });

  test("to embed leaves out those that are done, missing or unreadable", () => {
    const { db } = temporaryLibrary();
    const model = addModel(db);
    const other = addModel(db, "other");
    const [a = 0, b = 0, c = 0, d = 0] = addImages(db, 4);
    upsertImages(db, [newImage(imageById(db, a)?.sourceId ?? 0, "bad.jpg", unreadable)]);
    insertEmbeddings(db, model.id, [{ imageId: b, vector: new Float32Array(4) }]);
    insertEmbeddings(db, other.id, [{ imageId: c, vector: new Float32Array(4) }]);
    markMissing(db, [d]);
    const idsOf = (page: { limit?: number; after?: number }): number[] =>
      imagesWithoutEmbedding(db, model.id, page).map(({ id }) => id);
    expect(idsOf({})).toEqual([a, c]);
    expect(idsOf({ limit: 1 })).toEqual([a]);
    expect(idsOf({ limit: 1, after: a })).toEqual([c]);
    expect(countImagesWithoutEmbedding(db, model.id)).toBe(2);
  });

  test("without label gives those with an embedding, in pages", () => {
    const { db } = temporaryLibrary();
    const model = addModel(db);
    const ids = addImages(db, 6);
    const [first = 0, second = 0, , fourth = 0] = ids;
    insertEmbeddings(
      db,
      model.id,
      ids.slice(0, 5).map((imageId) => ({ imageId, vector: new Float32Array(4) })),
    );
    const labelId = createLabels(db, [["A"]]).result[0]?.id ?? 0;
    assignLabels(db, [{ imageId: second, labelId, provenance: "person", confidence: null }], {
      kind: "k",
      summary: "",
    });
    markMissing(db, [fourth]);
    expect(unlabelledImages(db, model.id).map(({ id }) => id)).toEqual([first, ids[2], ids[4]]);
    expect(unlabelledImages(db, model.id, { limit: 1, after: first }).map(({ id }) => id)).toEqual([ids[2]]);
  });
});

describe("long lists", () => {
  test("are cut into lists of one length, filled up with NULL", () => {
    const chunks = chunked(Array.from({ length: 1201 }, (_, i) => i));
    expect(chunks.map(({ length }) => length)).toEqual([chunkSize, chunkSize, chunkSize]);
    expect(chunks.flat().filter((value) => value !== null)).toEqual(Array.from({ length: 1201 }, (_, i) => i));
    expect(chunked([])).toEqual([]);
  });

  test("of 40,000 ids find their images, in the order asked for", () => {
    const { db } = temporaryLibrary();
    const ids = addImages(db, 2000);
    const asked = Array.from({ length: 40_000 }, (_, i) => 40_000 - i);
    expect(imagesByIds(db, asked).map(({ id }) => id)).toEqual(ids.toReversed());
  });

  test("are not taken for one another when a query has parameters before the list", () => {
    const { db } = temporaryLibrary();
    const ids = addImages(db, 3);
    const sql = `SELECT id FROM images WHERE byte_size = ? AND id IN (${places})`;
    expect(allIn(db, sql, ids, [1000]).map((row) => row["id"])).toEqual(ids);
    expect(allIn(db, sql, ids, [1])).toEqual([]);
  });
});
