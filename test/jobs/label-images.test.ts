import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { importLabels, labelFromFolders } from "../../core/jobs/label-images.ts";
import { annotationsOfImages } from "../../core/library/annotations.ts";
import { upsertImages } from "../../core/library/image-changes.ts";
import { listImages } from "../../core/library/images.ts";
import { labelById, labelTree } from "../../core/library/labels.ts";
import type { Library } from "../../core/library/open.ts";
import { history, redo, undo } from "../../core/library/operations.ts";
import { ensureSource } from "../../core/library/sources.ts";
import type { Source } from "../../core/rpc/records.ts";
import { hashOf, newImage, temporaryFolder, temporaryLibrary } from "../library/support.ts";

function libraryWith(...paths: string[]): { library: Library; source: Source } {
  const library = temporaryLibrary();
  const source = ensureSource(library.db, "/photos");
  upsertImages(
    library.db,
    paths.map((path, i) => newImage(source.id, path, { contentHash: hashOf(i) })),
  );
  return { library, source };
}

/** The label of each image that has one, from the top of the tree down. */
function labels({ db }: Library): Record<string, string> {
  return Object.fromEntries(
    listImages(db).flatMap(({ id, path }) => {
      const names: string[] = [];
      let labelId = annotationsOfImages(db, [id]).get(id)?.labelId ?? null;
      while (labelId !== null) {
        const label = labelById(db, labelId);
        names.unshift(label?.name ?? "?");
        labelId = label?.parentId ?? null;
      }
      return names.length === 0 ? [] : [[path, names.join(" > ")]];
    }),
  );
}

function labelsFile(text: string, name = "labels.csv"): string {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, text);
  return file;
}

describe("labels from folders", () => {
  test("are the folders' names from the top down, in one step that can be undone and redone", () => {
    const { library, source } = libraryWith("top.jpg", "Oat/1.jpg", "Oat/2.jpg", "Drinks/Cold/Rye/3.jpg");
    const summary = labelFromFolders(library, source);
    expect(summary).toMatchObject({ labelled: 3, unchanged: 0, unmatchedCount: 0 });
    expect(summary.operation).toMatchObject({
      kind: "label-from-folders",
      summary: "Labelled 3 images from folder names",
    });
    const expected = { "Oat/1.jpg": "Oat", "Oat/2.jpg": "Oat", "Drinks/Cold/Rye/3.jpg": "Drinks > Cold > Rye" };
    expect(labels(library)).toEqual(expected);
    expect(history(library.db, 10)).toHaveLength(1);
    undo(library.db);
    expect(labels(library)).toEqual({});
    expect(labelTree(library.db)).toEqual([]);
    redo(library.db);
    expect(labels(library)).toEqual(expected);
  });

  test("leave labels alone that are there, and do nothing the second time", async () => {
    const { library, source } = libraryWith("Oat/1.jpg", "Oat/2.jpg");
    await importLabels(library, labelsFile("path,label\nOat/1.jpg,Rye\n"));
    expect(labelFromFolders(library, source)).toMatchObject({ labelled: 1 });
    expect(labels(library)).toEqual({ "Oat/1.jpg": "Rye", "Oat/2.jpg": "Oat" });
    const again = labelFromFolders(library, source);
    expect(again).toMatchObject({ operation: null, labelled: 0 });
    expect(history(library.db, 10)).toHaveLength(2);
  });

  test("pass over pictures that cannot be read, and folders whose names no label can have", () => {
    const { library, source } = libraryWith("Oat/1.jpg", "\u0007/2.jpg", `${"x".repeat(255)}/3.jpg`);
    const broken = newImage(source.id, "Oat/broken.jpg", { problem: { code: "picture-broken", message: "cut" } });
    upsertImages(library.db, [{ ...broken, format: null, width: null, height: null }]);
    const summary = labelFromFolders(library, source);
    expect(labels(library)).toEqual({ "Oat/1.jpg": "Oat" });
    expect(summary).toMatchObject({ labelled: 1, unmatchedCount: 2 });
    expect(summary.unmatched.map(({ path }) => path).toSorted()).toEqual(["\u0007", "x".repeat(255)]);
  });
});

