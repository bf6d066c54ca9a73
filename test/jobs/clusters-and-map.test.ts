import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine, type Engine } from "../../core/engine/supervisor.ts";
import { clusterImages } from "../../core/jobs/cluster.ts";
import { divideCluster, labelCluster, mergeClusters, splitCluster } from "../../core/jobs/cluster-changes.ts";
import { drawMap, showMap } from "../../core/jobs/draw-map.ts";
import { mapImages } from "../../core/jobs/map.ts";
import { storedGraph } from "../../core/jobs/neighbour-graph.ts";
import { nextToLabel } from "../../core/jobs/queue.ts";
import type { Workplace } from "../../core/jobs/run.ts";
import { showCluster, showClusters } from "../../core/jobs/show-clusters.ts";
import { annotationsOfImages, assignLabels } from "../../core/library/annotations.ts";
import { forEachMembership, listClusters } from "../../core/library/clusters.ts";
import { insertEmbeddings } from "../../core/library/embeddings.ts";
import { listJobs } from "../../core/library/jobs.ts";
import { createLabels } from "../../core/library/label-changes.ts";
import { mapPoints } from "../../core/library/maps.ts";
import { history, redo, undo } from "../../core/library/operations.ts";
import { replaceSuggestions } from "../../core/library/suggestions.ts";
import type { Model } from "../../core/rpc/records.ts";
import { createRandom } from "../../core/util/random.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { temporaryWorkplace } from "../helpers/workplace.ts";
import { addImages, addModel, temporaryFolder } from "../library/support.ts";

let engine: Engine;
beforeAll(() => (engine = createEngine()));
afterAll(() => engine.close());

const width = 6;
const device = "cpu";
const options = { count: null, restarts: 3, seed: 1, minimum: 8, device } as const;

/** A unit vector near one of `width` axes. */
function vector(group: number, spread: number, random: ReturnType<typeof createRandom>): Float32Array {
  const values = Array.from({ length: width }, (_, i) => (i === group ? 1 : 0) + spread * random.normal());
  const length = Math.hypot(...values);
  return Float32Array.from(values, (value) => value / length);
}

interface Prepared extends Workplace {
  readonly model: Model;
  readonly ids: readonly number[];
}

/** A library whose images are of three groups in turn: image i is of group i % 3. */
function prepared(count: number, spread = 0.05): Prepared {
  const workplace = temporaryWorkplace(engine);
  const { db } = workplace.library;
  const model = addModel(db, "model", width);
  const ids = addImages(db, count);
  const random = createRandom(7);
  insertEmbeddings(
    db,
    model.id,
    ids.map((imageId, i) => ({ imageId, vector: vector(i % 3, spread, random) })),
  );
  return { ...workplace, model, ids };
}

/** The cluster of each image, in order of the images; null for noise. */
function clusterOfEach({ library: { db }, model, ids }: Prepared): (number | null)[] {
  const found = new Map<number, number>();
  forEachMembership(db, model.id, ({ imageId, clusterId }) => found.set(imageId, clusterId));
  return ids.map((id) => found.get(id) ?? null);
}

/** Expects one cluster for each group and nothing left over. */
function expectGroups(found: readonly (number | null)[]): void {
  expect(found).not.toContain(null);
  expect(new Set(found).size).toBe(3);
  found.forEach((cluster, i) => expect(cluster).toBe(found[i % 3]));
}

/** Labels images and returns the label's id. */
function label({ library: { db } }: Workplace, imageIds: readonly (number | undefined)[], name: string): number {
  const labelId = createLabels(db, [[name]]).result[0]?.id ?? 0;
  const assignments = imageIds.map((imageId = 0) => ({
    imageId,
    labelId,
    provenance: "person" as const,
    confidence: null,
  }));
  assignLabels(db, assignments, { kind: "test", summary: name });
  return labelId;
}

