import { describe, expect, test } from "vitest";
import type { Engine } from "../../core/engine/supervisor.ts";
import { checkLibrary, type CheckOptions } from "../../core/jobs/check.ts";
import {
  acceptWrongLabels,
  currentFindings,
  dismissChecks,
  labelNamed,
  mergeLabels,
  rareLabels,
  relabelImage,
  swapLabels,
  unifyDuplicates,
} from "../../core/jobs/check-actions.ts";
import { showFindings } from "../../core/jobs/show-findings.ts";
import { annotationsOfImages, assignLabels } from "../../core/library/annotations.ts";
import { insertEmbeddings } from "../../core/library/embeddings.ts";
import { upsertImages } from "../../core/library/image-changes.ts";
import { createLabels } from "../../core/library/label-changes.ts";
import { listJobs } from "../../core/library/jobs.ts";
import type { Library } from "../../core/library/open.ts";
import { history, undo } from "../../core/library/operations.ts";
import { ensureSource } from "../../core/library/sources.ts";
import type { CheckKind, Label, Model } from "../../core/rpc/records.ts";
import { createRandom } from "../../core/util/random.ts";
import { temporaryWorkplace } from "../helpers/workplace.ts";
import { addModel, errorOf, hashOf, newImage } from "../library/support.ts";

const width = 16;
const perLabel = 40;
const allKinds: readonly CheckKind[] = ["wrong-labels", "twins", "duplicates", "outliers"];

/** A library of two kinds of pictures and one odd one; image 1 has the wrong label, and image 3 is a copy of image 2. */
interface Planted {
  readonly library: Library;
  readonly engine: Engine;
  readonly model: Model;
  readonly labels: readonly Label[];
  readonly ids: readonly number[];
  readonly check: (options?: Partial<CheckOptions>, signal?: AbortSignal) => ReturnType<typeof checkLibrary>;
  readonly labelOf: (imageId: number) => number | null;
}

function plant(): Planted {
  const workplace = temporaryWorkplace();
  const { library, engine } = workplace;
  const { db } = library;
  const random = createRandom(1);
  const hex = (): string => Array.from({ length: 16 }, () => random.integer(16).toString(16)).join("");
  const source = ensureSource(db, "/pictures");
  const count = 2 * perLabel + 1;
  const hashes = Array.from({ length: count }, hex);
  hashes[2] = hashes[1] ?? "";
  const ids = upsertImages(
    db,
    hashes.map((perceptualHash, i) =>
      newImage(source.id, `${i}.jpg`, { perceptualHash, contentHash: hashOf(i), width: 100 + i, height: 100 }),
    ),
  );
  const model = addModel(db, "model", width);
  const vectors = ids.map((_, i) => {
    const values = Array.from({ length: width }, () => 0.1 * random.normal());
    const main = i === count - 1 ? 9 : i < perLabel ? 0 : 1;
    values[main] = (values[main] ?? 0) + (i === count - 1 ? 5 : 1);
    const length = Math.hypot(...values);
    return Float32Array.from(values, (value) => value / length);
  });
  vectors[2] = vectors[1] ?? new Float32Array(width);
  insertEmbeddings(
    db,
    model.id,
    ids.map((imageId, i) => ({ imageId, vector: vectors[i] ?? new Float32Array(width) })),
  );
  const labels = createLabels(db, [
    ["Drinks", "Oat"],
    ["Drinks", "Soy"],
  ]).result;
  const [oat, soy] = labels.map(({ id }) => id);
  if (oat === undefined || soy === undefined) throw new Error("No labels.");
  const assignments = ids.slice(0, 2 * perLabel).map((imageId, i) => {
    const labelId = i === 0 || i >= perLabel ? soy : oat;
    return { imageId, labelId, provenance: "import" as const, confidence: null };
  });
  assignLabels(db, assignments, { kind: "import-labels", summary: "Labelled" });
  return {
    library,
    engine,
    model,
    labels,
    ids,
    check: (options, signal) =>
      checkLibrary(workplace, model, { kinds: allKinds, temperature: 0.07, device: "cpu", ...options }, { signal }),
    labelOf: (imageId) => annotationsOfImages(db, [imageId]).get(imageId)?.labelId ?? null,
  };
}

