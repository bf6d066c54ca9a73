import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine, type Engine } from "../../core/engine/supervisor.ts";
import { embedImages } from "../../core/jobs/embed.ts";
import { ingestFolder } from "../../core/jobs/ingest.ts";
import type { Workplace } from "../../core/jobs/run.ts";
import { annotationsOfImages, assignLabels } from "../../core/library/annotations.ts";
import { readEmbeddings } from "../../core/library/embeddings.ts";
import { countImages, imageByPath, listImages } from "../../core/library/images.ts";
import { listJobs } from "../../core/library/jobs.ts";
import { createLabels } from "../../core/library/label-changes.ts";
import { openLibrary } from "../../core/library/open.ts";
import { listSources } from "../../core/library/sources.ts";
import { getThumbnail } from "../../core/library/thumbnails.ts";
import type { Image } from "../../core/rpc/records.ts";
import { drawPicture, drawPictures } from "../helpers/pictures.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { addTinyModel, notingEngine, temporaryWorkplace } from "../helpers/workplace.ts";
import { temporaryFolder } from "../library/support.ts";

leaveNothingBehind();

let engine: Engine;
beforeAll(() => (engine = createEngine()));
afterAll(() => engine.close());

/** A workplace, and a folder with pictures that were taken in. */
async function startWith(count: number): Promise<Workplace & { folder: string; names: string[] }> {
  const workplace = temporaryWorkplace(engine);
  const folder = join(temporaryFolder(), "photos");
  const names = await drawPictures(folder, count, { seed: 1 });
  const summary = await ingestFolder(workplace, folder);
  expect(summary).toMatchObject({ added: count, failed: 0, missing: 0 });
  return { ...workplace, folder, names };
}

function imageAt({ library }: Workplace, path: string, source = 0): Image {
  const id = listSources(library.db)[source]?.id ?? 0;
  const image = imageByPath(library.db, id, path);
  if (image === null) throw new Error(`No image at ${path}`);
  return image;
}

/** Labels an image with a name; `labelOf` reads it back. */
function label({ library }: Workplace, imageId: number, name: string): void {
  const [created] = createLabels(library.db, [[name]]).result;
  const assignment = { imageId, labelId: created?.id ?? 0, provenance: "person" as const, confidence: null };
  assignLabels(library.db, [assignment], { kind: "assign-labels", summary: name });
}

describe("a new folder", () => {
  test("gives an image and a thumbnail for every picture, and a job that is done", async () => {
    const { library, folder, names } = await startWith(40);
    const images = listImages(library.db);
    expect(images.map(({ path }) => path).toSorted()).toEqual(names);
    for (const { width, height, format, problem, contentHash, path, byteSize, modifiedAt } of images) {
      expect({ width, height, format, problem }).toEqual({ width: 64, height: 48, format: "jpeg", problem: null });
      expect(getThumbnail(library.thumbnails, contentHash ?? "")).not.toBeNull();
      const found = statSync(join(folder, path));
      expect([byteSize, modifiedAt]).toEqual([found.size, Math.trunc(found.mtimeMs)]);
    }
    expect(listJobs(library.db, 1)).toMatchObject([{ kind: "ingest", state: "done", problem: null }]);
  });

  test("that is not there is refused, and becomes no source", async () => {
    const workplace = temporaryWorkplace(engine);
    const refusal = await refusalOfAsync(() => ingestFolder(workplace, join(temporaryFolder(), "nowhere")));
    expect(refusal).toMatch(/^source-missing: .*nowhere cannot be read \(ENOENT\)/);
    expect(listSources(workplace.library.db)).toEqual([]);
    expect(listJobs(workplace.library.db, 1)).toMatchObject([{ state: "failed", problem: { code: "source-missing" } }]);
  });
});

