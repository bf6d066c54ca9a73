/**
 * Files from the test suites of image libraries, which are not part of this repository. DIFFICULT_PICTURES names a
 * folder with them and a manifest.tsv: path, what is expected, stored width and height, EXIF orientation.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeForModel } from "../../core/image/model-input.ts";
import { preparePictures } from "../../core/image/prepare.ts";
import { CoreError } from "../../core/util/errors.ts";

const folder = process.env["DIFFICULT_PICTURES"] ?? "";

interface Entry {
  readonly path: string;
  readonly expected: string;
  readonly width: number;
  readonly height: number;
}

function readManifest(): Entry[] {
  const [head = "", ...lines] = readFileSync(join(folder, "manifest.tsv"), "utf8").trimEnd().split("\n");
  const names = head.split("\t");
  return lines.map((line) => {
    const cells = line.split("\t");
    const cell = (name: string): string => cells[names.indexOf(name)] ?? "";
    const stored = [Number(cell("width")), Number(cell("height"))] as const;
    const [width, height] = Number(cell("exif_orientation")) >= 5 ? [stored[1], stored[0]] : stored;
    return { path: join(folder, cell("path")), expected: cell("expect"), width, height };
  });
}

const refusal = /^picture-(format|broken|too-large|timeout)$/;

/** What each word of the manifest allows: taken in, refused, or both. */
const allowed: Readonly<Record<string, { readonly ok: boolean; readonly refused: RegExp | null }>> = {
  ok: { ok: true, refused: null },
  "ok-or-unsupported": { ok: true, refused: /^picture-(format|broken)$/ },
  either: { ok: true, refused: refusal },
  limit: { ok: false, refused: refusal },
  reject: { ok: false, refused: refusal },
};

describe.skipIf(folder === "")("difficult pictures (skipped unless DIFFICULT_PICTURES names their folder)", () => {
  test("all end as their manifest says, in one run of bounded memory", async () => {
    const entries = readManifest();
    expect(entries.length).toBeGreaterThan(0);
    const outcomes = await preparePictures(entries.map((entry) => entry.path));
    const surprises: string[] = [];
    for (const [index, entry] of entries.entries()) {
      const outcome = outcomes[index];
      const rule = allowed[entry.expected];
      if (outcome === undefined || rule === undefined) throw new Error(`Cannot judge ${entry.path}: ${entry.expected}`);
      const found = outcome.ok ? "ok" : outcome.problem.code;
      if (outcome.ok ? !rule.ok : !rule.refused?.test(found))
        surprises.push(`${entry.path}: ${entry.expected}, ${found}`);
      if (outcome.ok && entry.width > 0) {
        const size = `${outcome.value.width} x ${outcome.value.height}`;
        if (size !== `${entry.width} x ${entry.height}`) surprises.push(`${entry.path}: upright size ${size}`);
      }
      // What ingest takes in, a model has to be able to see.
      const seen = await decodeForModel(entry.path).then(
        () => "ok",
        (error: unknown) => (error instanceof CoreError ? error.code : String(error)),
      );
      if (seen !== found) surprises.push(`${entry.path}: ${found} at ingest, ${seen} for the model`);
    }
    expect(surprises).toEqual([]);
    expect(process.resourceUsage().maxRSS).toBeLessThan(2 ** 20); // in kilobytes: 1 GB
  });
});