describe("a check of a library", () => {
  test("finds the wrong label, its twins, the copy and the odd picture, and stores them as a job", async () => {
    const { library, labels, ids, check } = plant();
    const { checks } = await check();
    expect(checks.map(({ kind, examined, leftOut }) => ({ kind, examined, leftOut }))).toEqual([
      { kind: "wrong-labels", examined: 80, leftOut: null },
      { kind: "twins", examined: 80, leftOut: null },
      { kind: "duplicates", examined: 81, leftOut: null },
      { kind: "outliers", examined: 81, leftOut: null },
    ]);
    const [wrong] = showFindings(library.db, "wrong-labels", 1);
    expect(wrong).toMatchObject({
      suggestedLabel: "Oat",
      images: [{ imageId: ids[0], label: "Soy", path: "0.jpg" }],
    });
    expect(wrong?.suggestion?.share).toBeGreaterThan(0.99);
    expect(wrong?.neighbours.every(({ label }) => label === "Oat")).toBe(true);
    const [twins] = currentFindings(library.db, "twins");
    expect(twins?.images.map(({ imageId }) => imageId)).toContain(ids[0]);
    const duplicates = currentFindings(library.db, "duplicates");
    // Image 2 is larger than image 1.
    expect(duplicates.map(({ images }) => images.map(({ imageId }) => imageId))).toEqual([[ids[2], ids[1]]]);
    const [odd] = currentFindings(library.db, "outliers");
    expect(odd).toMatchObject({ likely: true, images: [{ imageId: ids[80], labelId: null }] });
    expect(listJobs(library.db, 1)).toMatchObject([{ kind: "check", state: "done" }]);
    expect(labels).toHaveLength(2);
  });

  test("without a model finds copies by their hashes and says why it left the others out", async () => {
    const { library, engine, ids } = plant();
    const options = { temperature: 0.07, device: "cpu" } as const;
    const { checks } = await checkLibrary({ library, engine }, null, { ...options, kinds: allKinds });
    expect(checks.map(({ found, leftOut }) => [found, leftOut === null])).toEqual([
      [0, false],
      [0, false],
      [1, true],
      [0, false],
    ]);
    expect(currentFindings(library.db, "duplicates")[0]?.images[0]?.imageId).toBe(ids[2]);
    await expect(checkLibrary({ library, engine }, null, { ...options, kinds: ["twins"] })).rejects.toMatchObject({
      code: "model-missing",
    });
  });

  test("that is stopped keeps what earlier checks found", async () => {
    const { library, check } = plant();
    await check();
    const before = currentFindings(library.db, "outliers");
    const stop = new AbortController();
    const stopped = check({ kinds: ["outliers"] }, stop.signal);
    stop.abort();
    await expect(stopped).rejects.toThrow();
    expect(listJobs(library.db, 1)).toMatchObject([{ kind: "check", state: "stopped" }]);
    expect(currentFindings(library.db, "outliers")).toEqual(before);
    await check({ kinds: ["outliers"] });
    expect(currentFindings(library.db, "outliers")).toEqual(before);
  });
});

