import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createFileNames, createFolderNames } from "../../core/exports/names.ts";
import { stemOf } from "../../core/exports/records.ts";

const paths = fc.array(
  fc.oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 300 }),
    fc.constantFrom(
      "a.jpg",
      "A.JPG",
      "x/a.jpg",
      "con.png",
      "ä.jpg",
      "a\u0308.jpg",
      "..",
      ".jpg",
      "-v",
      "a.png",
      "nul",
      "COM1.tar.gz",
    ),
  ),
  { maxLength: 30 },
);

describe("names of exported files", () => {
  test("any paths get safe names whose stems differ on every file system", () => {
    fc.assert(
      fc.property(paths, (list) => {
        const take = createFileNames();
        const names = list.map(take);
        for (const name of names) {
          expect(name).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9]+)?$/);
          expect(stemOf(name)).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)$/i);
        }
        expect(new Set(names.map((name) => stemOf(name).toLowerCase())).size).toBe(list.length);
      }),
      { numRuns: 300 },
    );
  });

  test("plain names stay as they are, also in the second export", () => {
    const list = ["shelf/IMG_0001.jpg", "b.png"];
    expect(list.map(createFileNames())).toEqual(["IMG_0001.jpg", "b.png"]);
  });

  test("pictures that differ by folder or ending only are told apart", () => {
    const names = ["a/1.jpg", "b/1.jpg", "b/1.png", "c/1-2.jpg"].map(createFileNames());
    expect(names).toEqual(["1.jpg", "1-2.jpg", "1-3.png", "1-2-2.jpg"]);
  });
});

describe("names of folders for labels", () => {
  test("any labels get folders that every system takes and none takes for another", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("con", "CON", "a.", "a", "A", "..", " "))),
        (list) => {
          const names = list.map(createFolderNames());
          for (const name of names) {
            expect(name).not.toMatch(/[<>:"/\\|?*\p{Cc}]|[. ]$|^\.|^$/u);
            expect(name.split(".")[0]).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)$/i);
            expect(Buffer.byteLength(name)).toBeLessThan(256);
          }
          expect(new Set(names.map((name) => name.normalize("NFKD").toLowerCase())).size).toBe(list.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("letters of all scripts stay", () => {
    expect(["寿司", "Käse & Brot", "50 %"].map(createFolderNames())).toEqual(["寿司", "Käse & Brot", "50 %"]);
  });
});
