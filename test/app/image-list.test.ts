import { expect, onTestFinished, test, vi } from "vitest";
import { createImageColumnStore } from "../../core/app/image-columns.ts";
import { filteredRows, listImagesAsColumns, type ListMaterial } from "../../core/app/image-list.ts";
import { createRevisions, type Revisions } from "../../core/app/revisions.ts";
import { bestRows, createSimilarities } from "../../core/app/similarity.ts";
import { annotationsOfImages, assignLabels, removeAnnotations } from "../../core/library/annotations.ts";
import { replaceClustering } from "../../core/library/clusters.ts";
import { insertEmbeddings } from "../../core/library/embeddings.ts";
import { markMissing, upsertImages } from "../../core/library/image-changes.ts";
import { listImages } from "../../core/library/images.ts";
import { createLabels } from "../../core/library/label-changes.ts";
import { correctMasks } from "../../core/library/masks.ts";
import type { Library } from "../../core/library/open.ts";
import { ensureSource } from "../../core/library/sources.ts";
import { replaceSuggestions } from "../../core/library/suggestions.ts";
import { decodeImages, encodeImages, imageFlags } from "../../core/rpc/columns.ts";
import type { Image } from "../../core/rpc/records.ts";
import type { ImageFilter } from "../../core/rpc/schemas.ts";
import { createRandom, type Random } from "../../core/util/random.ts";
import { addModel, hashOf, newImage, temporaryLibrary } from "../library/support.ts";

interface Bench {
  readonly library: Library;
  readonly modelId: number;
  readonly revisions: Revisions;
  readonly material: ListMaterial;
  /** What is true of each image, kept by the test itself. */
  readonly truth: Map<number, Truth>;
}

interface Truth {
  readonly image: Image;
  readonly embedded: boolean;
  readonly suggestion: { readonly labelId: number; readonly confidence: number; readonly abstained: boolean } | null;
  readonly clusterId: number | null;
  readonly similarity: number;
  readonly hasMask: boolean;
}