describe("a second run", () => {
  test("opens no file that is as it was", async () => {
    const place = await startWith(5);
    const before = listImages(place.library.db);
    const noting = notingEngine(engine);
    const summary = await ingestFolder({ ...place, engine: noting }, place.folder);
    expect(summary).toMatchObject({ added: 0, changed: 0, moved: 0, unchanged: 5, failed: 0, missing: 0 });
    expect(noting.asked).toEqual([]);
    expect(listImages(place.library.db)).toEqual(before);
  });

  test("opens a file whose time changed, and keeps everything where its content did not", async () => {
    const place = await startWith(3);
    const model = await addTinyModel(place.library);
    await embedImages(place, model, { device: "cpu" });
    const noting = notingEngine(engine);
    utimesSync(join(place.folder, "001.jpg"), 1, 2);
    const summary = await ingestFolder({ ...place, engine: noting }, place.folder);
    expect(noting.asked).toEqual([join(place.folder, "001.jpg")]);
    expect(summary).toMatchObject({ added: 0, changed: 0, unchanged: 3 });
    expect(imageAt(place, "001.jpg").modifiedAt).toBe(2000);
    expect(readEmbeddings(place.library.db, model.id).imageIds).toHaveLength(3);
  });

  test("drops the embedding of a picture that changed, and keeps its annotation", async () => {
    const place = await startWith(3);
    const model = await addTinyModel(place.library);
    await embedImages(place, model, { device: "cpu" });
    const { id, contentHash } = imageAt(place, "001.jpg");
    label(place, id, "cat");
    await drawPicture(join(place.folder, "001.jpg"), { seed: 99, width: 70 });
    expect(await ingestFolder(place, place.folder)).toMatchObject({ added: 0, changed: 1, moved: 0, unchanged: 2 });
    const changed = imageAt(place, "001.jpg");
    expect(changed).toMatchObject({ id, width: 70 });
    expect(changed.contentHash).not.toBe(contentHash);
    expect(readEmbeddings(place.library.db, model.id).imageIds).not.toContain(id);
    expect(annotationsOfImages(place.library.db, [id]).has(id)).toBe(true);
    expect(await embedImages(place, model, { device: "cpu" })).toMatchObject({ embedded: 1, skipped: 2 });
  });

  test("makes thumbnails again where the cache was deleted, opening one file of each content", async () => {
    const place = await startWith(4);
    copyFileSync(join(place.folder, "003.jpg"), join(place.folder, "copy.jpg"));
    await ingestFolder(place, place.folder);
    const { folder } = place.library;
    place.library.close();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(join(folder, `thumbnails.sqlite${suffix}`), { force: true });
    const library = openLibrary(folder, { mode: "write" });
    try {
      const before = listImages(library.db);
      const noting = notingEngine(engine);
      const summary = await ingestFolder({ library, engine: noting }, place.folder);
      expect(summary).toMatchObject({ added: 0, changed: 0, moved: 0, unchanged: 5, failed: 0 });
      expect(noting.asked).toHaveLength(4);
      expect(listImages(library.db)).toEqual(before);
      for (const { contentHash } of before) expect(getThumbnail(library.thumbnails, contentHash ?? "")).not.toBeNull();
      noting.asked.length = 0;
      await ingestFolder({ library, engine: noting }, place.folder);
      expect(noting.asked).toEqual([]);
    } finally {
      library.close();
    }
  });
});

