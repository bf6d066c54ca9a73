import { describe, expect, test } from "vitest";
import { assignLabels } from "../../core/library/annotations.ts";
import { attentionOf } from "../../core/library/attention.ts";
import type { Attention } from "../../core/library/attention.ts";
import { connectionOf } from "../../core/library/database.ts";
import { countEmbeddings, forEachEmbedding, insertEmbeddings, readEmbeddings } from "../../core/library/embeddings.ts";
import type { EmbeddingFilter } from "../../core/library/embeddings.ts";
import { createLabels } from "../../core/library/label-changes.ts";
import { deleteModel } from "../../core/library/models.ts";
import type { Library } from "../../core/library/open.ts";
import { addImages, addModel, errorOf, temporaryLibrary } from "./support.ts";

const width = 4;
const attention: Attention = {
  heads: 2,
  rows: 1,
  columns: 3,
  scales: new Float32Array([0.1, 0.2]),
  data: new Uint8Array([0, 127, 255, 1, 2, 3]),
};

/** The vector that the tests give to an image: no value is the same as another's. */
function vectorOf(imageId: number): Float32Array {
  return Float32Array.from({ length: width }, (_, i) => imageId + i / 8);
}

interface Embedded extends Library {
  readonly modelId: number;
  readonly ids: number[];
}

/** A library whose images, but for the last, are embedded in a mixed order. */
function embedded(count: number): Embedded {
  const library = temporaryLibrary();
  const { id: modelId } = addModel(library.db, "model", width);
  const ids = addImages(library.db, count);
  const embeddings = ids.slice(0, -1).map((imageId) => ({ imageId, vector: vectorOf(imageId) }));
  insertEmbeddings(library.db, modelId, embeddings.toReversed());
  return { ...library, modelId, ids };
}

describe("embeddings", () => {
  test("come back as they were stored, in image order", () => {
    const { db, modelId, ids } = embedded(6);
    const { imageIds, matrix, width: found } = readEmbeddings(db, modelId);
    expect(found).toBe(width);
    expect(imageIds).toEqual(ids.slice(0, -1));
    expect([...matrix]).toEqual(imageIds.flatMap((imageId) => [...vectorOf(imageId)]));
  });

  test("are stored as little-endian float32", () => {
    const { db, modelId, ids } = embedded(2);
    insertEmbeddings(db, modelId, [{ imageId: ids[0] ?? 0, vector: new Float32Array([1, -2, 0.5, 0]) }]);
    const stored = connectionOf(db).prepare("SELECT hex(vector) FROM embeddings").pluck().get();
    // IEEE 754: 1.0 is 3f800000, -2.0 is c0000000, 0.5 is 3f000000.
    expect(stored).toBe("0000803F" + "000000C0" + "0000003F" + "00000000");
  });

  test("of one model do not mix with another's, and go with it", () => {
    const { db, modelId, ids } = embedded(4);
    const other = addModel(db, "other", 2);
    insertEmbeddings(db, other.id, [{ imageId: ids[3] ?? 0, vector: new Float32Array([5, 6]), attention }]);
    expect([...readEmbeddings(db, other.id).matrix]).toEqual([5, 6]);
    deleteModel(db, modelId);
    expect(countEmbeddings(db, other.id)).toBe(1);
    expect(errorOf(() => readEmbeddings(db, modelId)).code).toBe("model-unknown");
  });

  test("of images with a label, without one, or of those named", () => {
    const { db, modelId, ids } = embedded(6);
    const labelId = createLabels(db, [["A"]]).result[0]?.id ?? 0;
    // The last one has a label and no embedding.
    const labelled = [ids[1], ids[4], ids[5]].flatMap((imageId) => (imageId === undefined ? [] : [imageId]));
    assignLabels(
      db,
      labelled.map((imageId) => ({ imageId, labelId, provenance: "person", confidence: null })),
      { kind: "assign-labels", summary: "" },
    );
    const idsFor = (filter: EmbeddingFilter): number[] => readEmbeddings(db, modelId, filter).imageIds;
    expect(idsFor({ labelled: true })).toEqual([ids[1], ids[4]]);
    expect(idsFor({ labelled: false })).toEqual([ids[0], ids[2], ids[3]]);
    expect(countEmbeddings(db, modelId)).toBe(5);
    expect(countEmbeddings(db, modelId, { labelled: true })).toBe(2);
    expect(countEmbeddings(db, modelId, { labelled: false })).toBe(3);
    const named = readEmbeddings(db, modelId, { imageIds: [ids[5] ?? 0, ids[3] ?? 0, ids[0] ?? 0, ids[3] ?? 0, 999] });
    expect(named.imageIds).toEqual([ids[0], ids[3]]);
    expect(named.matrix).toHaveLength(2 * width);
    // Nothing of the memory that was set aside for the others is left behind it.
    expect(named.matrix.buffer.byteLength).toBe(2 * width * 4);
    expect(readEmbeddings(db, modelId, { imageIds: [] }).matrix).toHaveLength(0);
  });

  test("of more images than one list holds come in image order", () => {
    const { db, modelId, ids } = embedded(1300);
    const { imageIds, matrix } = readEmbeddings(db, modelId, { imageIds: ids.toReversed() });
    expect(imageIds).toEqual(ids.slice(0, -1));
    expect([...matrix.subarray(1200 * width, 1201 * width)]).toEqual([...vectorOf(ids[1200] ?? 0)]);
  });

  test("are visited one at a time in one piece of memory", () => {
    const { db, modelId } = embedded(4);
    const seen = new Set<Float32Array>();
    const firsts: number[] = [];
    forEachEmbedding(db, modelId, {}, (imageId, vector) => {
      seen.add(vector);
      firsts.push((vector[0] ?? NaN) - imageId);
    });
    expect(firsts).toEqual([0, 0, 0]);
    expect(seen.size).toBe(1);
  });

  test("replace what was there, attention included", () => {
    const { db, modelId, ids } = embedded(3);
    const [imageId = 0] = ids;
    insertEmbeddings(db, modelId, [{ imageId, vector: vectorOf(50), attention }]);
    expect(attentionOf(db, modelId, imageId)).toEqual({ ...attention, data: Buffer.from(attention.data) });
    expect([...readEmbeddings(db, modelId, { imageIds: [imageId] }).matrix]).toEqual([...vectorOf(50)]);
    insertEmbeddings(db, modelId, [{ imageId, vector: vectorOf(51) }]);
    expect(attentionOf(db, modelId, imageId)).toBeNull();
    expect(countEmbeddings(db, modelId)).toBe(2);
  });

  test("are all refused where one does not fit", () => {
    const { db, modelId, ids } = embedded(3);
    const before = readEmbeddings(db, modelId);
    const good = { imageId: ids[0] ?? 0, vector: vectorOf(9) };
    const bad = (vector: number[]): unknown => ({ imageId: ids[1], vector: new Float32Array(vector) });
    for (const wrong of [bad([1, 2, 3]), bad([]), bad([1, 2, 3, NaN]), bad([1, 2, Infinity, 4])] as (typeof good)[]) {
      expect(errorOf(() => insertEmbeddings(db, modelId, [good, wrong])).code).toBe("embedding-invalid");
    }
    const wrongAttention = [
      { ...attention, heads: 3 },
      { ...attention, data: new Uint8Array(5) },
    ];
    wrongAttention.push({ ...attention, scales: new Float32Array([1, NaN]) });
    for (const wrong of wrongAttention) {
      const rows = [good, { ...good, attention: wrong }];
      expect(errorOf(() => insertEmbeddings(db, modelId, rows)).code).toBe("attention-invalid");
    }
    expect(errorOf(() => insertEmbeddings(db, 99, [good])).code).toBe("model-unknown");
    expect(errorOf(() => insertEmbeddings(db, modelId, [good, { ...good, imageId: 999 }])).code).toBe("row-invalid");
    expect(readEmbeddings(db, modelId)).toEqual(before);
  });
});

