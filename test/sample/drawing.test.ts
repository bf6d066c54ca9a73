import fc from "fast-check";
import { expect, test } from "vitest";
import { catalogue } from "../../core/sample/catalogue.ts";
import { convexHull, createProjection, signedArea, type Point } from "../../core/sample/geometry.ts";
import { letter } from "../../core/sample/lettering.ts";
import { applyLight, type Light } from "../../core/sample/light.ts";
import { clipArea, createDrawing, fill, toSvg } from "../../core/sample/marks.ts";

const angle = fc.double({ min: -0.5, max: 0.5, noNaN: true });
const length = fc.double({ min: -150, max: 150, noNaN: true });
const point = fc.tuple(length, length);

test("a camera without angles shows the target at the centre, at its scale, and nearer things larger", () => {
  const project = createProjection({
    yaw: 0,
    pitch: 0,
    roll: 0,
    distance: 500,
    scale: 2,
    target: [10, -20, 30],
    centre: [100, 50],
  });
  expect(project([10, -20, 30])).toEqual([100, 50]);
  expect(project([11, -17, 30])).toEqual([102, 56]);
  // Half the distance, twice the size.
  expect(project([11, -17, 280])).toEqual([104, 62]);
});

test("a straight edge stays straight under any camera", () => {
  fc.assert(
    fc.property(
      angle,
      angle,
      angle,
      fc.tuple(length, length, length),
      fc.tuple(length, length, length),
      (yaw, pitch, roll, a, b) => {
        const project = createProjection({
          yaw,
          pitch,
          roll,
          distance: 700,
          scale: 1.5,
          target: [0, 0, 0],
          centre: [0, 0],
        });
        const middle = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2] as const;
        // Twice the area of the triangle of three points on a line; pixels reach some hundreds, so squares some 1e5.
        expect(Math.abs(signedArea([project(a), project(middle), project(b)]))).toBeLessThan(1e-7);
      },
    ),
  );
});

test("the hull has every point on its inner side and only given points as corners", () => {
  fc.assert(
    fc.property(fc.array(point, { minLength: 3, maxLength: 20 }), (points) => {
      const hull = convexHull(points);
      for (const corner of hull) expect(points).toContainEqual(corner);
      if (hull.length < 3) return;
      hull.forEach((corner, index) => {
        const next = hull[(index + 1) % hull.length] ?? corner;
        for (const inside of points) expect(signedArea([corner, next, inside])).toBeGreaterThan(-1e-6);
      });
    }),
  );
});

test("clipping a triangle keeps exactly its points inside the frame", () => {
  const frame = { left: -60, top: -40, right: 50, bottom: 70 };
  const contains = (outline: readonly Point[], [x, y]: Point): boolean => {
    // Even-odd rule by a ray to the right.
    let inside = false;
    outline.forEach(([x1, y1], index) => {
      const [x2, y2] = outline[(index + 1) % outline.length] ?? [x1, y1];
      if (y1 > y !== y2 > y && x < x1 + ((y - y1) / (y2 - y1)) * (x2 - x1)) inside = !inside;
    });
    return inside;
  };
  fc.assert(
    fc.property(point, point, point, fc.array(point, { minLength: 20, maxLength: 20 }), (a, b, c, probes) => {
      const clipped = clipArea([a, b, c], frame);
      for (const probe of probes) {
        const [x, y] = probe;
        const inFrame = x > frame.left && x < frame.right && y > frame.top && y < frame.bottom;
        // Points within rounding of an edge may fall on either side.
        const edges = [
          [a, b],
          [b, c],
          [c, a],
        ] as const;
        const near = edges.some(
          ([p, q]) => Math.abs(signedArea([p, q, probe])) < 1e-6 * (1 + Math.hypot(q[0] - p[0], q[1] - p[1])),
        );
        const border = [x - frame.left, x - frame.right, y - frame.top, y - frame.bottom].some(
          (gap) => Math.abs(gap) < 1e-6,
        );
        if (!near && !border) expect(contains(clipped, probe)).toBe(inFrame && contains([a, b, c], probe));
      }
    }),
  );
});