describe("clusters", () => {
  test("by number and by density find groups that lie apart, the same ones each time", async () => {
    const place = prepared(90);
    for (const count of [3, null]) {
      const summary = await clusterImages(place, place.model, { ...options, count });
      expect(summary).toMatchObject({ clusters: 3, images: 90, noise: 0 });
      const found = clusterOfEach(place);
      expectGroups(found);
      await clusterImages(place, place.model, { ...options, count });
      const groups = (list: readonly (number | null)[]): number[] => list.map((cluster) => list.indexOf(cluster));
      expect(groups(clusterOfEach(place))).toEqual(groups(found));
    }
    expect(listJobs(place.library.db, 9).map(({ kind, state }) => `${kind} ${state}`)).toContain("cluster done");
  });

  test("begin with the medoid: the member with the largest sum of cosines to all members", async () => {
    const place = prepared(60, 0.2);
    await clusterImages(place, place.model, { ...options, count: 3 });
    const random = createRandom(7);
    const vectors = place.ids.map((_, i) => vector(i % 3, 0.2, random));
    const found = clusterOfEach(place);
    for (const cluster of showClusters(place.library.db, place.model.id)) {
      const rows = [...found.keys()].filter((row) => found[row] === cluster.id);
      const cosine = (row: number, other: number): number =>
        [...(vectors[row] ?? [])].reduce((sum, value, i) => sum + value * (vectors[other]?.[i] ?? 0), 0);
      const sum = (row: number): number => rows.reduce((total, other) => total + cosine(row, other), 0);
      const best = rows.reduce((a, b) => (sum(b) > sum(a) ? b : a));
      expect(cluster.medoidImageId).toBe(place.ids[best]);
    }
  });

  test("that were stopped go on, to the clusters that they would have had", async () => {
    const whole = prepared(120, 0.4);
    await clusterImages(whole, whole.model, { ...options, count: 5 });
    const place = prepared(120, 0.4);
    const stop = new AbortController();
    const onProgress = ({ phase, done }: { phase: string; done: number }): void => {
      if (phase === "k-means restarts" && done === 2) stop.abort(new Error("stop"));
    };
    const first = clusterImages(place, place.model, { ...options, count: 5 }, { signal: stop.signal, onProgress });
    await expect(first).rejects.toThrow("stop");
    expect(listClusters(place.library.db, place.model.id)).toEqual([]);
    expect(listJobs(place.library.db, 1)[0]?.state).toBe("stopped");
    const seen: number[] = [];
    await clusterImages(
      place,
      place.model,
      { ...options, count: 5 },
      {
        onProgress: ({ phase, done }) => void (phase === "k-means restarts" && seen.push(done)),
      },
    );
    expect(Math.min(...seen)).toBe(2);
    expect(clusterOfEach(place)).toEqual(clusterOfEach(whole));
  });

  test("say how pure their labels are, and propose the name that members or else suggestions speak for", async () => {
    const place = prepared(30);
    const { library, model, ids } = place;
    await clusterImages(place, model, { ...options, count: 3 });
    const oat = label(place, [ids[0], ids[3], ids[6]], "oat");
    label(place, [ids[9]], "milk");
    const [cluster] = clusterOfEach(place);
    const details = showCluster(library.db, cluster ?? 0, 3);
    expect(details.cluster).toMatchObject({ size: 10, labelled: 4, purity: 0.75 });
    expect(details.cluster.proposal).toEqual({ labelId: oat, label: "oat", share: 0.75, source: "members" });
    expect(details.typical).toHaveLength(3);
    expect(details.typical[0]?.imageId).toBe(details.cluster.medoidImageId);
    const other = (): unknown => showClusters(library.db, model.id).find(({ id }) => id === clusterOfEach(place)[1]);
    expect(other()).toMatchObject({ purity: null, proposal: null });
    replaceSuggestions(library.db, model.id, [
      {
        imageId: ids[1] ?? 0,
        labelId: oat,
        share: 1,
        confidence: 0.9,
        confidenceLow: 0.8,
        confidenceHigh: 1,
        abstained: false,
        voters: [],
      },
    ]);
    expect(other()).toMatchObject({ purity: null, proposal: { label: "oat", source: "neighbours" } });
  });

  test("can be merged and split again, which moves nothing else", async () => {
    const place = prepared(60);
    await clusterImages(place, place.model, { ...options, count: 3 });
    const [a = 0, b = 0, c = 0] = clusterOfEach(place).map((cluster) => cluster ?? 0);
    const [merged = 0] = mergeClusters(place.library, [a, b]).clusterIds;
    expect(new Set(clusterOfEach(place))).toEqual(new Set([merged, c]));
    expect(showCluster(place.library.db, merged, 1).cluster.size).toBe(40);
    const parts = (await splitCluster(place, merged, { parts: 2, seed: 1, device })).clusterIds;
    expect(parts).toHaveLength(2);
    expectGroups(clusterOfEach(place));
    expect(clusterOfEach(place)[2]).toBe(c);
    expect(await refusalOfAsync(() => Promise.resolve().then(() => mergeClusters(place.library, [c])))).toContain(
      "option-invalid",
    );
    expect(await refusalOfAsync(() => splitCluster(place, merged, { parts: 2, seed: 1, device }))).toContain(
      "cluster-unknown",
    );
  });

  test("are split, merged and divided in steps that the history names and that can be taken back", async () => {
    const place = prepared(30);
    const { db } = place.library;
    await clusterImages(place, place.model, { ...options, count: 3 });
    const before = clusterOfEach(place);
    const [a = 0, b = 0, c = 0] = before.map((cluster) => cluster ?? 0);
    const [merged = 0] = mergeClusters(place.library, [a, b, c]).clusterIds;
    const { clusterIds, operation } = await splitCluster(place, merged, { parts: 3, seed: 1, device });
    expect(operation).toMatchObject({ kind: "split-cluster", state: "done" });
    const odd = place.ids.filter((_, at) => clusterOfEach(place)[at] === clusterIds[0]).slice(0, 2);
    divideCluster(place.library, clusterIds[0] ?? 0, [odd]);
    expect(history(db, 9).map(({ summary }) => summary)).toEqual([
      `Took 2 images out of cluster ${clusterIds[0]}`,
      `Split cluster ${merged} (30 images) into 3`,
      `Merged clusters ${a}, ${b} and ${c} (30 images)`,
    ]);
    for (const step of [undo, undo, undo]) step(db);
    expect(clusterOfEach(place)).toEqual(before);
    for (const step of [redo, redo]) step(db);
    expect(new Set(clusterOfEach(place))).toEqual(new Set(clusterIds));
  });

  test("that were merged are divided as they were", async () => {
    const place = prepared(60);
    await clusterImages(place, place.model, { ...options, count: 3 });
    const before = clusterOfEach(place);
    const [a = 0, b = 0, c = 0] = before.map((cluster) => cluster ?? 0);
    const groups = [a, b].map((id) => place.ids.filter((_, at) => before[at] === id));
    const [merged = 0] = mergeClusters(place.library, [a, b]).clusterIds;
    const parts = divideCluster(place.library, merged, groups).clusterIds;
    const after = clusterOfEach(place);
    expect(after).toEqual(before.map((id) => (id === a ? parts[0] : id === b ? parts[1] : c)));
    // What no group names stays together.
    const [few, rest] = divideCluster(place.library, parts[0] ?? 0, [groups[0]?.slice(0, 3) ?? []]).clusterIds;
    expect(showCluster(place.library.db, few ?? 0, 1).cluster.size).toBe(3);
    expect(showCluster(place.library.db, rest ?? 0, 1).cluster.size).toBe((groups[0]?.length ?? 0) - 3);
    const strange = (): Promise<unknown> =>
      Promise.resolve().then(() => divideCluster(place.library, parts[1] ?? 0, [groups[0] ?? []]));
    expect(await refusalOfAsync(strange)).toContain("option-invalid");
  });

  test("are labelled in one undoable step that leaves other labels alone", async () => {
    const place = prepared(30);
    const { db } = place.library;
    await clusterImages(place, place.model, { ...options, count: 3 });
    const milk = label(place, [place.ids[3]], "milk");
    const [cluster] = clusterOfEach(place);
    const result = labelCluster(place.library, cluster ?? 0, { path: ["Drinks", "Oat"], overwrite: false });
    expect(result).toMatchObject({ labelled: 9, kept: 1, operation: { kind: "label-cluster" } });
    const found = annotationsOfImages(db, place.ids);
    expect(found.get(place.ids[0] ?? 0)).toMatchObject({ provenance: "cluster", operationId: result.operation?.id });
    expect(found.get(place.ids[3] ?? 0)?.labelId).toBe(milk);
    // A name without the one above it is the label that is there.
    const again = labelCluster(place.library, cluster ?? 0, { path: ["Oat"], overwrite: true });
    expect(again.labelled).toBe(10);
    expect(annotationsOfImages(db, place.ids).get(place.ids[3] ?? 0)?.labelId).toBe(
      found.get(place.ids[0] ?? 0)?.labelId,
    );
    undo(db);
    undo(db);
    expect(annotationsOfImages(db, place.ids).size).toBe(1);
  });

  test("need embeddings, and no more clusters than images", async () => {
    const place = prepared(2);
    const other = addModel(place.library.db, "other", width);
    expect(await refusalOfAsync(() => clusterImages(place, other, options))).toContain("embedding-missing");
    expect(await refusalOfAsync(() => clusterImages(place, place.model, { ...options, count: 3 }))).toContain(
      "option-invalid",
    );
  });
});