/** A library of 80 images with everything that lists look at, drawn at random. */
function bench(random: Random): Bench {
  const library = temporaryLibrary();
  const { db } = library;
  const sources = [ensureSource(db, "/b"), ensureSource(db, "/a")];
  const { id: modelId } = addModel(db, "model", 2);
  const ids = upsertImages(
    db,
    Array.from({ length: 80 }, (_, i) =>
      newImage(
        sources[random.integer(2)]?.id ?? 0,
        `${["x", "Y", "%", "_"][random.integer(4)]}/${random.integer(50)}-${i}.jpg`,
        {
          contentHash: hashOf(random.integer(2 ** 31) * 2 ** 20),
          modifiedAt: random.integer(20),
          ...(random.integer(10) === 0
            ? { problem: { code: "picture-broken", message: "Broken." }, width: null, height: null }
            : {}),
        },
      ),
    ),
  );
  markMissing(
    db,
    ids.filter(() => random.integer(10) === 0),
  );
  const { result: labels } = createLabels(db, [["A"], ["A", "B"], ["C"]]);
  const labelled = ids.filter(() => random.integer(3) === 0);
  assignLabels(
    db,
    labelled.map((imageId) => ({
      imageId,
      labelId: labels[random.integer(3)]?.id ?? 0,
      provenance: "person",
      confidence: null,
    })),
    { kind: "assign-labels", summary: "Labelled" },
  );
  const embedded = ids.filter(() => random.integer(4) > 0);
  insertEmbeddings(
    db,
    modelId,
    embedded.map((imageId) => {
      const angle = random.integer(360) * (Math.PI / 180);
      return { imageId, vector: Float32Array.of(Math.cos(angle), Math.sin(angle)) };
    }),
  );
  const suggestions = new Map(
    embedded
      .filter(() => random.integer(2) === 0)
      .map((imageId) => {
        const confidence = random.integer(11) / 10;
        return [
          imageId,
          { labelId: labels[random.integer(3)]?.id ?? 0, confidence, abstained: confidence < 0.5 },
        ] as const;
      }),
  );
  replaceSuggestions(
    db,
    modelId,
    [...suggestions].map(([imageId, { labelId, confidence, abstained }]) => ({
      imageId,
      labelId,
      share: 1,
      confidence,
      confidenceLow: confidence,
      confidenceHigh: confidence,
      abstained,
      voters: [],
    })),
  );
  const members = [[], [], []] as { imageId: number; similarity: number; margin: number }[][];
  for (const imageId of embedded)
    members[random.integer(4)]?.push({ imageId, similarity: random.integer(100) / 100, margin: 0 });
  const clusterIds = replaceClustering(
    db,
    { modelId, method: "k-means", settings: {}, createdAt: 1 },
    members.map((list) => ({ centre: Float32Array.of(1, 0), members: list })),
  );
  const images = listImages(db, { limit: 1000 });
  const masked = images.filter(({ width }) => width !== null && random.integer(4) === 0);
  correctMasks(
    db,
    masked.map(({ id, width, height }) => ({ imageId: id, width: width ?? 0, height: height ?? 0, runs: "0" })),
    { kind: "correct-mask", summary: "Corrected" },
  );
  const revisions = createRevisions();
  const columns = createImageColumnStore(db, revisions);
  const similarities = createSimilarities(db, columns, revisions);
  const truth = new Map(
    images.map((image): [number, Truth] => {
      const cluster = members.findIndex((list) => list.some(({ imageId }) => imageId === image.id));
      return [
        image.id,
        {
          image,
          embedded: embedded.includes(image.id),
          suggestion: suggestions.get(image.id) ?? null,
          clusterId: cluster < 0 ? null : (clusterIds[cluster] ?? null),
          similarity: members[cluster]?.find(({ imageId }) => imageId === image.id)?.similarity ?? -2,
          hasMask: masked.some(({ id }) => id === image.id),
        },
      ];
    }),
  );
  const material: ListMaterial = {
    db,
    columns,
    similarities: ({ to }) =>
      similarities.to(modelId, "imageIds" in to ? similarities.meanOf(modelId, to.imageIds) : new Float32Array(2)),
  };
  return { library, modelId, revisions, material, truth };
}

/** Whether an image passes a filter, one condition after the other. */
function passes({ truth }: Bench, labels: ReadonlyMap<number, number>, id: number, filter: ImageFilter): boolean {
  const known = truth.get(id);
  if (known === undefined) return false;
  const { image, embedded, clusterId, hasMask } = known;
  const label = labels.get(id) ?? null;
  const state = image.missingSince !== null ? "missing" : image.problem !== null ? "problem" : "ready";
  const suggestion = label === null ? known.suggestion : null;
  const kind = suggestion === null ? "none" : suggestion.abstained ? "abstained" : "offered";
  return (
    (filter.state === "any" || state === (filter.state ?? "ready")) &&
    (filter.text === undefined || image.path.toLowerCase().includes(filter.text.toLowerCase())) &&
    (filter.sourceId === undefined || image.sourceId === filter.sourceId) &&
    (filter.labelIds === undefined || (label !== null && filter.labelIds.includes(label))) &&
    (filter.labelled === undefined || filter.labelled === (label !== null)) &&
    (filter.suggestion === undefined || (label === null && filter.suggestion === kind)) &&
    (filter.suggestedLabelIds === undefined || filter.suggestedLabelIds.includes(suggestion?.labelId ?? -1)) &&
    (filter.clusterId === undefined || filter.clusterId === clusterId) &&
    (filter.mask === undefined || (filter.mask === "none" ? !hasMask : filter.mask !== "made" && hasMask)) &&
    (filter.embedded === undefined || filter.embedded === embedded) &&
    (filter.ids === undefined || filter.ids.includes(id))
  );
}

