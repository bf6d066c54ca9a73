/** Every method of the contract over the socket, against a small library that is built through them. */
import { existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { contract, type MethodName } from "../../core/rpc/contract.ts";
import { decodeGrid, decodeImages, decodeMap, imageFlags } from "../../core/rpc/columns.ts";
import {
  attentionPath,
  imagesRequest,
  mapPath,
  maskOverlayPath,
  maskPath,
  patchesPath,
  picturePath,
  queryPath,
  thumbnailPath,
} from "../../core/rpc/paths.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { drawPicture } from "../helpers/pictures.ts";
import { runJob, serveLibrary, tokenOf, type Client, type Served } from "./support.ts";

const folder = sharedFolder();
const pictures = 24;
let served: Served;
let client: Client;
let imageIds: number[];

/** The list of a query, as the page reads it. */
async function list(query: Parameters<typeof imagesRequest>[0]): Promise<ReturnType<typeof decodeImages>["columns"]> {
  const { path } = imagesRequest(query);
  const { status, body } = await served.ask(path);
  if (status !== 200) throw new Error(body.toString("utf8"));
  return decodeImages(bufferOf(body)).columns;
}

function bufferOf(body: Buffer): ArrayBuffer {
  return new Uint8Array(body).buffer;
}

beforeAll(async () => {
  served = await serveLibrary(folder, pictures);
  client = await served.connect();
  const { result } = await runJob(client, { kind: "ingest", parameters: { folder: join(folder, "photos") } });
  expect(result).toMatchObject({ added: pictures });
  await runJob(client, { kind: "embed", parameters: {} });
  imageIds = [...(await list({})).ids];
});

describe("the library", () => {
  test("overview tells what is there", async () => {
    const overview = await client.call("library.overview", {});
    expect(overview).toMatchObject({
      guest: false,
      name: "library",
      images: { total: pictures, ready: pictures },
      sources: [{ images: { total: pictures } }],
      models: [{ model: { name: "tiny" }, embedded: pictures, labelled: 0, seesPatches: true, heads: 3 }],
      annotated: 0,
      history: { undo: null, redo: null },
    });
    expect(overview.currentModelId).toBe(overview.models[0]?.model.id);
    expect(overview.savedAt).toBeGreaterThan(Date.now() - 60_000);
  });

  test("settings are kept by key, and forgotten with null", async () => {
    await client.call("settings.set", { key: "theme", value: { dark: true } });
    expect(await client.call("settings.get", {})).toMatchObject({ theme: { dark: true } });
    await client.call("settings.set", { key: "theme", value: null });
    expect(await client.call("settings.get", {})).not.toHaveProperty("theme");
    expect(await client.refusal("settings.set", { key: "Not A Key", value: 1 })).toBe("params-invalid");
    expect(await client.refusal("settings.set", { key: "big", value: "x".repeat(70_000) })).toBe("setting-too-large");
  });

  test("folders are listed inside the roots, and nowhere else", async () => {
    const [root] = await client.call("files.roots", {});
    expect(root?.path).toBe(realpathSync(folder));
    const listed = await client.call("files.list", { path: folder });
    expect(listed.parent).toBeNull();
    expect(listed.folders.map(({ name }) => name)).toEqual(["library", "page", "photos"]);
    const photos = await client.call("files.list", { path: join(folder, "photos") });
    expect(photos).toMatchObject({ parent: realpathSync(folder), folders: [], pictures });
    mkdirSync(join(folder, "links"));
    symlinkSync("/etc", join(folder, "links", "etc"));
    symlinkSync("/etc/passwd", join(folder, "links", "passwd.csv"));
    expect(await client.call("files.list", { path: join(folder, "links") })).toMatchObject({ folders: [], files: [] });
    const outside = [
      "/etc",
      "/",
      `${folder}/../..`,
      join(folder, "links", "etc"),
      `${folder}x`,
      "photos",
      "",
      "\0",
      `${folder}\0/etc`,
      "../..",
      "~",
      "C:\\Windows",
    ];
    for (const path of outside) {
      expect(await client.refusal("files.list", { path }), path).toMatch(/^(path-outside|params-invalid)$/);
    }
    expect(await client.refusal("files.list", { path: join(folder, "none") })).toBe("path-missing");
    expect(await client.refusal("files.list", { path: join(folder, "photos", "000.jpg") })).toBe("folder-unreadable");
  });

  test("a source that nobody worked on is taken out; another can be moved", async () => {
    const extra = join(folder, "extra");
    for (let i = 0; i < 3; i++) await drawPicture(join(extra, `${i}.png`), { seed: 900 + i });
    await runJob(client, { kind: "ingest", parameters: { folder: extra, labelsFromFolders: false } });
    const source = (await client.call("library.overview", {})).sources.at(-1)?.source;
    const moved = join(folder, "moved");
    mkdirSync(moved);
    expect(await client.call("sources.move", { sourceId: source?.id ?? 0, folder: moved })).toMatchObject({
      folder: realpathSync(moved),
    });
    expect(await client.call("sources.remove", { sourceId: source?.id ?? 0 })).toEqual({ images: 3 });
    expect(await client.refusal("sources.remove", { sourceId: source?.id ?? 0 })).toBe("source-unknown");
    expect((await client.call("library.overview", {})).images.total).toBe(pictures);
  });

  test("the device is told, and tested", async () => {
    expect((await client.call("device.get", {})).device).toMatch(/^(cpu|cuda|webgpu|coreml|directml)$/);
    expect((await client.call("library.overview", {})).device).not.toBeNull();
  });
});

describe("images", () => {
  test("are listed in columns, by name", async () => {
    const columns = await list({});
    expect(columns.ids).toHaveLength(pictures);
    const records = await client.call("images.records", { ids: [...columns.ids] });
    expect(records.map(({ path }) => path)).toEqual(records.map(({ path }) => path).sort());
    records.forEach((image, i) => {
      expect(columns.aspects[i]).toBeCloseTo((image.width ?? 0) / (image.height ?? 1));
      expect(columns.versions[i]).toBe(Number.parseInt(image.contentHash?.slice(0, 8) ?? "", 16));
      expect((columns.flags[i] ?? 0) & imageFlags.embedded).not.toBe(0);
    });
    expect(await client.call("images.count", { filter: { text: "00" } })).toBe(10);
  });

  test("are told in detail, with their neighbours", async () => {
    const [first = 0] = imageIds;
    const detail = await client.call("images.detail", { imageId: first });
    expect(detail).toMatchObject({
      image: { id: first, path: "000.jpg" },
      file: join(folder, "photos", "000.jpg"),
      annotation: null,
      mask: null,
      embeddings: [{ model: "tiny" }],
    });
    const hits = await client.call("images.neighbours", { imageId: first, count: 5 });
    expect(hits).toHaveLength(5);
    expect(hits.map(({ image }) => image.id)).not.toContain(first);
    // The terminal's search goes through the engine, in float64.
    const similarity = (await list({ sort: { by: "similarity", to: { imageIds: [first] } } })).scores;
    expect(similarity[0]).toBeCloseTo(1, 5);
    hits.forEach((hit, i) => expect(hit.similarity).toBeCloseTo(similarity[i + 1] ?? NaN, 5));
    expect(await client.refusal("images.detail", { imageId: 99_999 })).toBe("image-unknown");
  });

  test("have thumbnails and pictures that the browser keeps", async () => {
    const { ids, versions } = await list({});
    const [id = 0, version = 0] = [ids[0], versions[0]];
    const thumbnail = await served.ask(thumbnailPath(id, version));
    expect(thumbnail).toMatchObject({ status: 200, headers: { "content-type": "image/webp" } });
    expect(thumbnail.headers["cache-control"]).toContain("immutable");
    expect(thumbnail.body.subarray(8, 12).toString()).toBe("WEBP");
    const again = await served.ask(thumbnailPath(id, 0), {
      headers: { "if-none-match": thumbnail.headers.etag ?? "" },
    });
    expect(again).toMatchObject({ status: 304, body: Buffer.alloc(0) });
    expect(again.headers["cache-control"]).not.toContain("immutable");
    const picture = await served.ask(picturePath(id, version));
    expect(picture.headers["content-type"]).toBe("image/jpeg");
    expect(picture.body).toEqual(readFileSync(join(folder, "photos", "000.jpg")));
    expect((await served.ask(picturePath(id, version), { method: "HEAD" })).body).toHaveLength(0);
    for (const path of [thumbnailPath(99_999, 0), picturePath(99_999, 0), maskPath(id), "/thumbnails/0x1", "/map/-1"]) {
      expect((await served.ask(path)).status, path).toBe(404);
    }
  });

  test("in a format that browsers do not show come as JPEG", async () => {
    await drawPicture(join(folder, "photos", "scan.tiff"), { seed: 77, width: 50, height: 40 });
    await runJob(client, { kind: "ingest", parameters: { folder: join(folder, "photos") } });
    const [id = 0] = (await list({ filter: { text: "scan.tiff" } })).ids;
    const picture = await served.ask(picturePath(id, 0));
    expect(picture.headers["content-type"]).toBe("image/jpeg");
    expect(picture.body.subarray(0, 3)).toEqual(Buffer.from([0xff, 0xd8, 0xff]));
    await runJob(client, { kind: "embed", parameters: {} });
    imageIds = [...(await list({})).ids];
  });

  test("are found by a picture that is dropped", async () => {
    const { currentModelId } = await client.call("library.overview", {});
    const picture = readFileSync(join(folder, "photos", "003.jpg"));
    const headers = { origin: served.server.origin };
    const path = queryPath(currentModelId ?? 0);
    const { status, body } = await served.ask(path, { method: "POST", headers, body: picture });
    expect(status).toBe(200);
    const { queryId } = JSON.parse(body.toString("utf8")) as { queryId: string };
    const columns = await list({ sort: { by: "similarity", to: { queryId } } });
    expect(columns.ids[0]).toBe(imageIds[3]);
    expect(columns.scores[0]).toBeCloseTo(1, 4);
    const broken = await served.ask(path, { method: "POST", headers, body: "no picture" });
    expect(broken.status).toBe(422);
    expect(broken.body.toString("utf8")).toContain("picture-");
    const forgotten = await served.ask(imagesRequest({ sort: { by: "similarity", to: { queryId: "x" } } }).path);
    expect(forgotten.status).toBe(404);
  });
});

describe("labels", () => {
  test("are made, renamed, moved, merged and deleted, and history goes back to any of it", async () => {
    const { labels } = await client.call("labels.create", {
      paths: [["Drinks", "Oat"], ["Drinks", "Milk"], ["Jam"], ["Spare"]],
    });
    const [oat, milk, jam, spare] = labels.map(({ id }) => id);
    const before = (await client.call("history.list", {})).undo?.id ?? 0;
    await client.call("labels.rename", { labelId: jam ?? 0, name: "Jams" });
    await client.call("labels.move", { labelId: spare ?? 0, parentId: null, index: 0 });
    await client.call("labels.assign", { target: { ids: imageIds.slice(0, 2) }, label: { labelId: spare ?? 0 } });
    expect(await client.refusal("labels.delete", { labelId: spare })).toBe("label-in-use");
    await client.call("labels.merge", { labelId: spare ?? 0, into: jam ?? 0 });
    await client.call("labels.delete", { labelId: milk ?? 0 });
    await client.call("labels.setKey", { labelId: oat ?? 0, key: "1" });
    await client.call("labels.setKey", { labelId: jam ?? 0, key: "1" });
    const { tree, keys } = await client.call("labels.list", {});
    expect(tree.map(({ label, imageCount }) => [label.name, imageCount])).toEqual([
      ["Drinks", 0],
      ["Jams", 2],
    ]);
    expect(keys).toEqual([{ labelId: jam, key: "1" }]);
    const steps = await client.call("history.goTo", { operationId: before });
    expect(steps.map(({ kind }) => kind)).toEqual([
      "delete-label",
      "delete-label",
      "assign-labels",
      "move-label",
      "rename-label",
    ]);
    expect((await client.call("labels.list", {})).tree.map(({ label }) => label.name)).toEqual([
      "Drinks",
      "Jam",
      "Spare",
    ]);
    expect((await client.call("history.redo", {}))?.kind).toBe("rename-label");
    expect((await client.call("history.undo", {}))?.kind).toBe("rename-label");
    const { operations, undo, redo } = await client.call("history.list", { limit: 10 });
    expect({ undo: undo?.id, redo: redo?.kind }).toEqual({ undo: before, redo: "rename-label" });
    expect(operations).toHaveLength(6);
  });

  test("go on images by id or by filter, as one operation, and every page hears of it", async () => {
    const other = await served.connect();
    const { operation, images } = await client.call("labels.assign", {
      target: { filter: { text: "00" }, except: imageIds.slice(9, 10) },
      label: { path: ["Drinks", "Oat"] },
    });
    expect({ images, changes: operation?.changeCount }).toEqual({ images: 9, changes: 9 });
    expect(operation?.summary).toBe("Labelled 9 images as Oat");
    const changed = await other.event("changed", ({ kinds }) => kinds.includes("annotations"));
    expect(changed.imageIds).toEqual(imageIds.slice(0, 9));
    expect(await other.event("history", ({ undo }) => undo?.id === operation?.id)).toMatchObject({ redo: null });
    const labelled = await list({ filter: { labelled: true } });
    expect([...labelled.ids]).toEqual(imageIds.slice(0, 9));
    await client.call("labels.assign", { target: { ids: imageIds.slice(10, 16) }, label: { path: ["Jam"] } });
    const removed = await client.call("labels.remove", { target: { ids: imageIds.slice(0, 1) } });
    expect(removed.operation?.changeCount).toBe(1);
    const absent = { target: { ids: [99_999] }, label: { labelId: labelled.labelIds[0] } };
    expect(await client.refusal("labels.assign", absent)).toBe("image-unknown");
    expect(await client.refusal("labels.assign", { ...absent, label: { labelId: 999 } })).toBe("label-unknown");
  });

  test("are suggested, accepted down to a confidence, and rejected", async () => {
    await runJob(client, { kind: "suggest", parameters: { neighbours: 3, threshold: 0 } });
    const counts = await client.call("suggestions.counts", {});
    const total = counts.reduce((sum, { offered, abstained }) => sum + offered + abstained, 0);
    expect(total).toBe(imageIds.length - 14);
    const shown = await client.call("suggestions.list", { limit: 100 });
    expect(shown).toHaveLength(total);
    expect(shown[0]?.voters).toHaveLength(3);
    expect(await client.call("images.count", { filter: { suggestion: "offered" } })).toBe(total);
    const steps = await client.call("suggestions.precision", {});
    expect(steps.at(-1)?.count).toBe(total);
    for (const { expected, low, high } of steps) {
      expect(low).toBeLessThanOrEqual(expected);
      expect(expected).toBeLessThanOrEqual(high);
    }
    const [first, last] = [shown[0], shown.at(-1)];
    const rejected = await client.call("suggestions.reject", { imageIds: [last?.imageId ?? 0] });
    expect(rejected?.kind).toBe("reject-suggestions");
    expect(await client.call("suggestions.list", { limit: 100 })).toHaveLength(total - 1);
    const atLeast = shown.filter(({ confidence }) => confidence >= (first?.confidence ?? 1)).length;
    const accepted = await client.call("suggestions.accept", { which: { minimumConfidence: first?.confidence ?? 1 } });
    const left = accepted.images - (last?.confidence === first?.confidence ? -1 : 0);
    expect(left).toBe(atLeast);
    expect((await client.call("images.detail", { imageId: first?.imageId ?? 0 })).annotation).toMatchObject({
      provenance: "neighbours",
      label: first?.label,
      operation: { kind: "accept-suggestions" },
    });
    await client.call("history.undo", {});
    await client.call("history.undo", {});
    expect(await client.call("suggestions.list", { limit: 100 })).toHaveLength(total);
  });

  test("a source with labels stays: history speaks of it", async () => {
    const source = (await client.call("library.overview", {})).sources[0]?.source;
    expect(await client.refusal("sources.remove", { sourceId: source?.id })).toBe("source-in-use");
  });

  test("what to label next comes in queues", async () => {
    const queue = await client.call("queue.next", { queue: "uncertain", count: 5 });
    expect(queue).toHaveLength(5);
    expect(queue[0]?.queue).toBe("uncertain");
  });
});

describe("groups and the map", () => {
  test("clusters have a wall, are split, merged, and labelled but for the odd ones", async () => {
    expect(await client.call("clusters.list", {})).toEqual({ clustering: null, clusters: [], noise: 0 });
    await runJob(client, { kind: "cluster", parameters: { count: 3 } });
    const wall = await client.call("clusters.list", { typical: 4 });
    expect(wall.clusters).toHaveLength(3);
    expect(wall.clusters.reduce((sum, { size }) => sum + size, 0)).toBe(imageIds.length);
    const [largest] = wall.clusters;
    expect(largest?.typical[0]).toBe(largest?.medoidImageId);
    const clusterId = largest?.id ?? 0;
    const inList = await list({ filter: { clusterId }, sort: { by: "cluster" } });
    expect(inList.ids).toHaveLength(largest?.size ?? 0);
    expect(inList.ids[0]).toBe(largest?.medoidImageId);
    const { typical } = await client.call("clusters.get", { clusterId, count: 1000 });
    expect(typical.map(({ imageId }) => imageId)).toEqual([...inList.ids]);
    const odd = typical.at(-1)?.imageId ?? 0;
    const label = { path: ["Odd"] };
    const labelled = await client.call("clusters.label", { clusterId, label, overwrite: true, except: [odd] });
    expect(labelled).toMatchObject({ labelled: typical.length - 1, kept: 0, operation: { kind: "label-cluster" } });
    await client.call("history.undo", {});
    const split = await client.call("clusters.split", { clusterId });
    expect(split).toMatchObject({ operation: { kind: "split-cluster", state: "done" } });
    expect(split.clusterIds).toHaveLength(2);
    const { clusterIds } = await client.call("clusters.merge", { clusterIds: [...split.clusterIds] });
    const [merged = 0] = clusterIds;
    expect((await client.call("clusters.get", { clusterId: merged, count: 1 })).cluster.size).toBe(largest?.size);
    const { clusterIds: divided } = await client.call("clusters.divide", { clusterId: merged, groups: [[odd]] });
    const sizes = await Promise.all(
      divided.map(async (id) => (await client.call("clusters.get", { clusterId: id, count: 1 })).cluster.size),
    );
    expect(sizes.toSorted((a, b) => a - b)).toEqual([1, typical.length - 1]);
    const strangers = { clusterId: divided[0], groups: [[99_999]] };
    expect(await client.refusal("clusters.divide", strangers)).toBe("option-invalid");
    // Three steps back there is the first cluster again, under its own number, and the page hears of it.
    for (let step = 0; step < 3; step++) await client.call("history.undo", {});
    expect((await client.call("clusters.get", { clusterId, count: 1000 })).typical).toEqual(typical);
    expect(client.events.filter(({ event }) => event === "changed").at(-1)).toMatchObject({
      data: { kinds: expect.arrayContaining(["clusters", "history"]) as unknown },
    });
  });

  test("the map comes as columns", async () => {
    expect(await client.call("map.get", {})).toBeNull();
    await runJob(client, { kind: "map", parameters: {} });
    expect(await client.call("map.get", {})).toMatchObject({ points: imageIds.length });
    const { currentModelId } = await client.call("library.overview", {});
    const { body } = await served.ask(mapPath(currentModelId ?? 0));
    const { columns } = decodeMap(bufferOf(body));
    expect(new Set(columns.ids)).toEqual(new Set(imageIds));
    expect([...columns.x, ...columns.y].every(Number.isFinite)).toBe(true);
  });
});

describe("masks", () => {
  test("are tried, kept by hand, shown and removed", async () => {
    const [imageId = 0] = imageIds;
    expect(await client.call("masks.get", { imageId })).toBeNull();
    const recipe = { method: "tokencut", size: 64 } as const;
    const preview = await client.call("masks.preview", { imageId, recipe });
    expect(preview).toMatchObject({ width: 64, height: 48, score: { rows: 3, columns: 5 } });
    expect(preview.runs.reduce((sum, run) => sum + run, 0)).toBe(64 * 48);
    expect(await client.call("masks.get", { imageId })).toBeNull();
    const usual = await client.call("masks.preview", { imageId, recipe: { method: "tokencut" } });
    expect(usual.score).toMatchObject({ rows: 24, columns: 32 });
    const foreground = { imageId, recipe: { method: "foreground", size: 64 } };
    expect(await client.refusal("masks.preview", foreground)).toBe("head-missing");
    // The left half.
    const runs = [0, 32 * 48, 32 * 48];
    const saved = await client.call("masks.save", { imageId, width: 64, height: 48, runs });
    expect(saved?.kind).toBe("correct-mask");
    expect(await client.call("masks.get", { imageId })).toMatchObject({ edited: true, runs });
    const png = await served.ask(maskPath(imageId));
    expect(png.headers["content-type"]).toBe("image/png");
    expect((await served.ask(maskOverlayPath(imageId))).status).toBe(200);
    expect([...(await list({ filter: { mask: "edited" } })).ids]).toEqual([imageId]);
    const wrong = [{ runs: [1, 2] }, { width: 60 }, { runs: [2 ** 32, 64 * 48] }, { runs: [-1] }];
    for (const part of wrong) {
      const params = { imageId, width: 64, height: 48, runs, ...part };
      expect(await client.refusal("masks.save", params)).toMatch(/^(mask-invalid|mask-size|params-invalid)$/);
    }
    const kept = await client.call("masks.keep", { imageId, recipe });
    expect(kept?.kind).toBe("keep-mask");
    expect(await client.call("masks.get", { imageId })).toMatchObject({ edited: false, runs: preview.runs });
    await client.call("masks.remove", { target: { ids: [imageId] } });
    expect(await client.call("masks.get", { imageId })).toBeNull();
    expect((await served.ask(maskPath(imageId))).status).toBe(404);
    const { result } = await runJob(client, {
      kind: "masks",
      parameters: { recipe: { method: "attention", size: 64 } },
    });
    expect(result).toMatchObject({ made: imageIds.length });
  });

  test("attention and patches come as grids", async () => {
    const [imageId = 0] = imageIds;
    const modelId = (await client.call("library.overview", {})).currentModelId ?? 0;
    const whole = decodeGrid(bufferOf((await served.ask(attentionPath(imageId, { modelId, size: 64 }))).body));
    expect(whole).toMatchObject({ rows: 3, columns: 5, depth: 3, whole: true });
    const crop = decodeGrid(bufferOf((await served.ask(attentionPath(imageId, { modelId, size: 0 }))).body));
    expect(crop).toMatchObject({ rows: 2, columns: 2, depth: 3, whole: false });
    const patches = decodeGrid(bufferOf((await served.ask(patchesPath(imageId, { modelId, size: 64 }))).body));
    expect(patches).toMatchObject({ rows: 3, columns: 5, depth: 24, whole: true });
    expect(Math.hypot(...patches.values.subarray(0, 24))).toBeCloseTo(1, 5);
    expect((await served.ask(patchesPath(imageId, { modelId: 99, size: 64 }))).status).toBe(404);
    expect((await served.ask(`/patches/${imageId}?model=${modelId}&size=-1`)).status).toBe(400);
  });
});

describe("checks", () => {
  test("find, and what is found can be acted on", async () => {
    writeFileSync(join(folder, "photos", "copy.jpg"), readFileSync(join(folder, "photos", "000.jpg")));
    await runJob(client, { kind: "ingest", parameters: { folder: join(folder, "photos") } });
    await runJob(client, { kind: "embed", parameters: {} });
    await runJob(client, { kind: "check", parameters: {} });
    const counts = await client.call("checks.counts", {});
    expect(counts.map(({ kind }) => kind)).toEqual(["wrong-labels", "twins", "duplicates", "outliers"]);
    const groups = await client.call("checks.list", { kind: "duplicates" });
    const copies = groups.find(({ images }) => images.some(({ path }) => path === "copy.jpg"));
    expect(copies?.images.map(({ path }) => path)).toContain("000.jpg");
    const [best, ...others] = copies?.images.map((image) => image.imageId) ?? [];
    await client.call("labels.assign", { target: { ids: [best ?? 0] }, label: { path: ["Copied"] } });
    const unified = await client.call("checks.unifyDuplicates", { imageId: best ?? 0 });
    expect(unified?.changeCount).toBe(others.length);
    expect(await client.call("checks.rareLabels", { minimum: 5 })).toContainEqual(
      expect.objectContaining({ label: expect.objectContaining({ name: "Copied" }) as unknown }),
    );
    await client.call("checks.acceptWrongLabels", { count: 1 });
    const dismissed = await client.call("checks.dismiss", { kind: "duplicates", which: { imageId: best ?? 0 } });
    expect(dismissed?.kind).toBe("dismiss-findings");
    const labels = await list({ filter: { labelled: true } });
    const differing = [...labels.labelIds].findIndex((id) => id !== labels.labelIds[0]);
    const swapped = await client.call("checks.swapLabels", {
      first: labels.ids[0] ?? 0,
      second: labels.ids[differing] ?? 0,
    });
    expect(swapped?.changeCount).toBe(2);
  });
});

describe("models", () => {
  test("are made, renamed, chosen, exported, imported, measured and deleted", async () => {
    const made = await client.call("models.create", { name: "plain", patch: 16, size: 32 });
    expect(made).toMatchObject({ name: "plain", trained: false });
    await client.call("models.rename", { modelId: made.id, name: "renamed" });
    await client.call("models.choose", { modelId: made.id });
    expect((await client.call("library.overview", {})).currentModelId).toBe(made.id);
    await client.call("models.choose", { modelId: null });
    const rows = await client.call("models.list", {});
    expect(rows.map(({ model }) => model.name)).toEqual(["tiny", "renamed"]);
    const tiny = rows[0]?.model.id ?? 0;
    const files = await client.call("models.export", { modelId: tiny, format: "timm", path: join(folder, "exported") });
    expect(files.length).toBeGreaterThan(0);
    // Over nothing that is there, and through no link: not out of the roots, nor to what is not there yet.
    symlinkSync("/tmp/dinoscope-not-there", join(folder, "link"));
    for (const format of ["timm", "huggingface", "onnx"] as const) {
      for (const name of ["exported", "link", "photos"]) {
        const refused = await client.refusal("models.export", { modelId: tiny, format, path: join(folder, name) });
        expect(refused, `${format} ${name}`).toBe("export-exists");
      }
    }
    expect(existsSync("/tmp/dinoscope-not-there")).toBe(false);
    const imported = await client.call("models.import", { path: files[0] ?? "", name: "again", heads: 3 });
    expect(imported.name).toBe("again");
    expect(await client.refusal("models.import", { path: "/etc/passwd" })).toBe("path-outside");
    const path = join(folder, "library", imported.file);
    expect(existsSync(path)).toBe(true);
    await client.call("models.delete", { modelId: imported.id });
    expect(existsSync(path)).toBe(false);
    await client.call("models.choose", { modelId: tiny });
    const measured = await client.call("models.evaluate", { neighbours: 3 });
    expect(measured.protocol).toBe("leave-one-out");
    expect((await client.call("models.published", {})).map(({ name }) => name)).toContain("dino-vits16");
  });
});

const starter = join(import.meta.dirname, "../../assets/models/starter/starter.safetensors");

test.skipIf(!existsSync(starter))("the starter model is copied once (needs its weights in assets/)", async () => {
  const { currentModelId } = await client.call("library.overview", {});
  const model = await client.call("models.starter", {});
  expect(model.trained).toBe(true);
  expect(await client.call("models.starter", {})).toEqual(model);
  await client.call("models.delete", { modelId: model.id });
  await client.call("models.choose", { modelId: currentModelId });
});

describe("exports and imports", () => {
  test("formats are told, an export is seen before it is made, and comes back in", async () => {
    await client.call("labels.assign", { target: { ids: imageIds.slice(0, 12) }, label: { path: ["Sold"] } });
    const formats = await client.call("exports.formats", {});
    expect(formats.find(({ name }) => name === "csv")).toMatchObject({ needs: { label: false, mask: false } });
    const choice = { format: "csv" as const, split: [0.5, 0.25, 0.25] as [number, number, number] };
    const preview = await client.call("exports.preview", choice);
    const labelled = (await list({ filter: { labelled: true } })).ids.length;
    expect(preview.images).toBe(labelled);
    expect(preview.labels.reduce((sum, { images }) => sum + images, 0)).toBe(labelled);
    expect(preview.parts.reduce((sum, { images }) => sum + images, 0)).toBe(labelled);
    const target = join(folder, "csv");
    const { result } = await runJob(client, { kind: "export", parameters: { ...choice, folder: target } });
    expect(result).toMatchObject({ images: labelled, format: "csv" });
    expect(existsSync(join(target, "labels.csv"))).toBe(true);
    expect((await client.call("imports.formats", {})).map(({ name }) => name)).toContain("coco");
    await client.call("labels.remove", { target: { filter: { labelled: true } } });
    const { result: back } = await runJob(client, { kind: "import", parameters: { format: "csv", path: target } });
    expect(back).toMatchObject({ labelled });
  });

  test("go only where the roots allow, and never into the pictures", async () => {
    for (const folderOutside of ["/etc/dinoscope", "/dinoscope", `${folder}/../dinoscope-outside`]) {
      const parameters = { format: "csv", folder: folderOutside } as const;
      await expect(runJob(client, { kind: "export", parameters })).rejects.toThrow("path-outside");
    }
    const inside = { format: "csv", folder: join(folder, "photos", "export") } as const;
    await expect(runJob(client, { kind: "export", parameters: inside })).rejects.toThrow("export-inside");
    const secret = { format: "csv", path: "/etc/passwd" };
    await expect(runJob(client, { kind: "import", parameters: secret })).rejects.toThrow("path-outside");
    await expect(runJob(client, { kind: "ingest", parameters: { folder: "/etc" } })).rejects.toThrow("path-outside");
  });
});

describe("guests", () => {
  test("see everything and change nothing", async () => {
    const guest = await served.connect(tokenOf(served.server.guestUrl));
    expect((await guest.event("hello", () => true)).guest).toBe(true);
    expect(await guest.call("library.overview", {})).toMatchObject({ guest: true });
    const changes = (Object.keys(contract) as MethodName[]).filter((name) => contract[name].access === "change");
    expect(changes.length).toBeGreaterThan(30);
    for (const method of changes) expect(await guest.refusal(method, {}), method).toBe("guest-refused");
    const looks = (Object.keys(contract) as MethodName[]).filter((name) => contract[name].access === "look");
    // Names that say "this changes something" or "this shows the disk" are not open to guests.
    expect(
      looks.filter((name) => /^files\.|\.(set|create|delete|remove|start|stop|save|assign)([A-Z]|$)/.test(name)),
    ).toEqual([]);
    const headers = { cookie: served.cookie(tokenOf(served.server.guestUrl)), origin: served.server.origin };
    const posted = await served.ask("/queries?model=1", { method: "POST", headers, body: "x" });
    expect(posted.status).toBe(403);
    expect((await served.ask("/images", { headers })).status).toBe(200);
  });

  test("are shown the names of folders and files, and not where they lie", async () => {
    const guest = await served.connect(tokenOf(served.server.guestUrl));
    const told = guest.event("job", ({ job }) => job.kind === "ingest" && job.state === "failed");
    const missing = join(folder, "nothing-here");
    await expect(runJob(client, { kind: "ingest", parameters: { folder: missing } })).rejects.toThrow(missing);
    const [seen, overview, jobs] = [
      await told,
      await guest.call("library.overview", {}),
      await guest.call("jobs.list", { limit: 50 }),
    ];
    expect(seen.job.parameters).toMatchObject({ folder: "nothing-here" });
    expect(overview).toMatchObject({ folder: "library", name: "library" });
    expect(overview.sources.map(({ source }) => source.folder)).toContain("photos");
    const details = await guest.call("images.detail", { imageId: imageIds[0] ?? 0 });
    expect(details.file).toBe(basename(details.image.path));
    const texts = [seen, overview, jobs, details, await guest.call("history.list", {}), guest.events];
    expect(texts.map((part) => JSON.stringify(part)).join("")).not.toContain(folder);
    expect((await client.call("library.overview", {})).folder).toBe(join(folder, "library"));
  });
});
