/**
 * What the core answers over its own server with 100,000 images: lists by filter and order, thumbnails, labelling 5,000 at
 * once and taking it back, and what it does for each. `node bench/server.ts [IMAGES]`
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { openService } from "../core/app.ts";
import { replaceClustering } from "../core/library/clusters.ts";
import { insertEmbeddings } from "../core/library/embeddings.ts";
import { upsertImages } from "../core/library/image-changes.ts";
import { createLabels } from "../core/library/label-changes.ts";
import { replaceMap } from "../core/library/maps.ts";
import { insertModel } from "../core/library/models.ts";
import { openLibrary } from "../core/library/open.ts";
import { ensureSource } from "../core/library/sources.ts";
import { replaceSuggestions } from "../core/library/suggestions.ts";
import { putThumbnails } from "../core/library/thumbnails.ts";
import { decodeImages } from "../core/rpc/columns.ts";
import { imagesRequest, mapPath, socketPath, thumbnailPath } from "../core/rpc/paths.ts";
import type { ImageQuery } from "../core/rpc/schemas.ts";
import { startServer } from "../core/server/http.ts";
import { createRandom } from "../core/util/random.ts";

const imageCount = Number(process.argv[2] ?? 100_000);
const width = 384;
const rounds = 5;
const folder = mkdtempSync(join(tmpdir(), "dinoscope-server-"));
const hashOf = (at: number): string => (at + 1).toString(16).padStart(8, "0").padEnd(64, "0");

makeLibrary();
const service = openService({ folder, holder: "bench", roots: [folder] });
const server = await startServer(service);
const token = new URL(server.startUrl).searchParams.get("token") ?? "";
const headers = { authorization: `Bearer ${token}` };
const socket = new WebSocket(`ws://127.0.0.1:${server.port}${socketPath}`, {
  headers: { ...headers, origin: server.origin },
});
await new Promise((resolve) => socket.once("open", resolve));

console.log(
  `${imageCount.toLocaleString("en")} images; ${rounds} times each, in ms; work is the processor's time in core and client together`,
);
await measure("overview", () => call("library.overview", {}));
const queries: readonly [string, ImageQuery][] = [
  ["list, by name", {}],
  ["list, by date", { sort: { by: "date", descending: true } }],
  ["list, without a label, least certain first", { filter: { labelled: false }, sort: { by: "uncertainty" } }],
  ["list, by cluster", { sort: { by: "cluster" } }],
  ["list, a text in the path", { filter: { text: "77" } }],
  ["list, most similar to one image", { sort: { by: "similarity", to: { imageIds: [17] } } }],
];
for (const [name, query] of queries) await measure(name, () => list(query));
await measure("neighbours of an image", () => call("images.neighbours", { imageId: 17 }));
await measure("detail of an image", () => call("images.detail", { imageId: 17 }));
await measure("map", () => bytes(mapPath(1)));
await measure("precision of suggestions", () => call("suggestions.precision", {}));
const few = Array.from({ length: 5000 }, (_, i) => 2 * i + 1);
const labels = Array.from({ length: rounds + 1 }, (_, i) => i + 1);
await measure("label 5,000", () => {
  const labelId = labels.pop() ?? 1;
  return call("labels.assign", { target: { ids: few }, label: { labelId } });
});
await measure("undo 5,000", () => call("history.undo", {}));
await measure("label one, and the list after it", async () => {
  await call("labels.assign", { target: { ids: [17] }, label: { labelId: 1 + (Date.now() % 6) } });
  await list({ filter: { labelled: false }, sort: { by: "uncertainty" } });
});
await measure("1,000 thumbnails, 8 at a time", async () => {
  const random = createRandom(3);
  const ids = Array.from({ length: 1000 }, () => 1 + random.integer(imageCount));
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let id = ids.pop(); id !== undefined; id = ids.pop()) await bytes(thumbnailPath(id, id));
    }),
  );
});
const { rss, heapUsed } = process.memoryUsage();
console.log(`memory: ${(rss / 2 ** 20).toFixed(0)} MB, of which the heap ${(heapUsed / 2 ** 20).toFixed(0)} MB`);
socket.close();
await server.close();
await service.close();
rmSync(folder, { recursive: true });

async function measure(name: string, work: () => Promise<unknown>, times = rounds): Promise<void> {
  const [took, busy]: [number[], number[]] = [[], []];
  for (let i = 0; i < times; i++) {
    const [started, cpu] = [performance.now(), process.cpuUsage()];
    await work();
    took.push(performance.now() - started);
    const { user, system } = process.cpuUsage(cpu);
    busy.push((user + system) / 1000);
  }
  const [first = 0, ...later] = took.map((ms) => ms.toFixed(0).padStart(5));
  console.log(
    `  ${name.padEnd(44)} first ${first}, then ${later.join("")}; at least ${Math.min(...busy).toFixed(0)} ms of work`,
  );
}

async function bytes(path: string): Promise<ArrayBuffer> {
  const response = await fetch(`${server.origin}${path}`, { headers });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return response.arrayBuffer();
}

async function list(query: ImageQuery): Promise<number> {
  return decodeImages(await bytes(imagesRequest(query).path)).columns.ids.length;
}

function call(method: string, params: unknown): Promise<unknown> {
  const id = Math.floor(Math.random() * 2 ** 40);
  return new Promise((resolve, reject) => {
    const listen = (data: Buffer): void => {
      const message = JSON.parse(data.toString("utf8")) as { id?: number; error?: { message: string } };
      if (message.id !== id) return;
      socket.off("message", listen);
      if (message.error === undefined) resolve(message);
      else reject(new Error(message.error.message));
    };
    socket.on("message", listen);
    socket.send(JSON.stringify({ id, method, params }));
  });
}

/** A library with everything that lists look at, written straight into its tables. */
function makeLibrary(): void {
  const library = openLibrary(folder, { mode: "write", holder: "bench" });
  const { db } = library;
  const random = createRandom(1);
  const source = ensureSource(db, "/synthetic");
  const all = Array.from({ length: imageCount }, (_, at) => at);
  const ids = upsertImages(
    db,
    all.map((at) => ({
      sourceId: source.id,
      path: `shelf-${String(random.integer(1000)).padStart(4, "0")}/photo-${at}.jpg`,
      byteSize: 1,
      modifiedAt: random.integer(2 ** 31),
      contentHash: hashOf(at),
      format: "jpeg",
      width: 640,
      height: 480,
      perceptualHash: "0000000000000000",
      problem: null,
    })),
  );
  const webp = Uint8Array.from({ length: 8000 }, () => random.integer(256));
  putThumbnails(
    library.thumbnails,
    all.map((at) => ({ contentHash: hashOf(at), webp })),
  );
  const model = insertModel(db, {
    name: "model",
    kind: "vit",
    file: "models/model.safetensors",
    hash: hashOf(1),
    architecture: null,
    imageSize: 224,
    width,
    trained: true,
    foreground: null,
    provenance: { source: "random", format: "random", sourceHash: null, notes: {} },
    createdAt: 1,
  });
  for (let start = 0; start < imageCount; start += 1000) {
    const some = ids.slice(start, start + 1000);
    insertEmbeddings(
      db,
      model.id,
      some.map((imageId) => ({ imageId, vector: direction() })),
    );
  }
  const { result: labels } = createLabels(
    db,
    all.slice(0, 200).map((at) => [`label ${at}`]),
  );
  const members = (at: number) => ids.filter((id) => id % 300 === at);
  const suggested = ids.map((imageId) => {
    const confidence = random.integer(1001) / 1000;
    const label = labels[random.integer(labels.length)]?.id ?? 1;
    const voters = Array.from({ length: 20 }, (_, i) => ({ imageId: ids[i] ?? 1, labelId: label, similarity: 0.5 }));
    const limits = { confidenceLow: confidence / 2, confidenceHigh: (1 + confidence) / 2 };
    return { imageId, labelId: label, share: 1, confidence, ...limits, abstained: confidence < 0.5, voters };
  });
  replaceSuggestions(db, model.id, suggested);
  replaceClustering(
    db,
    { modelId: model.id, method: "k-means", settings: {}, createdAt: 1 },
    all.slice(0, 300).map((at) => ({
      centre: direction(),
      members: members(at).map((imageId) => ({ imageId, similarity: random.integer(1000) / 1000, margin: 0 })),
    })),
  );
  replaceMap(
    db,
    { modelId: model.id, settings: {}, createdAt: 1 },
    ids.map((imageId) => ({ imageId, x: random.integer(1000), y: random.integer(1000), placed: false })),
  );
  library.close();

  function direction(): Float32Array {
    const vector = Float32Array.from({ length: width }, () => random.integer(2001) - 1000);
    const length = Math.hypot(...vector);
    return vector.map((value) => value / length);
  }
}
