import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { downloadModel } from "../../core/jobs/download-model.ts";
import { publishedBaseUrl, publishedModels } from "../../core/jobs/published-models.ts";
import { listJobs } from "../../core/library/jobs.ts";
import { listModels } from "../../core/library/models.ts";
import { weightShapes, type Architecture } from "../../core/nn/architecture.ts";
import type { Progress } from "../../core/rpc/api.ts";
import { exportWeights } from "../../core/weights/export.ts";
import { sendFile, serve, type Cut, type Server } from "../helpers/download-server.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { temporaryWorkplace } from "../helpers/workplace.ts";
import { sharedEngine } from "../helpers/shared-engine.ts";
import { temporaryFolder } from "../library/support.ts";
import { randomWeights, smallArchitecture } from "../weights/writers.ts";

const engine = sharedEngine();

/** 64 features make one head, so the weights alone say everything. */
const small: Architecture = smallArchitecture({ width: 64, heads: 1, hidden: 256, patch: 8, grid: 4 });

/** The bytes of a checkpoint of others: its content tells the format, whatever the name says. */
async function checkpoint(): Promise<Buffer> {
  const file = join(temporaryFolder(), "weights");
  await exportWeights(randomWeights(small), small, file, "timm");
  return readFileSync(file);
}

/** A server of published models; the first answer is cut short if asked to. */
function publish(body: Buffer, firstCut?: Cut): Promise<Server> {
  let cut = firstCut;
  return serve((request, response) => {
    sendFile(request, response, { body, etag: '"one"' }, cut);
    cut = undefined;
  });
}

describe("a published model", () => {
  test("is fetched from the base URL, imported under its name, and the fetched file is gone", async () => {
    const body = await checkpoint();
    const { url, asked } = await publish(body);
    const workplace = temporaryWorkplace(engine);
    const { db, folder } = workplace.library;
    const sha256 = createHash("sha256").update(body).digest("hex");
    const seen: Progress[] = [];
    const watch = { onProgress: (progress: Progress) => void seen.push(progress) };
    const model = await downloadModel(workplace, "dino-vits16", { baseUrl: url, sha256 }, watch);

    expect(asked.map(({ path }) => path)).toEqual(["/dino_deitsmall16_pretrain/dino_deitsmall16_pretrain.pth"]);
    expect(model).toMatchObject({ name: "dino-vits16", kind: "vit", imageSize: 32, width: 64, trained: true });
    expect(model.architecture).toEqual(small);
    expect(model.provenance).toMatchObject({
      source: `${url}dino_deitsmall16_pretrain/dino_deitsmall16_pretrain.pth`,
      sourceHash: sha256,
    });
    expect(listModels(db)).toEqual([model]);
    expect(readdirSync(join(folder, "models", "downloads"))).toEqual([]);
    expect(listJobs(db, 9)).toMatchObject([{ kind: "download", state: "done" }]);
    const kilobytes = Math.ceil(body.length / 1000);
    expect(seen.at(-1)).toMatchObject({ phase: "downloading (kB)", done: kilobytes, total: kilobytes });
    expect(
      await refusalOfAsync(() => downloadModel(workplace, "dino-vits16", { baseUrl: url, sha256: undefined })),
    ).toBe("model-exists: The library has a model named dino-vits16 already.");
  });

  test("is not in the library until it is whole; the second try asks for the rest", async () => {
    const body = await checkpoint();
    const workplace = temporaryWorkplace(engine);
    const { db, folder } = workplace.library;
    const part = join(folder, "models", "downloads", "dino-vitb8.pth.part");
    const { url, asked } = await publish(body, { after: 10_000, part });
    const fetch = (): Promise<unknown> => downloadModel(workplace, "dino-vitb8", { baseUrl: url, sha256: undefined });
    expect(await refusalOfAsync(fetch)).toMatch(/^download-broken: /);
    expect(listModels(db)).toEqual([]);
    expect(readdirSync(join(folder, "models"))).toEqual(["downloads"]);
    expect(listJobs(db, 9)).toMatchObject([
      { kind: "download", state: "failed", problem: { code: "download-broken" } },
    ]);
    await fetch();
    expect(asked[1]?.headers.range).toBe("bytes=10000-");
    expect(listModels(db)).toMatchObject([{ name: "dino-vitb8" }]);
  });

  test("that is no checkpoint is refused by the import and thrown away", async () => {
    const { url } = await publish(Buffer.from("<html>Sign in to this network</html>"));
    const workplace = temporaryWorkplace(engine);
    const fetch = (): Promise<unknown> => downloadModel(workplace, "dino-vits8", { baseUrl: url, sha256: undefined });
    expect(await refusalOfAsync(fetch)).toMatch(/^checkpoint-unknown: /);
    expect(listModels(workplace.library.db)).toEqual([]);
    expect(readdirSync(join(workplace.library.folder, "models", "downloads"))).toEqual([]);
  });

  test("without a network, by another name or from an unencrypted server is refused with a hint", async () => {
    const workplace = temporaryWorkplace(engine);
    const fetch = (name: string, baseUrl: string): Promise<string> =>
      refusalOfAsync(() => downloadModel(workplace, name, { baseUrl, sha256: undefined }));
    expect(await fetch("dino-vits16", "http://127.0.0.1:1")).toMatch(/^download-broken: .* could not be reached/);
    expect(await fetch("dino-vits16", "http://192.0.2.1/dino")).toMatch(/^download-refused: .* https only/);
    expect(await fetch("dino-vits16", "not a url")).toBe("option-invalid: not a url is not a URL.");
    expect(await fetch("resnet50", "http://127.0.0.1:1")).toBe("model-unknown: No published model is called resnet50.");
    expect(existsSync(join(workplace.library.folder, "models", "downloads", "resnet50.pth"))).toBe(false);
  });
});

test("the published models lie below one encrypted address, and their limits fit their sizes", () => {
  expect(new URL(publishedBaseUrl).protocol).toBe("https:");
  const sizes: Record<string, Pick<Architecture, "width" | "heads" | "patch" | "grid">> = {
    "dino-vits16": { width: 384, heads: 6, patch: 16, grid: 14 },
    "dino-vits8": { width: 384, heads: 6, patch: 8, grid: 28 },
    "dino-vitb16": { width: 768, heads: 12, patch: 16, grid: 14 },
    "dino-vitb8": { width: 768, heads: 12, patch: 8, grid: 28 },
  };
  expect(publishedModels.map(({ name }) => name)).toEqual(Object.keys(sizes));
  for (const { name, path, maxBytes } of publishedModels) {
    const size = sizes[name] ?? { width: 0, heads: 1, patch: 1, grid: 1 };
    const shapes = weightShapes(smallArchitecture({ ...size, depth: 12, hidden: 4 * size.width }));
    const values = [...shapes.values()].reduce((sum, shape) => sum + shape.reduce((count, side) => count * side, 1), 0);
    expect(maxBytes / (4 * values), name).toBeCloseTo(1.1, 5);
    expect(path).toMatch(/^(\w+)\/\1\.pth$/);
  }
});