describe("damaged rows", () => {
  test.each([
    ["a vector that is too short", "UPDATE embeddings SET vector = zeroblob(12) WHERE image_id = 2"],
    [
      "a vector that is not finite",
      "UPDATE embeddings SET vector = x'0000c07f0000c07f0000c07f0000c07f' WHERE image_id = 2",
    ],
  ])("name table and image: %s", (_, sql) => {
    const { db, modelId } = embedded(4);
    connectionOf(db).exec(sql);
    const error = errorOf(() => readEmbeddings(db, modelId));
    expect(error.code).toBe("library-corrupt");
    expect(error.message).toContain("table embeddings");
    expect(error.message).toContain("row 2");
  });

  test("of attention do not get past their sizes", () => {
    const { db, modelId, ids } = embedded(2);
    const [imageId = 0] = ids;
    insertEmbeddings(db, modelId, [{ imageId, vector: vectorOf(1), attention }]);
    const connection = connectionOf(db);
    connection.pragma("ignore_check_constraints = ON");
    for (const change of [
      "heads = 4000000",
      "heads = -2, rows = -1",
      "scales = x'00'",
      "data = x''",
      "scales = x'0000c07f0000c07f'",
    ]) {
      connection.exec("BEGIN");
      connection.exec(`UPDATE attention SET ${change}`);
      const error = errorOf(() => attentionOf(db, modelId, imageId));
      expect(error.code).toBe("library-corrupt");
      expect(error.message).toContain("table attention");
      connection.exec("ROLLBACK");
    }
  });

  test("cannot ask for more memory than there is", () => {
    const { db, modelId } = embedded(3);
    const connection = connectionOf(db);
    connection.exec(`UPDATE models SET width = 65537 WHERE id = ${modelId}`);
    expect(errorOf(() => readEmbeddings(db, modelId)).message).toContain("width is 65537");
    connection.exec(`UPDATE models SET width = 65536 WHERE id = ${modelId}`);
    const everything = Array.from({ length: 200_000 }, (_, i) => i);
    expect(errorOf(() => readEmbeddings(db, modelId, { imageIds: everything })).code).toBe("library-too-large");
  });
});