describe("what is done about findings", () => {
  test("accepting gives the neighbours' label with its confidence; the finding is gone, and undo brings it back", async () => {
    const { library, labels, ids, check, labelOf } = plant();
    await check({ kinds: ["wrong-labels"] });
    const first = ids[0] ?? 0;
    expect(acceptWrongLabels(library, 1)?.changeCount).toBe(1);
    expect(annotationsOfImages(library.db, [first]).get(first)).toMatchObject({
      labelId: labels[0]?.id,
      provenance: "neighbours",
      confidence: expect.closeTo(1, 0) as number,
    });
    expect(currentFindings(library.db, "wrong-labels")).toEqual([]);
    expect(acceptWrongLabels(library, 1)).toBeNull();
    undo(library.db);
    expect(labelOf(first)).toBe(labels[1]?.id);
    expect(currentFindings(library.db, "wrong-labels")).toHaveLength(1);
  });

  test("dismissing hides a finding from this check and the next, and undo shows it again", async () => {
    const { library, ids, check } = plant();
    await check();
    expect(dismissChecks(library, "wrong-labels", { imageId: ids[0] ?? 0 })?.changeCount).toBe(1);
    await check();
    expect(currentFindings(library.db, "wrong-labels")).toEqual([]);
    expect(dismissChecks(library, "outliers", { count: 3 })?.changeCount).toBe(3);
    expect(errorOf(() => dismissChecks(library, "duplicates", { imageId: 80 })).code).toBe("finding-unknown");
    undo(library.db);
    undo(library.db);
    expect(currentFindings(library.db, "wrong-labels")).toHaveLength(1);
  });

  test("of two pairs with an image in common, the one that is named is dismissed", async () => {
    const { library, ids, check } = plant();
    await check({ kinds: ["twins"] });
    const pairs = currentFindings(library.db, "twins").map(({ images }) => images.map(({ imageId }) => imageId));
    const shared = pairs.find((pair, at) => pairs.slice(0, at).some((other) => other.some((id) => pair.includes(id))));
    if (shared === undefined) throw new Error("The planted library has no image in two pairs.");
    expect(dismissChecks(library, "twins", { imageIds: shared })?.changeCount).toBe(1);
    const left = currentFindings(library.db, "twins").map(({ images }) => images.map(({ imageId }) => imageId));
    expect(left).toEqual(pairs.filter((pair) => pair !== shared));
    const alone = { imageIds: [ids[0] ?? 0] };
    expect(errorOf(() => dismissChecks(library, "twins", alone)).code).toBe("finding-unknown");
  });

  test("labels of two images are swapped in one step, and one undo swaps them back", () => {
    const { library, labels, ids, labelOf } = plant();
    const [first, second, odd] = [ids[5] ?? 0, ids[perLabel + 5] ?? 0, ids[2 * perLabel] ?? 0];
    const before = [labelOf(first), labelOf(second)];
    expect(new Set(before).size).toBe(2);
    expect(swapLabels(library, first, second)?.changeCount).toBe(2);
    expect([labelOf(first), labelOf(second)]).toEqual(before.toReversed());
    undo(library.db);
    expect([labelOf(first), labelOf(second)]).toEqual(before);
    expect(swapLabels(library, first, ids[6] ?? 0)).toBeNull();
    expect(labels).not.toHaveLength(0);
    expect(errorOf(() => swapLabels(library, first, odd)).code).toBe("labels-missing");
    expect(errorOf(() => swapLabels(library, first, 999)).code).toBe("image-unknown");
  });

  test("unifying gives all copies the label of the best, or the one named; a conflict comes first until then", async () => {
    const { library, labels, ids, check, labelOf } = plant();
    const [copy, best] = [ids[1] ?? 0, ids[2] ?? 0];
    relabelImage(library, copy, "Soy");
    await check({ kinds: ["duplicates"] });
    expect(currentFindings(library.db, "duplicates")[0]?.images.map(({ labelId }) => labelId)).toEqual([
      labels[0]?.id,
      labels[1]?.id,
    ]);
    expect(unifyDuplicates(library, copy)?.changeCount).toBe(1);
    expect([labelOf(copy), labelOf(best)]).toEqual([labels[0]?.id, labels[0]?.id]);
    expect(unifyDuplicates(library, copy)).toBeNull();
    expect(unifyDuplicates(library, copy, "Drinks/Soy")?.changeCount).toBe(2);
    undo(library.db);
    expect(labelOf(best)).toBe(labels[0]?.id);
    expect(errorOf(() => unifyDuplicates(library, ids[50] ?? 0)).code).toBe("finding-unknown");
  });

  test("labels with few images are listed, and merged into another in one step", () => {
    const { library, labels, ids, labelOf } = plant();
    createLabels(library.db, [["Soja"]]);
    relabelImage(library, ids[60] ?? 0, "Soja");
    expect(rareLabels(library.db)).toMatchObject([{ label: { name: "Soja" }, imageCount: 1, missing: 9 }]);
    mergeLabels(library, "Soja", "Soy");
    expect(rareLabels(library.db)).toEqual([]);
    expect(labelOf(ids[60] ?? 0)).toBe(labels[1]?.id);
    undo(library.db);
    expect(rareLabels(library.db)).toHaveLength(1);
    expect(history(library.db, 1)[0]?.state).toBe("undone");
  });

  test("labels are named alone or with those above them, and refused where that is not one label", () => {
    const { library, labels } = plant();
    expect(labelNamed(library.db, "Oat").id).toBe(labels[0]?.id);
    expect(labelNamed(library.db, " Drinks/Oat ").id).toBe(labels[0]?.id);
    createLabels(library.db, [["Snacks", "Oat"]]);
    expect(errorOf(() => labelNamed(library.db, "Oat")).code).toBe("label-ambiguous");
    expect(labelNamed(library.db, "Drinks/Oat").id).toBe(labels[0]?.id);
    expect(errorOf(() => labelNamed(library.db, "Oats")).code).toBe("label-unknown");
    expect(errorOf(() => relabelImage(library, 999, "Drinks/Oat")).code).toBe("image-unknown");
  });
});
