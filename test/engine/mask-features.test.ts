import { writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { patchesFor } from "../../core/engine/patch-models.ts";
import { decodeForMask, decodeWhole } from "../../core/image/mask-input.ts";
import { maskOfScores, scorePatches, type PatchFeatures } from "../../core/masks/pipeline.ts";
import { decodeRuns } from "../../core/masks/rle.ts";
import type { MaskRecipe } from "../../core/rpc/records.ts";
import { refusalOf, refusalOfAsync } from "../helpers/refusal.ts";
import { temporaryFolder } from "../library/support.ts";

const recipe: MaskRecipe = {
  method: "attention",
  heads: null,
  mass: 0.6,
  refined: false,
  components: "largest",
  size: 64,
  headHash: null,
};

describe("patches of a picture", () => {
  test("keep its proportions and about the number of a square", () => {
    expect(patchesFor({ patch: 16 }, 448, 1000, 1000)).toEqual({ rows: 28, columns: 28 });
    expect(patchesFor({ patch: 16 }, 448, 1600, 900)).toEqual({ rows: 21, columns: 37 });
    expect(patchesFor({ patch: 14 }, 224, 300, 400)).toEqual({ rows: 18, columns: 14 });
  });

  test("of a strip are stretched, so that none is without neighbours", () => {
    expect(patchesFor({ patch: 16 }, 224, 20_000, 10)).toEqual({ rows: 7, columns: 28 });
    expect(patchesFor({ patch: 16 }, 16, 1, 500)).toEqual({ rows: 2, columns: 1 });
  });

  test("are bounded", () => {
    expect(refusalOf(() => patchesFor({ patch: 8 }, 1024, 10, 10))).toContain("option-invalid: ");
    expect(refusalOf(() => patchesFor({ patch: 16 }, 8, 10, 10))).toContain("option-invalid: ");
  });
});

/** For each EXIF orientation: degrees clockwise, then whether left and right change places. */
const turnedBack: Readonly<Record<number, readonly [number, boolean]>> = {
  1: [0, false],
  2: [0, true],
  3: [180, false],
  4: [180, true],
  5: [90, true],
  6: [270, false],
  7: [270, true],
  8: [90, false],
};

describe("a picture for masks", () => {
  /** Left half red, right half blue as it is shown, whatever its EXIF orientation; 40 x 24 upright. */
  async function halves(file: string, orientation: number): Promise<void> {
    const upright = Uint8Array.from({ length: 40 * 24 * 3 }, (_, i) => {
      const [left, channel] = [Math.floor(i / 3) % 40 < 20, i % 3];
      return (left && channel === 0) || (!left && channel === 2) ? 250 : 10;
    });
    // The stored picture is the upright one turned back, and mirrored then; orientations undo the mirror first.
    const [angle, mirrored] = turnedBack[orientation] ?? [0, false];
    const { data, info } = await sharp(upright, { raw: { width: 40, height: 24, channels: 3 } })
      .rotate(angle)
      .raw()
      .toBuffer({ resolveWithObject: true });
    const raw = { width: info.width, height: info.height, channels: 3 as const };
    const image = sharp(data, { raw }).flop(mirrored);
    writeFileSync(file, await image.withMetadata({ orientation }).png().toBuffer());
  }

  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "with EXIF orientation %i stands upright, for the model and beside it",
    async (orientation) => {
      const file = join(temporaryFolder(), "photo.png");
      await halves(file, orientation);
      const { width, height, input, guide } = await decodeForMask(file, {
        inputSize: () => ({ width: 32, height: 16 }),
        guidePixels: 10_000,
      });
      expect([width, height, input.width, input.height, guide?.width, guide?.height]).toEqual([40, 24, 32, 16, 40, 24]);
      for (const picture of [input, guide ?? input, await decodeWhole(file)]) {
        const at = (x: number, y: number): number[] => [
          ...picture.data.subarray(3 * (y * picture.width + x), 3 * (y * picture.width + x) + 3),
        ];
        for (const y of [0, picture.height - 1]) {
          expect(at(0, y)[0]).toBeGreaterThan(200);
          expect(at(picture.width - 1, y)[2]).toBeGreaterThan(200);
        }
      }
    },
  );

  test("is bounded beside the model, and not decoded twice where nobody asks", async () => {
    const file = join(temporaryFolder(), "photo.png");
    await halves(file, 6);
    const size = { inputSize: () => ({ width: 16, height: 16 }) };
    const { guide, width } = await decodeForMask(file, { ...size, guidePixels: 240 });
    expect([guide?.width, guide?.height, width]).toEqual([20, 12, 40]);
    const alone = await decodeForMask(file, { ...size, guidePixels: 0 });
    expect(alone.guide).toBeNull();
    expect([alone.input.width, alone.input.height, alone.width, alone.height]).toEqual([16, 16, 40, 24]);
    // Both ways show the model the same picture: a level or two of 255 come from rounding to bytes in between.
    const both = await decodeForMask(file, { ...size, guidePixels: 10_000 });
    const difference = Math.max(...both.input.data.map((value, i) => Math.abs(value - (alone.input.data[i] ?? 0))));
    expect(difference).toBeLessThanOrEqual(2);
  });

  test("that is none is refused", async () => {
    const file = join(temporaryFolder(), "photo.png");
    writeFileSync(file, "no picture at all");
    expect(await refusalOfAsync(() => decodeWhole(file))).toContain("picture-format: ");
  });
});

describe("masks from features", () => {
  // A bright block in the upper left of 4 x 4 patches, and a lone bright patch at the lower right.
  const attention = Float32Array.of(8, 8, 1, 1, 8, 8, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3);
  const features: PatchFeatures = { rows: 4, columns: 4, heads: 1, attention, keys: null, tokens: null };
  const block = [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

  test("hold the largest part, or all", () => {
    const cut = (changes: Partial<MaskRecipe>): number[] =>
      Array.from(scorePatches(features, { ...recipe, mass: 0.75, ...changes }, null).values, (value) =>
        Number(value >= 0.5),
      );
    expect(cut({})).toEqual(block);
    expect(cut({ components: "all" })).toEqual([...block.slice(0, 15), 1]);
  });

  test("have the size of the picture, patch by patch", () => {
    const runs = maskOfScores(scorePatches(features, recipe, null), recipe, { width: 8, height: 4, guide: null });
    expect([...runs.counts]).toEqual([0, 2, 2, 2, 2, 2, 2, 2, 18]);
    expect(decodeRuns(runs).data.filter(Boolean)).toHaveLength(8);
  });

  test("follow the picture's edges when refined, and stay as they are where there is nothing to follow", () => {
    const scores = scorePatches(features, recipe, null);
    const flat = { width: 64, height: 64, data: new Uint8Array(3 * 64 * 64).fill(90) };
    const runs = maskOfScores(scores, { ...recipe, refined: true }, { width: 128, height: 128, guide: flat });
    expect([runs.width, runs.height]).toEqual([128, 128]);
    const share = decodeRuns(runs).data.filter(Boolean).length / 128 ** 2;
    expect(share).toBeGreaterThan(0.1);
    expect(share).toBeLessThan(0.4);
  });

  test("of a method that lacks its features are a mistake of the program", () => {
    expect(refusalOf(() => scorePatches(features, { ...recipe, method: "tokencut" }, null))).toContain("internal: ");
    expect(refusalOf(() => scorePatches(features, { ...recipe, mass: null }, null))).toContain("option-invalid: ");
  });
});
