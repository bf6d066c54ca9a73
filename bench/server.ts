/**
 * What the core answers over its own server with 100,000 images: lists by filter and order, thumbnails, labelling 5,000 at
 * once and taking it back, and what it does for each. `node bench/server.ts [IMAGES]`
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { openService } from "../core/app.ts";
import { decodeImages } from "../core/rpc/columns.ts";
import { imagesRequest, mapPath, socketPath, thumbnailPath } from "../core/rpc/paths.ts";
import type { ImageQuery } from "../core/rpc/schemas.ts";
import { startServer } from "../core/server/http.ts";
import { createRandom } from "../core/util/random.ts";
import { makeLargeLibrary } from "./large-library.ts";

const imageCount = Number(process.argv[2] ?? 100_000);
const rounds = 5;
const folder = mkdtempSync(join(tmpdir(), "dinoscope-server-"));

await makeLargeLibrary(folder, { images: imageCount });
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