describe("a file that is gone", () => {
  test("is marked missing, and found again with all it had when it is restored", async () => {
    const place = await startWith(3);
    const model = await addTinyModel(place.library);
    await embedImages(place, model, { device: "cpu" });
    const { id } = imageAt(place, "001.jpg");
    label(place, id, "cat");
    const away = join(temporaryFolder(), "kept.jpg");
    renameSync(join(place.folder, "001.jpg"), away);
    expect(await ingestFolder(place, place.folder)).toMatchObject({ unchanged: 2, missing: 1 });
    expect(imageAt(place, "001.jpg").missingSince).toBeGreaterThan(0);
    // Restored as it was, it need not even be read.
    renameSync(away, join(place.folder, "001.jpg"));
    const noting = notingEngine(engine);
    expect(await ingestFolder({ ...place, engine: noting }, place.folder)).toMatchObject({ unchanged: 3, missing: 0 });
    expect(noting.asked).toEqual([]);
    expect(imageAt(place, "001.jpg")).toMatchObject({ id, missingSince: null });
    expect(readEmbeddings(place.library.db, model.id).imageIds).toContain(id);
    expect(annotationsOfImages(place.library.db, [id]).has(id)).toBe(true);
  });

  test("and restored with a new time is the same image still", async () => {
    const place = await startWith(2);
    const { id } = imageAt(place, "001.jpg");
    const away = join(temporaryFolder(), "kept.jpg");
    renameSync(join(place.folder, "001.jpg"), away);
    await ingestFolder(place, place.folder);
    renameSync(away, join(place.folder, "001.jpg"));
    utimesSync(join(place.folder, "001.jpg"), 5, 5);
    expect(await ingestFolder(place, place.folder)).toMatchObject({ added: 0, moved: 0, unchanged: 2, missing: 0 });
    expect(imageAt(place, "001.jpg")).toMatchObject({ id, missingSince: null, modifiedAt: 5000 });
  });

  test("with the whole source, as when a disk is unplugged, marks nothing", async () => {
    const place = await startWith(3);
    renameSync(place.folder, `${place.folder}-away`);
    const refusal = await refusalOfAsync(() => ingestFolder(place, place.folder));
    expect(refusal).toMatch(/^source-missing: /);
    expect(countImages(place.library.db)).toMatchObject({ ready: 3, missing: 0 });
    renameSync(`${place.folder}-away`, place.folder);
    expect(await ingestFolder(place, place.folder)).toMatchObject({ unchanged: 3, missing: 0 });
  });

  test("during the run is left to the next one", async () => {
    const place = await startWith(2);
    await drawPicture(join(place.folder, "002.jpg"), { seed: 5 });
    await drawPicture(join(place.folder, "000.jpg"), { seed: 6 });
    const hasty: Engine = {
      ...notingEngine(engine),
      call: (method, request) => {
        for (const name of ["000.jpg", "002.jpg"]) rmSync(join(place.folder, name), { force: true });
        return engine.call(method, request);
      },
    };
    const before = imageAt(place, "000.jpg");
    expect(await ingestFolder({ ...place, engine: hasty }, place.folder)).toMatchObject({ added: 0, failed: 0 });
    expect(listImages(place.library.db)).toHaveLength(2);
    expect(imageAt(place, "000.jpg")).toEqual(before);
    expect(await ingestFolder(place, place.folder)).toMatchObject({ unchanged: 1, missing: 1 });
  });
});

describe("two sources", () => {
  test("a file that moves from one to the other keeps its image, whichever is looked at first", async () => {
    const place = await startWith(4);
    const other = join(temporaryFolder(), "other");
    await drawPictures(other, 1, { seed: 2 });
    await ingestFolder(place, other);
    const [first, second] = [imageAt(place, "001.jpg"), imageAt(place, "002.jpg")];
    renameSync(join(place.folder, "001.jpg"), join(other, "one.jpg"));
    // The source that it came to is scanned, before the one it left was.
    expect(await ingestFolder(place, other)).toMatchObject({ moved: 1, added: 0 });
    expect(imageAt(place, "one.jpg", 1)).toMatchObject({ id: first.id, missingSince: null });
    expect(await ingestFolder(place, place.folder)).toMatchObject({ unchanged: 3, missing: 0 });
    // And the other way round.
    renameSync(join(place.folder, "002.jpg"), join(other, "two.jpg"));
    expect(await ingestFolder(place, place.folder)).toMatchObject({ missing: 1 });
    expect(await ingestFolder(place, other)).toMatchObject({ moved: 1, added: 0 });
    expect(imageAt(place, "two.jpg", 1)).toMatchObject({ id: second.id, missingSince: null });
    expect(await ingestFolder(place, place.folder)).toMatchObject({ unchanged: 2, missing: 0 });
  });

  test("a copy in another source is an image of its own, also while the first source is unplugged", async () => {
    const place = await startWith(2);
    const other = join(temporaryFolder(), "other");
    cpSync(place.folder, other, { recursive: true });
    renameSync(place.folder, `${place.folder}-away`);
    expect(await ingestFolder(place, other)).toMatchObject({ added: 2, moved: 0 });
    renameSync(`${place.folder}-away`, place.folder);
    expect(await ingestFolder(place, place.folder)).toMatchObject({ unchanged: 2, missing: 0 });
  });
});

