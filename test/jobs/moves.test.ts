import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { PictureOutcome, PreparedPicture } from "../../core/engine/protocol.ts";
import type { Engine } from "../../core/engine/supervisor.ts";
import { ingestFolder } from "../../core/jobs/ingest.ts";
import type { Workplace } from "../../core/jobs/run.ts";
import { annotationsOfImages, assignLabels } from "../../core/library/annotations.ts";
import { findDamage } from "../../core/library/check.ts";
import { listImages } from "../../core/library/images.ts";
import { createLabels } from "../../core/library/label-changes.ts";
import { labelById } from "../../core/library/labels.ts";
import type { IngestSummary } from "../../core/rpc/api.ts";
import { createRandom } from "../../core/util/random.ts";
import { temporaryFolder, temporaryLibrary } from "../library/support.ts";

/** An engine that takes any file for a picture: what is tested here is which image a file is. */
const gullible: Engine = {
  pid: undefined,
  call: (_method, request) => {
    const { paths } = request as { paths: readonly string[] };
    const outcomes = paths.map((path): PictureOutcome<PreparedPicture> => {
      const bytes = readFileSync(path);
      const contentHash = createHash("sha256").update(bytes).digest("hex");
      const picture = { format: "png", width: 8, height: 8, perceptualHash: "0123456789abcdef" };
      return { ok: true, value: { ...picture, contentHash, byteSize: bytes.length, thumbnail: Uint8Array.of(1) } };
    });
    return Promise.resolve(outcomes as never);
  },
  close: () => Promise.resolve(),
};

interface Album extends Workplace {
  readonly folder: string;
  /** Writes a file; its time differs from that of every other file. */
  write(path: string, content: string): void;
  /** Moves a file, over another one perhaps. */
  move(from: string, to: string): void;
  ingest(): Promise<IngestSummary>;
  /** What the library says of each path that is there: content and label. */
  shown(): Record<string, string>;
  /** Labels of missing images. */
  missing(): string[];
}

/** A folder with files `a`, `b`, … of the contents `A`, `B`, …, taken in, each labelled with its content. */
async function labelledAlbum(names: readonly string[]): Promise<Album> {
  const library = temporaryLibrary();
  const folder = join(temporaryFolder(), "album");
  let time = 1000;
  const labelOf = (imageId: number): string => {
    const annotation = annotationsOfImages(library.db, [imageId]).get(imageId);
    return annotation === undefined ? "-" : (labelById(library.db, annotation.labelId)?.name ?? "?");
  };
  const album: Album = {
    library,
    engine: gullible,
    folder,
    write: (path, content) => {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
      utimesSync(join(folder, path), ++time, time);
    },
    move: (from, to) => renameSync(join(folder, from), join(folder, to)),
    ingest: () => ingestFolder({ library, engine: gullible }, folder),
    shown: () => {
      const content = new Map(readdirSync(folder).map((path) => [path, readFileSync(join(folder, path), "utf8")]));
      const there = listImages(library.db).filter(({ missingSince }) => missingSince === null);
      expect(there.map(({ path }) => path).toSorted()).toEqual([...content.keys()].toSorted());
      return Object.fromEntries(
        there
          .toSorted((a, b) => (a.path < b.path ? -1 : 1))
          .map(({ id, path, contentHash, byteSize }) => {
            const text = content.get(path) ?? "";
            expect(contentHash).toBe(createHash("sha256").update(text).digest("hex"));
            expect(byteSize).toBe(statSync(join(folder, path)).size);
            return [path, `${text} ${labelOf(id)}`];
          }),
      );
    },
    missing: () =>
      listImages(library.db)
        .filter(({ missingSince }) => missingSince !== null)
        .map(({ id }) => labelOf(id))
        .toSorted(),
  };
  for (const name of names) album.write(name, name.toUpperCase());
  await album.ingest();
  for (const { id, path } of listImages(library.db)) {
    const [created] = createLabels(library.db, [[path.toUpperCase()]]).result;
    const assignment = { imageId: id, labelId: created?.id ?? 0, provenance: "person" as const, confidence: null };
    assignLabels(library.db, [assignment], { kind: "assign-labels", summary: "label" });
  }
  return album;
}

