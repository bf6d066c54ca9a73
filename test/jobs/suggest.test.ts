import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine, type Engine } from "../../core/engine/supervisor.ts";
import { embedImages } from "../../core/jobs/embed.ts";
import { ingestFolder } from "../../core/jobs/ingest.ts";
import { searchImages } from "../../core/jobs/search.ts";
import { suggestLabels } from "../../core/jobs/suggest.ts";
import { listImages } from "../../core/library/images.ts";
import { listJobs } from "../../core/library/jobs.ts";
import { listLabels } from "../../core/library/labels.ts";
import { listSuggestions } from "../../core/library/suggestions.ts";
import { addPictured } from "../helpers/labelled.ts";
import { drawPicture, drawPictures } from "../helpers/pictures.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { addTinyModel, temporaryWorkplace } from "../helpers/workplace.ts";
import { temporaryFolder } from "../library/support.ts";

leaveNothingBehind();

let engine: Engine;
beforeAll(() => (engine = createEngine()));
afterAll(() => engine.close());

const options = { neighbours: 2, temperature: 0.07, threshold: 0.5, device: "cpu" } as const;

describe("suggestions", () => {
  const pictures = [
    { name: "a1", angle: 0, label: ["a"] },
    { name: "a2", angle: 20, label: ["a"] },
    { name: "b1", angle: 100, label: ["b"] },
    { name: "b2", angle: 120, label: ["b"] },
    { name: "near-a", angle: 9 },
    { name: "near-b", angle: 130 },
    { name: "between", angle: 58 },
  ];

  test("are the nearest labelled images' vote, with their voters, most similar first", async () => {
    const workplace = temporaryWorkplace(engine);
    const { db } = workplace.library;
    const { model, ids } = addPictured(workplace.library, pictures);
    const summary = await suggestLabels(workplace, model, options);
    // The labelled ones by themselves: each has one of its own label next to it.
    expect(summary).toMatchObject({ voters: 4, suggested: 3, selfAccuracy: 1 });
    const names = new Map(listLabels(db).map(({ id, name }) => [id, name]));
    const found = new Map(listSuggestions(db, model.id, { limit: 10 }).map((each) => [each.imageId, each]));
    const shown = (name: string) => {
      const { labelId, share, voters } = found.get(ids.get(name) ?? 0) ?? { labelId: 0, share: 0, voters: [] };
      return { label: names.get(labelId), share, voters: voters.map(({ imageId }) => imageId) };
    };
    const [a1, a2, b1, b2] = ["a1", "a2", "b1", "b2"].map((name) => ids.get(name));
    expect(shown("near-a")).toEqual({ label: "a", share: 1, voters: [a1, a2] });
    expect(shown("near-b")).toEqual({ label: "b", share: 1, voters: [b2, b1] });
    // 38 degrees to a2, 42 to b1: exp(cos 38° / 0.07) against exp(cos 42° / 0.07).
    const [weightA, weightB] = [38, 42].map((angle) => Math.exp(Math.cos((angle * Math.PI) / 180) / 0.07));
    const { share, ...between } = shown("between");
    expect(between).toEqual({ label: "a", voters: [a2, b1] });
    // Embeddings are float32: 6e-8 of a cosine, times 1 / 0.07.
    expect(share).toBeCloseTo((weightA ?? 0) / ((weightA ?? 0) + (weightB ?? 0)), 5);
  });

  test("stay as they were when the job is stopped, or the engine cannot be had", async () => {
    const workplace = temporaryWorkplace(engine);
    const { db } = workplace.library;
    const { model } = addPictured(workplace.library, pictures);
    await suggestLabels(workplace, model, options);
    const before = listSuggestions(db, model.id, { limit: 10 });
    const stopped = suggestLabels(workplace, model, options, { signal: AbortSignal.abort(new Error("stopped")) });
    await expect(stopped).rejects.toThrow("stopped");
    expect(listJobs(db, 1)).toMatchObject([{ kind: "suggest", state: "stopped" }]);
    const closed = createEngine();
    await closed.close();
    const refusal = await refusalOfAsync(() => suggestLabels({ ...workplace, engine: closed }, model, options));
    expect(refusal).toMatch(/^engine-closed: /);
    expect(listJobs(db, 1)).toMatchObject([{ state: "failed", problem: { code: "engine-closed" } }]);
    expect(listSuggestions(db, model.id, { limit: 10 })).toEqual(before);
  });

  test("need two labels", async () => {
    const workplace = temporaryWorkplace(engine);
    const { model } = addPictured(workplace.library, pictures.slice(0, 2));
    expect(await refusalOfAsync(() => suggestLabels(workplace, model, options))).toMatch(/^labels-missing: /);
  });
});

describe("search", () => {
  test("finds a copy of a picture first, and leaves out the image that was asked about", async () => {
    const workplace = temporaryWorkplace(engine);
    const folder = join(temporaryFolder(), "photos");
    await drawPictures(folder, 8, { seed: 5 });
    await ingestFolder(workplace, folder);
    const model = await addTinyModel(workplace.library);
    await embedImages(workplace, model, { device: "cpu" });
    const question = join(temporaryFolder(), "question.jpg");
    await drawPicture(question, { seed: 5003 });
    const hits = await searchImages(workplace, model, { file: question }, { count: 3, device: "cpu" });
    expect(hits.map(({ image }) => image.path)[0]).toBe("003.jpg");
    expect(hits[0]?.similarity).toBeCloseTo(1, 5);
    expect(hits.map(({ similarity }) => similarity)).toEqual(
      hits.map(({ similarity }) => similarity).toSorted((a, b) => b - a),
    );
    const { id } = listImages(workplace.library.db).find(({ path }) => path === "003.jpg") ?? { id: 0 };
    const others = await searchImages(workplace, model, { imageId: id }, { count: 20, device: "cpu" });
    expect(others).toHaveLength(7);
    expect(others.map(({ image }) => image.id)).not.toContain(id);
    const ask = (picture: { file: string } | { imageId: number }): Promise<string> =>
      refusalOfAsync(() => searchImages(workplace, model, picture, { count: 1, device: "cpu" }));
    expect(await ask({ file: "/nowhere.jpg" })).toMatch(/^file-unreadable: /);
    expect(await ask({ file: folder })).toMatch(/^file-not-regular: /);
    expect(await ask({ imageId: 999 })).toMatch(/^embedding-missing: /);
  });
});