describe("files that cannot be read", () => {
  test("are kept with their reason, and not opened again while they are the same", async () => {
    const place = await startWith(1);
    writeFileSync(join(place.folder, "text.jpg"), "this is no picture");
    writeFileSync(join(place.folder, "empty.png"), "");
    await drawPicture(join(place.folder, "cut.jpg"), { seed: 3, width: 300, height: 300 });
    const whole = statSync(join(place.folder, "cut.jpg")).size;
    truncateSync(join(place.folder, "cut.jpg"), Math.floor(whole / 2));
    writeFileSync(join(place.folder, "notes.txt"), "no picture, and it does not say so");
    writeFileSync(join(place.folder, "clip.mp4"), Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from("ftypisom")]));
    const summary = await ingestFolder(place, place.folder);
    expect(summary).toMatchObject({ added: 0, failed: 3, ignored: 2, unchanged: 1 });
    const problems = listImages(place.library.db).flatMap(({ path, problem }) =>
      problem ? [[path, problem.code]] : [],
    );
    expect(problems.toSorted()).toEqual([
      ["cut.jpg", "picture-broken"],
      ["empty.png", "picture-format"],
      ["text.jpg", "picture-format"],
    ]);
    const noting = notingEngine(engine);
    expect(await ingestFolder({ ...place, engine: noting }, place.folder)).toMatchObject({ failed: 0, unchanged: 4 });
    expect(noting.asked.map((path) => path.slice(place.folder.length + 1)).toSorted()).toEqual([
      "clip.mp4",
      "notes.txt",
    ]);
    // Mended, it is a picture like any other.
    await drawPicture(join(place.folder, "cut.jpg"), { seed: 3 });
    expect(await ingestFolder(place, place.folder)).toMatchObject({ changed: 1, failed: 0 });
    expect(imageAt(place, "cut.jpg").problem).toBeNull();
  });

  test("for a reason that is not in them are tried again the next time", async () => {
    const place = temporaryWorkplace(engine);
    const folder = join(temporaryFolder(), "photos");
    await drawPictures(folder, 2, { seed: 4 });
    const refusing: Engine = {
      ...notingEngine(engine),
      call: async (method, request) => {
        const result = await engine.call(method, request);
        const problem = { code: "eacces", message: "You are not allowed to read this file." };
        return Array.isArray(result) ? (result.map(() => ({ ok: false, problem })) as typeof result) : result;
      },
    };
    expect(await ingestFolder({ ...place, engine: refusing }, folder)).toMatchObject({ added: 0, failed: 2 });
    expect(countImages(place.library.db)).toMatchObject({ problem: 2 });
    expect(await ingestFolder(place, folder)).toMatchObject({ changed: 2, failed: 0 });
    expect(countImages(place.library.db)).toMatchObject({ ready: 2, problem: 0 });
  });

  test("that do not say they are pictures and cannot even be opened are left out", async () => {
    const place = await startWith(1);
    // Larger than any picture that is taken in, without taking up that much of the disk.
    for (const name of ["film.mov", "scan.tiff"]) {
      writeFileSync(join(place.folder, name), "");
      truncateSync(join(place.folder, name), 257 * 2 ** 20);
    }
    expect(await ingestFolder(place, place.folder)).toMatchObject({ ignored: 1, failed: 1 });
    expect(imageAt(place, "scan.tiff").problem?.code).toBe("picture-too-large");
  });
});

test("the source is never written to", async () => {
  const place = await startWith(3);
  const stamps = place.names.map((name) => statSync(join(place.folder, name)).mtimeMs);
  mkdirSync(join(place.folder, "sub"));
  await ingestFolder(place, place.folder);
  expect(place.names.map((name) => statSync(join(place.folder, name)).mtimeMs)).toEqual(stamps);
  expect(existsSync(join(place.folder, "sub"))).toBe(true);
});