test("a filter lets through what a plain reading of its conditions does, also after changes", () => {
  const random = createRandom(11);
  const world = bench(random);
  const { library, modelId, revisions, material, truth } = world;
  const ids = [...truth.keys()];
  const maybe = <T>(choices: readonly T[]): T | undefined =>
    random.integer(4) === 0 ? choices[random.integer(choices.length)] : undefined;
  const clusters: (number | null)[] = [...new Set([...truth.values()].map(({ clusterId }) => clusterId))];
  const labelsNow = (): Map<number, number> =>
    new Map([...annotationsOfImages(library.db, ids)].map(([id, { labelId }]) => [id, labelId]));
  let labels = labelsNow();
  let found = 0;
  for (let i = 0; i < 400; i++) {
    const wanted = {
      text: maybe(["x", "y", "%", "_", "-1", "X/"]),
      sourceId: maybe([1, 2]),
      labelIds: maybe([[1], [1, 2], [3], []]),
      labelled: maybe([true, false]),
      suggestion: maybe(["offered", "abstained", "none"] as const),
      suggestedLabelIds: maybe([[1], [2, 3]]),
      clusterId: maybe(clusters),
      mask: maybe(["any", "none", "made", "edited"] as const),
      state: maybe(["ready", "problem", "missing", "any"] as const),
      embedded: maybe([true, false]),
      ids: maybe([ids.slice(10, 50), [], [1, 9999]]),
    };
    const filter: ImageFilter = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
    const rows = filteredRows(material, filter, modelId);
    const listed = Array.from(rows, (row) => material.columns.rows().ids[row] ?? 0);
    expect(listed, JSON.stringify(filter)).toEqual(ids.filter((id) => passes(world, labels, id, filter)));
    found += listed.length;
    if (i % 50 === 0) {
      removeAnnotations(library.db, ids.slice(i / 50, i / 50 + 5), { kind: "remove-labels", summary: "Removed" });
      revisions.bump(["annotations"]);
      labels = labelsNow();
    }
  }
  expect(found).toBeGreaterThan(1000);
});

test("every order is the one that its name says, and scores are what it sorted by", () => {
  const world = bench(createRandom(12));
  const { modelId, material, truth, library } = world;
  const list = (sort: Parameters<typeof listImagesAsColumns>[1]["sort"]) => {
    const columns = listImagesAsColumns(material, { filter: { state: "any" }, sort }, modelId);
    return { ids: [...columns.ids], scores: [...columns.scores] };
  };
  const of = (id: number): Truth => truth.get(id) as Truth;
  const names = [...truth.values()]
    .map(({ image }) => image)
    .sort((a, b) => a.sourceId - b.sourceId || (a.path < b.path ? -1 : 1));
  const byName = names.map(({ id }) => id);
  const rank = (id: number): number => byName.indexOf(id);
  const expected = (key: (id: number) => number, direction = 1): number[] =>
    byName.toSorted((a, b) => direction * (key(a) - key(b)) || rank(a) - rank(b));
  const annotations = annotationsOfImages(library.db, byName);
  const labelOf = (id: number): number => annotations.get(id)?.labelId ?? 0;
  // A, C, then B under A: siblings follow each other.
  const labelRank = (id: number): number => [1, 3, 2].indexOf(labelOf(id));
  const suggestion = (id: number): Truth["suggestion"] => (labelOf(id) === 0 ? of(id).suggestion : null);
  expect(list({ by: "name" }).ids).toEqual(byName);
  expect(list({ by: "name", descending: true }).ids).toEqual(byName.toReversed());
  expect(list({ by: "date" }).ids).toEqual(expected((id) => of(id).image.modifiedAt));
  expect(list({ by: "date", descending: true }).ids).toEqual(expected((id) => of(id).image.modifiedAt, -1));
  expect(list({ by: "added" }).ids).toEqual([...truth.keys()]);
  expect(list({ by: "label" }).ids).toEqual(expected((id) => (labelRank(id) < 0 ? 9 : labelRank(id))));
  expect(list({ by: "label", descending: true }).ids).toEqual(expected((id) => labelRank(id), -1));
  const uncertain = list({ by: "uncertainty" });
  expect(uncertain.ids).toEqual(expected((id) => suggestion(id)?.confidence ?? 2));
  uncertain.ids.forEach((id, i) => expect(uncertain.scores[i]).toBeCloseTo(suggestion(id)?.confidence ?? 2));
  expect(list({ by: "confidence" }).ids).toEqual(expected((id) => suggestion(id)?.confidence ?? -1, -1));
  const sizes = new Map<number, number>();
  for (const { clusterId } of truth.values())
    if (clusterId !== null) sizes.set(clusterId, (sizes.get(clusterId) ?? 0) + 1);
  const clusters = [...sizes].sort(([a, x], [b, y]) => y - x || a - b).map(([id]) => id);
  const clusterRank = (id: number): number => {
    const { clusterId } = of(id);
    return clusterId === null ? 1000 : 4 * clusters.indexOf(clusterId) - of(id).similarity;
  };
  expect(list({ by: "cluster" }).ids).toEqual(expected(clusterRank));
  const first = [...truth.values()].find(({ embedded }) => embedded)?.image.id ?? 0;
  const alike = list({ by: "similarity", to: { imageIds: [first] } });
  expect(alike.scores[0]).toBeCloseTo(1, 6);
  expect(alike.scores).toEqual(alike.scores.toSorted((a, b) => b - a));
  expect(alike.ids.filter((_, i) => alike.scores[i] === -2)).toHaveLength(
    [...truth.values()].filter(({ embedded }) => !embedded).length,
  );
});

