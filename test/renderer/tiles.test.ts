import { describe, expect, test } from "vitest";
import { layTiles, stepFrom, tileEdge, tilesBetween, tilesHeight } from "../../renderer/lib/tiles.ts";

const shape = { width: 500, least: 100, ratio: 0.5, below: 20, gap: 10 };

describe("a wall of tiles", () => {
  test("fills its width with tiles that are not narrower than wanted", () => {
    for (let width = 40; width < 900; width += 13) {
      const tiles = layTiles(50, { ...shape, width });
      expect(tiles.across * tiles.width + (tiles.across - 1) * shape.gap).toBeCloseTo(width);
      if (width >= shape.least) expect(tiles.width).toBeGreaterThanOrEqual(shape.least);
      // One more would not fit.
      expect((tiles.across + 1) * shape.least + tiles.across * shape.gap).toBeGreaterThan(width);
    }
  });

  test("shows every tile that touches the window, and no row beyond it", () => {
    const tiles = layTiles(47, shape);
    for (let top = 0; top < tilesHeight(tiles); top += 7) {
      const bottom = top + 130;
      const { from, to } = tilesBetween(tiles, top, bottom);
      for (let at = 0; at < 47; at++) {
        const edge = tileEdge(tiles, at).top;
        const touches = edge + tiles.height > top && edge < bottom;
        if (touches) expect(at >= from && at < to).toBe(true);
        else if (at >= from && at < to) expect(edge + tiles.pitch > top && edge < bottom).toBe(true);
      }
    }
    expect(tilesBetween(layTiles(0, shape), 0, 500)).toEqual({ from: 0, to: 0 });
  });

  test("arrows stay on the wall, and down leads into a short last row", () => {
    const wall = { count: 10, across: 4 };
    expect(stepFrom(0, "left", wall)).toBe(0);
    expect(stepFrom(3, "right", wall)).toBe(4);
    expect(stepFrom(2, "up", wall)).toBe(2);
    expect(stepFrom(5, "up", wall)).toBe(1);
    expect(stepFrom(5, "down", wall)).toBe(9);
    expect(stepFrom(7, "down", wall)).toBe(9);
    expect(stepFrom(9, "down", wall)).toBe(9);
    expect(stepFrom(9, "right", wall)).toBe(9);
    expect(stepFrom(4, "end", wall)).toBe(9);
    expect(stepFrom(4, "start", wall)).toBe(0);
    expect(stepFrom(9, "page-up", wall)).toBe(0);
    expect(stepFrom(0, "page-down", wall)).toBe(9);
    expect(stepFrom(0, "down", { count: 0, across: 4 })).toBe(0);
  });
});