describe("the map", () => {
  test("leaves the graph of neighbours with the images that its rows stand for", async () => {
    const place = prepared(30);
    const { db } = place.library;
    expect(storedGraph(db, place.model.id)).toBeNull();
    await mapImages(place, place.model, { refit: false, seed: 1, device });
    const graph = storedGraph(db, place.model.id);
    expect([...(graph?.imageIds ?? [])]).toEqual(place.ids);
    // Images are of three groups in turn, and a group has nine others of its own kind.
    const neighbours = graph?.table.indices.subarray(0, 9) ?? new Int32Array();
    expect([...neighbours].map((row) => row % 3)).toEqual(new Array(9).fill(0));
    expect(graph?.table.count).toBe(15);
  });

  test("keeps its points where they are when new images come, and puts those among their like", async () => {
    const place = prepared(90);
    const { db } = place.library;
    expect(await mapImages(place, place.model, { refit: false, seed: 1, device })).toMatchObject({
      fitted: 90,
      points: 90,
    });
    const before = mapPoints(db, place.model.id);
    expect(await mapImages(place, place.model, { refit: false, seed: 1, device })).toMatchObject({
      fitted: 0,
      placed: 0,
    });
    const fresh = addImages(db, 6, "/more");
    const random = createRandom(8);
    insertEmbeddings(
      db,
      place.model.id,
      fresh.map((imageId, i) => ({ imageId, vector: vector(i % 3, 0.05, random) })),
    );
    expect(await mapImages(place, place.model, { refit: false, seed: 1, device })).toMatchObject({
      placed: 6,
      points: 96,
    });
    const after = mapPoints(db, place.model.id);
    expect(after.slice(0, 90)).toEqual(before);
    for (const [i, { x, y, placed }] of after.slice(90).entries()) {
      expect(placed).toBe(true);
      const away = before.map((point) => Math.hypot(point.x - x, point.y - y));
      expect(away.indexOf(Math.min(...away)) % 3).toBe(i % 3);
    }
    expect(await mapImages(place, place.model, { refit: true, seed: 1, device })).toMatchObject({ fitted: 96 });
    expect(mapPoints(db, place.model.id).some(({ placed }) => placed)).toBe(false);
  });

  test("that was stopped goes on at its epoch, to the very same places", async () => {
    const whole = prepared(60, 0.3);
    const map = { refit: false, seed: 3, device } as const;
    await mapImages(whole, whole.model, map);
    const place = prepared(60, 0.3);
    const stop = new AbortController();
    const first = mapImages(place, place.model, map, {
      signal: stop.signal,
      onProgress: ({ phase, done }) => {
        if (phase === "laying out the map" && done >= 150) stop.abort(new Error("stop"));
      },
    });
    await expect(first).rejects.toThrow("stop");
    expect(mapPoints(place.library.db, place.model.id)).toEqual([]);
    const seen: number[] = [];
    await mapImages(place, place.model, map, {
      onProgress: ({ phase, done }) => void (phase === "laying out the map" && seen.push(done)),
    });
    expect(seen[0]).toBe(150);
    const places = (at: Prepared): number[] => mapPoints(at.library.db, at.model.id).flatMap(({ x, y }) => [x, y]);
    expect(places(place)).toEqual(places(whole));
  });

  test("goes on where the engine ended in the middle of it", async () => {
    const own = createEngine();
    try {
      const place = prepared(40);
      let ended = false;
      await mapImages(
        { ...place, engine: own },
        place.model,
        { refit: false, seed: 1, device },
        {
          onProgress: ({ phase, done }) => {
            if (phase !== "laying out the map" || done < 100 || ended) return;
            ended = true;
            if (own.pid !== undefined) process.kill(own.pid, "SIGKILL");
          },
        },
      );
      expect(ended).toBe(true);
      expect(mapPoints(place.library.db, place.model.id)).toHaveLength(40);
    } finally {
      await own.close();
    }
  });

  test("is written as SVG or PNG, coloured by label or cluster, whole or not at all", async () => {
    const place = prepared(30);
    const { db } = place.library;
    const draw = (colour: "label" | "cluster", file: string): Promise<string> =>
      drawMap(db, place.model, { colour, file });
    const folder = temporaryFolder();
    expect(await refusalOfAsync(() => draw("label", join(folder, "map.svg")))).toContain("map-missing");
    await mapImages(place, place.model, { refit: false, seed: 1, device });
    label(place, [place.ids[0]], "oat <&> milk");
    expect(showMap(db, place.model)[0]?.label).toBe("oat <&> milk");
    const svg = await draw("label", join(folder, "map.svg"));
    expect(readFileSync(svg, "utf8")).toContain("oat &lt;&amp;&gt; milk");
    expect(await refusalOfAsync(() => draw("cluster", join(folder, "map.png")))).toContain("clusters-missing");
    await clusterImages(place, place.model, { ...options, count: 3 });
    const png = readFileSync(await draw("cluster", join(folder, "map.png")));
    expect(png.subarray(1, 4).toString()).toBe("PNG");
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1400, 1000]);
    expect(await refusalOfAsync(() => draw("label", join(folder, "map.gif")))).toContain("option-invalid");
    expect(await refusalOfAsync(() => draw("label", join(folder, "no", "map.png")))).toContain("picture-failed");
    expect(existsSync(join(folder, "no"))).toBe(false);
  });
});