describe("labels go with the pictures", () => {
  test("when a file is renamed", async () => {
    const album = await labelledAlbum(["a", "b"]);
    album.move("a", "z");
    expect(await album.ingest()).toMatchObject({ moved: 1, added: 0, changed: 0, unchanged: 1, missing: 0 });
    expect(album.shown()).toEqual({ b: "B B", z: "A A" });
  });

  test("when two files swap names", async () => {
    const album = await labelledAlbum(["a", "b", "c"]);
    album.move("a", "x");
    album.move("b", "a");
    album.move("x", "b");
    expect(await album.ingest()).toMatchObject({ moved: 2, added: 0, changed: 0, unchanged: 1, missing: 0 });
    expect(album.shown()).toEqual({ a: "B B", b: "A A", c: "C C" });
  });

  test("when a file is renamed over another: the one that is no more keeps its label too, as missing", async () => {
    const album = await labelledAlbum(["a", "b"]);
    album.move("a", "b");
    expect(await album.ingest()).toMatchObject({ moved: 1, added: 0, changed: 0, missing: 1 });
    expect(album.shown()).toEqual({ b: "A A" });
    expect(album.missing()).toEqual(["B"]);
    // And should it come back, under whatever name, it is itself again.
    album.write("w", "B");
    expect(await album.ingest()).toMatchObject({ moved: 1, added: 0, missing: 0 });
    expect(album.shown()).toEqual({ b: "A A", w: "B B" });
  });

  test("when all are renumbered after one was deleted, over more files than a batch", async () => {
    const names = Array.from({ length: 100 }, (_, i) => `p${String(i).padStart(2, "0")}`);
    const album = await labelledAlbum(names);
    rmSync(join(album.folder, "p00"));
    for (let i = 1; i < 100; i++) album.move(names[i] ?? "", names[i - 1] ?? "");
    expect(await album.ingest()).toMatchObject({ moved: 99, added: 0, changed: 0, missing: 1 });
    expect(album.shown()).toEqual(
      Object.fromEntries(
        names
          .slice(0, 99)
          .map((name, i) => [name, `P${String(i + 1).padStart(2, "0")} P${String(i + 1).padStart(2, "0")}`]),
      ),
    );
    expect(album.missing()).toEqual(["P00"]);
  });

  test("when all are renumbered to make room for a new one", async () => {
    const names = Array.from({ length: 70 }, (_, i) => `p${String(i).padStart(2, "0")}`);
    const album = await labelledAlbum(names);
    for (let i = 69; i >= 0; i--) album.move(`p${String(i).padStart(2, "0")}`, `p${String(i + 1).padStart(2, "0")}`);
    album.write("p00", "NEW");
    const summary = await album.ingest();
    expect(summary).toMatchObject({ moved: 70, missing: 0 });
    const shown = album.shown();
    expect(shown["p00"]).toBe("NEW -");
    expect(shown["p70"]).toBe("P69 P69");
    expect(Object.values(shown).filter((text) => text.split(" ")[0] === text.split(" ")[1])).toHaveLength(70);
  });

  test("when a picture was replaced and its old self kept under another name", async () => {
    const album = await labelledAlbum(["a", "b"]);
    album.move("a", "a-old");
    album.write("a", "NEW");
    expect(await album.ingest()).toMatchObject({ moved: 1, missing: 0 });
    expect(album.shown()).toEqual({ a: "NEW -", "a-old": "A A", b: "B B" });
  });

  test("through any number of renamings and deletions", async () => {
    const random = createRandom(7);
    for (let round = 0; round < 12; round++) {
      const album = await labelledAlbum(["a", "b", "c", "d", "e", "f"]);
      let [fresh, copies] = [0, 0];
      for (let step = 0; step < 6; step++) {
        for (let change = random.integer(6); change > 0; change--) {
          const [one = "", other = ""] = random.shuffled(readdirSync(album.folder));
          const kind = random.integer(3);
          if (kind === 0) album.move(one, random.shuffled(["a", "b", "c", "d", "e", "f", "g"])[0] ?? "");
          if (kind === 1) {
            album.move(one, "swap");
            album.move(other, one);
            album.move("swap", other);
          }
          if (kind === 2) rmSync(join(album.folder, one));
        }
        // Last, at names of their own: put over a known file, such a picture would be a change of that one.
        const [original] = readdirSync(album.folder);
        if (original !== undefined) copyFileSync(join(album.folder, original), join(album.folder, `copy${++copies}`));
        while (readdirSync(album.folder).length < 4) album.write(`new${++fresh}`, `NEW${round}-${fresh}`);
        await album.ingest();
        // A label says what the content was from the start; only copies and new files have none.
        for (const text of Object.values(album.shown())) {
          const [content, label] = text.split(" ");
          expect([content, "-"]).toContain(label);
        }
        expect(findDamage(album.library.db)).toEqual([]);
      }
      const kept = [...Object.values(album.shown()).map((text) => text.split(" ")[1]), ...album.missing()];
      expect(kept.filter((label) => label !== "-").toSorted()).toEqual(["A", "B", "C", "D", "E", "F"]);
    }
  });
});

describe("copies", () => {
  test("are images of their own, and when the original goes one of them takes its place", async () => {
    const album = await labelledAlbum(["a", "b"]);
    copyFileSync(join(album.folder, "a"), join(album.folder, "a2"));
    expect(await album.ingest()).toMatchObject({ added: 1, moved: 0 });
    expect(album.shown()).toEqual({ a: "A A", a2: "A -", b: "B B" });
  });

  test("that appear as the original goes: one keeps the row, the other is new", async () => {
    const album = await labelledAlbum(["a", "b"]);
    copyFileSync(join(album.folder, "a"), join(album.folder, "x"));
    album.move("a", "y");
    expect(await album.ingest()).toMatchObject({ added: 1, moved: 1, missing: 0 });
    const shown = album.shown();
    expect([shown["x"], shown["y"]].toSorted()).toEqual(["A -", "A A"]);
  });
});

test("a picture that was changed in place keeps its label", async () => {
  const album = await labelledAlbum(["a", "b"]);
  album.write("a", "CROPPED");
  expect(await album.ingest()).toMatchObject({ changed: 1, moved: 0, added: 0 });
  expect(album.shown()).toEqual({ a: "CROPPED A", b: "B B" });
});
