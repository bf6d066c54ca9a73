import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { replaceSuggestions } from "../../core/library/suggestions.ts";
import { listModels } from "../../core/library/models.ts";
import { dinoscope, objectsOf } from "../helpers/command-line.ts";
import { makeExportable } from "../helpers/exportable.ts";
import { temporaryFolder } from "../library/support.ts";

test(
  "export and import from a terminal: what is left out is said, and a data set comes back",
  { timeout: 60_000 },
  async () => {
    const folder = temporaryFolder();
    const { library } = await makeExportable(folder);
    library.close();
    const destination = join(folder, "out");
    const at = ["--library", join(folder, "library"), "--json"];
    const exported = await dinoscope("export", "coco", destination, "--split", "60,20,20", "--seed", "3", ...at);
    expect(exported.code).toBe(0);
    expect(objectsOf(exported.stdout).at(-1)).toMatchObject({ type: "export", images: 8, objects: 8, withoutMask: 1 });
    const again = await dinoscope("export", "coco", destination, ...at);
    expect([again.code, objectsOf(again.stdout).at(-1)]).toMatchObject([1, { type: "error", code: "export-exists" }]);
    const imported = await dinoscope("import", "coco", destination, ...at);
    expect(objectsOf(imported.stdout).at(-1)).toMatchObject({ type: "import", labelled: 0, unchanged: 8, masked: 0 });
    for (const wrong of [
      ["export", "tiff", "x"],
      ["export", "csv", "x", "--split", "80"],
      ["export", "csv", "x", "--scope", "suggested>=2"],
    ]) {
      expect((await dinoscope(...wrong, ...at)).code).toBe(2);
    }
  },
);

test("--scope suggested>=0.9 adds what the model is so sure of, and says that it was a suggestion", async () => {
  const folder = temporaryFolder();
  const { library, ids } = await makeExportable(folder, [
    { path: "a.jpg", label: ["A"], mask: false },
    { path: "sure.jpg", label: null, mask: false },
    { path: "unsure.jpg", label: null, mask: false },
  ]);
  const model = listModels(library.db)[0]?.id ?? 0;
  const of = (path: string, confidence: number): Parameters<typeof replaceSuggestions>[2][number] => ({
    imageId: ids.get(path) ?? 0,
    labelId: 1,
    share: 1,
    confidence,
    confidenceLow: 0,
    confidenceHigh: 1,
    abstained: false,
    voters: [],
  });
  replaceSuggestions(library.db, model, [of("sure.jpg", 0.95), of("unsure.jpg", 0.85)]);
  library.close();
  const destination = join(folder, "out");
  const { code } = await dinoscope(
    "export",
    "csv",
    destination,
    "--scope",
    "suggested>=0.9",
    "--library",
    join(folder, "library"),
  );
  expect(code).toBe(0);
  expect(existsSync(`${destination}.partial`)).toBe(false);
  const lines = readFileSync(join(destination, "labels.csv"), "utf8").trim().split("\r\n").slice(1);
  expect(lines[0]).toMatch(/^a\.jpg,A,.*person,,/);
  expect(lines[1]).toMatch(/^sure\.jpg,A,/);
  expect(lines[1]).toContain("suggestion,0.95");
  expect(lines.length).toBe(2);
});