test("a library of two images has a map, and no dense groups", async () => {
  const place = prepared(2);
  expect(await mapImages(place, place.model, { refit: false, seed: 1, device })).toMatchObject({ points: 2 });
  expect(await clusterImages(place, place.model, options)).toMatchObject({ clusters: 0, noise: 2 });
  expect(showClusters(place.library.db, place.model.id)).toEqual([]);
});

describe("what to label next", () => {
  test("is diverse, typical, uncertain or a mix, and never labelled already", async () => {
    const place = prepared(60);
    const { db } = place.library;
    const ask = (queue: "uncertain" | "diverse" | "typical" | "mixed", count: number): ReturnType<typeof nextToLabel> =>
      nextToLabel(place, place.model, { queue, count, device });
    const groupOf = (id: number): number => place.ids.indexOf(id) % 3;
    expect(await refusalOfAsync(() => ask("uncertain", 3))).toContain("suggestions-missing");
    expect(await refusalOfAsync(() => ask("typical", 3))).toContain("clusters-missing");
    expect(new Set((await ask("diverse", 3)).map(({ image }) => groupOf(image.id))).size).toBe(3);

    await clusterImages(place, place.model, { ...options, count: 3 });
    const medoids = new Set(showClusters(db, place.model.id).map(({ medoidImageId }) => medoidImageId));
    expect(new Set((await ask("typical", 3)).map(({ image }) => image.id))).toEqual(medoids);

    const labelId = label(
      place,
      place.ids.filter((_, i) => i % 3 === 0),
      "oat",
    );
    // Group 0 is labelled: the next are the two groups that nothing is known of.
    expect(new Set((await ask("diverse", 2)).map(({ image }) => groupOf(image.id)))).toEqual(new Set([1, 2]));
    const suggestion = (i: number, confidence: number): Parameters<typeof replaceSuggestions>[2][number] => ({
      imageId: place.ids[i] ?? 0,
      labelId,
      share: 1,
      confidence,
      confidenceLow: 0,
      confidenceHigh: 1,
      abstained: false,
      voters: [],
    });
    replaceSuggestions(db, place.model.id, [suggestion(1, 0.9), suggestion(2, 0.3), suggestion(4, 0.6)]);
    expect(
      (await ask("uncertain", 2)).map(({ image, suggested, confidence }) => [image.id, suggested, confidence]),
    ).toEqual([
      [place.ids[2], "oat", 0.3],
      [place.ids[4], "oat", 0.6],
    ]);
    const mixed = await ask("mixed", 6);
    expect(new Set(mixed.map(({ queue }) => queue))).toEqual(new Set(["uncertain", "diverse", "typical"]));
    expect(new Set(mixed.map(({ image }) => image.id)).size).toBe(6);
    expect(mixed.some(({ image }) => groupOf(image.id) === 0)).toBe(false);
  });
});