describe("labels from a file", () => {
  test("go to the images that its rows name, in one step", async () => {
    const { library } = libraryWith("a/1.jpg", "a/2.jpg", "b/3.jpg");
    const file = labelsFile("path,label,coarse\na/1.jpg,Oat,Drinks\n/photos/a/2.jpg,Rye,Drinks\n3.jpg,Cup,\n");
    const summary = await importLabels(library, file);
    expect(summary).toMatchObject({ labelled: 3, unchanged: 0, unmatchedCount: 0 });
    expect(summary.operation).toMatchObject({ kind: "import-labels", summary: "Labelled 3 images from a labels file" });
    expect(labels(library)).toEqual({ "a/1.jpg": "Drinks > Oat", "a/2.jpg": "Drinks > Rye", "b/3.jpg": "Cup" });
    expect(history(library.db, 10)).toHaveLength(1);
    undo(library.db);
    expect(labels(library)).toEqual({});
    redo(library.db);
    expect(Object.keys(labels(library))).toHaveLength(3);
  });

  test("are reported where a row fits no image, or several", async () => {
    const { library } = libraryWith("a/1.jpg", "b/1.jpg", "b/2.jpg");
    const summary = await importLabels(library, labelsFile("path,label\n1.jpg,Oat\nnone.jpg,Oat\nb/2.jpg,Rye\n,Rye\n"));
    expect(summary).toMatchObject({ labelled: 1, unmatchedCount: 3 });
    expect(summary.unmatched.map(({ line, path }) => [line, path])).toEqual([
      [2, "1.jpg"],
      [3, "none.jpg"],
      [5, ""],
    ]);
    expect(summary.unmatched[0]?.reason).toBe(
      "Several images have this name: a/1.jpg, b/1.jpg. Give more of the path.",
    );
    expect(labels(library)).toEqual({ "b/2.jpg": "Rye" });
  });

  test("replace those that were there; the last row for an image counts, and what is so already is no change", async () => {
    const { library } = libraryWith("1.jpg", "2.jpg", "3.jpg");
    await importLabels(library, labelsFile("path,label\n1.jpg,Oat\n2.jpg,Oat\n"));
    const summary = await importLabels(library, labelsFile("path,label\n1.jpg,Rye\n1.jpg,Oat\n2.jpg,Rye\n3.jpg,Rye\n"));
    expect(summary).toMatchObject({ labelled: 2, unchanged: 2 });
    expect(summary.operation?.summary).toBe("Labelled 2 images from a labels file");
    expect(labels(library)).toEqual({ "1.jpg": "Oat", "2.jpg": "Rye", "3.jpg": "Rye" });
    undo(library.db);
    expect(labels(library)).toEqual({ "1.jpg": "Oat", "2.jpg": "Oat" });
    const same = await importLabels(library, labelsFile("path,label\n1.jpg,Oat\n2.jpg, Oat \n"));
    expect(same).toMatchObject({ operation: null, labelled: 0, unchanged: 2 });
  });

  test("whose name no label can have keep none of the others out", async () => {
    const { library } = libraryWith("1.jpg", "2.jpg", "3.jpg");
    // Up to 200 characters are allowed, however many UTF-16 units they take.
    const [long, tooLong] = ["🍏".repeat(150), "🍏".repeat(201)];
    const file = labelsFile(`path,label\n1.jpg,${long}\n2.jpg,${tooLong}\n3.jpg,Oat\n`);
    expect(await importLabels(library, file)).toMatchObject({ labelled: 2, unmatchedCount: 1 });
    expect(labels(library)).toEqual({ "1.jpg": long, "3.jpg": "Oat" });
  });

  test("change nothing when the reading is stopped or the file turns out to be unreadable", async () => {
    const { library } = libraryWith("1.jpg");
    const file = labelsFile("path,label\n1.jpg,Oat\n");
    await expect(importLabels(library, file, AbortSignal.abort(new Error("stopped")))).rejects.toThrow("stopped");
    await expect(importLabels(library, `${file}.gone`)).rejects.toMatchObject({ code: "labels-file-unreadable" });
    expect(history(library.db, 1)).toEqual([]);
  });
});