test("a list as bytes comes back as it was, and nothing else is taken for one", () => {
  const { modelId, material, truth } = bench(createRandom(13));
  const columns = listImagesAsColumns(material, { filter: { state: "any" }, sort: { by: "name" } }, modelId);
  const bytes = encodeImages(columns, 77);
  const { buffer } = bytes.slice();
  expect(decodeImages(buffer)).toEqual({ columns, revision: 77 });
  [...columns.ids].forEach((id, i) => {
    const { image, hasMask, embedded } = truth.get(id) as Truth;
    const flags = columns.flags[i] ?? 0;
    expect((flags & imageFlags.problem) !== 0).toBe(image.problem !== null);
    expect((flags & imageFlags.missing) !== 0).toBe(image.missingSince !== null);
    expect((flags & imageFlags.maskEdited) !== 0).toBe(hasMask);
    expect((flags & imageFlags.embedded) !== 0).toBe(embedded);
  });
  for (const broken of [
    buffer.slice(0, 10),
    buffer.slice(0, -4),
    new ArrayBuffer(20),
    new Uint8Array(bytes.length).fill(255).buffer,
  ]) {
    expect(() => decodeImages(broken)).toThrow(RangeError);
  }
});

test("the best rows are the first of all rows sorted", () => {
  const random = createRandom(14);
  for (let i = 0; i < 50; i++) {
    const scores = Float32Array.from({ length: 200 }, () => random.integer(60) / 50 - 0.1);
    const except = random.integer(200);
    const sorted = [...scores.keys()]
      .filter((row) => row !== except && (scores[row] ?? 0) >= 0)
      .sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
    const count = 1 + random.integer(30);
    expect(bestRows(scores, count, 0, except)).toEqual(sorted.slice(0, count));
  }
});

test("embeddings that nobody asked for in two minutes are read again when somebody does", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { library, modelId, material, truth } = bench(createRandom(5));
  const similarities = createSimilarities(library.db, material.columns, createRevisions());
  const [first = 0] = [...truth].flatMap(([id, { embedded }]) => (embedded ? [id] : []));
  const row = material.columns.rowOf(first);
  const vector = similarities.meanOf(modelId, [first]);
  expect(similarities.to(modelId, vector)[row]).toBeCloseTo(1, 5);
  // Written behind the revisions' back, so that only a new reading finds it.
  insertEmbeddings(library.db, modelId, [{ imageId: first, vector: vector.map((value) => -value) }]);
  vi.advanceTimersByTime(119_000);
  expect(similarities.to(modelId, vector)[row]).toBeCloseTo(1, 5);
  vi.advanceTimersByTime(119_000);
  expect(similarities.to(modelId, vector)[row]).toBeCloseTo(1, 5);
  vi.advanceTimersByTime(121_000);
  expect(similarities.to(modelId, vector)[row]).toBeCloseTo(-1, 5);
});