test("every letter and digit has a form of its own, between its top and its foot", () => {
  const forms = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%&-."].map((character) => {
    const { outlines } = letter(character, { x: 0, y: 10, height: 6, colour: "#000", align: "left" });
    const points = outlines.flat();
    expect(points.length, character).toBeGreaterThan(1);
    for (const [x, y] of points) {
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThanOrEqual(4);
      expect(y).toBeGreaterThanOrEqual(10);
      expect(y).toBeLessThanOrEqual(16);
    }
    return JSON.stringify(outlines);
  });
  // O and 0 are one form, as in many typefaces.
  expect(new Set(forms).size).toBe(forms.length - 1);
});

test("a line of lettering is centred and no wider than allowed", () => {
  for (const sku of catalogue) {
    for (const text of [sku.words, sku.claim, sku.family.brand]) {
      const { outlines } = letter(text, { x: 40, y: 0, height: 12, maxWidth: 50, colour: "#000" });
      const across = outlines.flat().map(([x]) => x);
      const [left, right] = [Math.min(...across), Math.max(...across)];
      expect(right - left).toBeLessThanOrEqual(50 + 1e-9);
      // Rounded strokes stop a little short of the grid, at the left or at the right.
      expect(Math.abs((left + right) / 2 - 40)).toBeLessThan(1);
      expect(text.replaceAll(/[A-Z0-9%&. -]/g, "")).toBe("");
    }
  }
});

test("coordinates are written with two decimals at most", () => {
  const drawing = createDrawing();
  fill(
    drawing,
    [
      [
        [1 / 3, 2 / 3],
        [10, 1e-9],
        [-7.005, 4],
      ],
    ],
    "#123456",
    1 / 3,
  );
  const svg = toSvg(drawing, 20, 10);
  expect(svg).toContain('opacity="0.33"');
  expect(svg).toContain("M0.33 0.67L10 0L-7");
  expect(svg).not.toMatch(/\.\d{3}/);
});

const neutral: Light = {
  exposure: 0,
  warmth: 0,
  tint: 0,
  saturation: 1,
  contrast: 1,
  haze: 0,
  vignette: 0,
  slopeAngle: 0,
  slope: 0,
  spotX: 0.5,
  spotY: 0.5,
  spotRadius: 0.2,
  spot: 0,
  noise: 0,
  noiseSeed: 1,
};

/** A flat picture after a light. */
function lit(colour: readonly [number, number, number], light: Light, side = 64): Uint8Array {
  const pixels = Uint8Array.from({ length: side * side * 3 }, (_, index) => colour[index % 3] ?? 0);
  applyLight(pixels, side, side, light);
  return pixels;
}

test("neutral light changes nothing below the shoulder", () => {
  expect(lit([10, 120, 220], neutral)).toEqual(
    Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => [10, 120, 220][i % 3] ?? 0),
  );
});

test("a stop of exposure doubles, warm light shifts from blue to red, a vignette darkens the corners", () => {
  expect([...lit([20, 40, 80], { ...neutral, exposure: 1 }).slice(0, 3)]).toEqual([40, 80, 160]);
  const [red = 0, , blue = 0] = lit([100, 100, 100], { ...neutral, warmth: 1 });
  expect(red).toBeGreaterThan(110);
  expect(blue).toBeLessThan(85);
  const dark = lit([100, 100, 100], { ...neutral, vignette: 0.5 });
  expect(dark[0]).toBeLessThan(75);
  expect(dark[(32 * 64 + 32) * 3]).toBe(100);
});

test("noise has the standard deviation that was asked for and no mean", () => {
  const levels = lit([120, 120, 120], { ...neutral, noise: 6 }, 128);
  const mean = levels.reduce((sum, level) => sum + level, 0) / levels.length;
  const variance = levels.reduce((sum, level) => sum + (level - mean) ** 2, 0) / levels.length;
  // 49152 values: the standard error is 0.03 for the mean and 0.02 for the deviation; five of them.
  expect(Math.abs(mean - 120)).toBeLessThan(0.15);
  expect(Math.abs(Math.sqrt(variance) - 6)).toBeLessThan(0.15);
});
