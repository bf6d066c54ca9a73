import { describe, expect, test } from "vitest";
import { applyStrokes, emptyRuns, sampleRuns, shareOf, type Runs, type Stroke } from "../../renderer/lib/mask-runs.ts";
import { attentionHeat, cosineHeat, cosinesWith, heatPixels, patchOf } from "../../renderer/lib/patch-heat.ts";
import { fitted, panned, placed, zoomedAt } from "../../renderer/lib/zoom.ts";
import { MaskEdit } from "../../renderer/state/mask-edit.svelte.ts";

/** The pixels of run lengths, written out plainly. */
function pixelsOf({ height, width, counts }: Runs): number[] {
  const down = counts.flatMap((count, i) => Array.from({ length: count }, () => i % 2));
  return Array.from({ length: width * height }, (_, at) => down[(at % width) * height + Math.floor(at / width)] ?? -1);
}

/** Whether the centre of a pixel is within the radius of one of the stroke's segments. */
function covers({ points, radius }: Stroke, x: number, y: number): boolean {
  for (let i = 0; i < points.length; i += 2) {
    const [ax = 0, ay = 0] = points.slice(Math.max(0, i - 2));
    const [bx = 0, by = 0] = points.slice(i);
    const squared = (bx - ax) ** 2 + (by - ay) ** 2;
    const along = squared === 0 ? 0 : ((x + 0.5 - ax) * (bx - ax) + (y + 0.5 - ay) * (by - ay)) / squared;
    const t = Math.min(1, Math.max(0, along));
    if (Math.hypot(x + 0.5 - ax - t * (bx - ax), y + 0.5 - ay - t * (by - ay)) <= radius) return true;
  }
  return false;
}

describe("strokes on run lengths", () => {
  test("cover the same pixels as a test of every pixel's distance, brush and eraser in turn", () => {
    const [width, height] = [37, 29];
    const strokes: Stroke[] = [
      { kind: "brush", radius: 5.3, points: [4.2, 6.1, 20.7, 18.9, 33.1, 3.3] },
      { kind: "eraser", radius: 3.1, points: [15.4, 2.2, 15.4, 27.7] },
      { kind: "brush", radius: 2.7, points: [-3, 26.3, 40.2, 26.3] },
      { kind: "brush", radius: 0.9, points: [30.5, 20.5] },
    ];
    const wanted = Array.from({ length: width * height }, (_, at) => {
      const [x, y] = [at % width, Math.floor(at / width)];
      return strokes.reduce((value, stroke) => (covers(stroke, x, y) ? Number(stroke.kind === "brush") : value), 0);
    });
    const drawn = applyStrokes(emptyRuns(width, height), strokes);
    expect(pixelsOf(drawn)).toEqual(wanted);
    expect(drawn.counts.reduce((sum, count) => sum + count, 0)).toBe(width * height);
    expect(shareOf(drawn)).toBeCloseTo(wanted.filter(Boolean).length / wanted.length, 12);
  });

  test("leave the mask as it was where they do not go", () => {
    const base: Runs = { width: 3, height: 4, counts: [2, 4, 3, 3] };
    expect(applyStrokes(base, [])).toEqual(base);
    const far: Stroke = { kind: "eraser", radius: 1, points: [100, 100] };
    expect(pixelsOf(applyStrokes(base, [far]))).toEqual(pixelsOf(base));
  });

  test("are fast on a picture of twelve megapixels", () => {
    const points = Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? 10 * i : 1500 + 900 * Math.sin(i / 30)));
    const started = performance.now();
    const drawn = applyStrokes(emptyRuns(4000, 3000), [{ kind: "brush", radius: 80, points }]);
    // Some 30 ms on an idle core; the bound only catches work that grows with the picture's area.
    expect(performance.now() - started).toBeLessThan(1500);
    expect(shareOf(drawn)).toBeGreaterThan(0.05);
  });

  test("a mask is shown smaller by the pixels that centres fall on", () => {
    const base: Runs = { width: 4, height: 4, counts: [8, 8] };
    expect([...sampleRuns(base, 2, 2)]).toEqual([0, 1, 0, 1]);
    expect([...sampleRuns(base, 4, 4)]).toEqual(pixelsOf(base));
  });

  test("are taken back and drawn again one by one", () => {
    const edit = new MaskEdit();
    edit.begin(1, 1, 100, "brush");
    edit.extend(30, 1);
    edit.begin(5, 5, 100, "eraser");
    edit.undo();
    expect(edit.strokes.map(({ kind }) => kind)).toEqual(["brush"]);
    expect(edit.strokes[0]?.points).toEqual([1, 1, 30, 1]);
    edit.redo();
    expect(edit.strokes).toHaveLength(2);
    edit.undo();
    edit.begin(9, 9, 100, "brush");
    expect(edit.undone).toEqual([]);
  });
});

describe("what the model sees of patches", () => {
  const grid = { rows: 1, columns: 4, depth: 2, whole: true, values: Float32Array.of(0, 1, 2, 3, 3, 2, 1, 0) };

  test("is the mean of the chosen heads, from the coldest patch to the warmest", () => {
    expect([...attentionHeat(grid, [0]).values].slice(0, 2)).toEqual([0, 0.5]);
    expect([...attentionHeat(grid, null).values]).toEqual([0, 0, 0, 0]);
  });

  test("is compared by cosine, a patch with itself at 1", () => {
    const unit = { ...grid, values: Float32Array.of(1, 0, 0, 1, 0.6, 0.8, -1, 0) };
    const cosines = cosinesWith(patchOf(unit, 0), unit);
    expect([...cosines].map((cosine) => Math.round(100 * cosine) / 100)).toEqual([1, 0, 0.6, -1]);
    const heat = cosineHeat(cosines, 1, 4, 0.2);
    expect([...heat.values].map((value) => Math.round(100 * value) / 100)).toEqual([1, 0, 0.5, 0]);
    // What is cold is dark, so that heat is seen on pictures of its own colours.
    const pixels = [...heatPixels(heat)];
    expect(pixels.filter((_, i) => i % 4 === 3)).toEqual([255, 204, 217, 204]);
    expect(pixels.slice(4, 7)).toEqual([8, 10, 14]);
    expect(pixels[0]).toBeGreaterThan(240);
  });
});

describe("zooming", () => {
  const [picture, space] = [
    { width: 4000, height: 3000 },
    { width: 800, height: 800 },
  ];

  test("begins with the whole picture in the middle", () => {
    expect(placed(picture, space, fitted)).toEqual({ left: 0, top: 100, width: 800, height: 600 });
  });

  test("keeps the point under the pointer where it is", () => {
    const zoom = zoomedAt(picture, space, fitted, 3, 300, 350);
    const after = placed(picture, space, zoom);
    expect((300 - after.left) / after.width).toBeCloseTo(300 / 800, 9);
    expect((350 - after.top) / after.height).toBeCloseTo(250 / 600, 9);
  });

  test("does not lose the picture, however far it is dragged", () => {
    const zoom = panned(picture, space, zoomedAt(picture, space, fitted, 4, 400, 400), 99_999, -99_999);
    const { left, top, width, height } = placed(picture, space, zoom);
    expect(left).toBeCloseTo(0, 6);
    expect(top + height).toBeCloseTo(800, 6);
    expect(width).toBe(3200);
  });
});
