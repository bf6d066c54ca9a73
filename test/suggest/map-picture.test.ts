import { describe, expect, test } from "vitest";
import { mapPicture } from "../../core/suggest/map-picture.ts";

const options = { title: "Map", subtitle: "of a model", none: "no label" };

/** A parser of its own for what the picture may be: elements that close, quoted attributes, escaped text. */
function wellFormed(svg: string): boolean {
  const open: string[] = [];
  const rest = svg.replace(
    /<(\/?)([a-z]+)((?:\s+[a-zA-Z-]+="[^"<]*")*)\s*(\/?)>/g,
    (_, close, name, _attributes, empty) => {
      if (close === "/") {
        if (open.pop() !== name) open.push("wrong");
      } else if (empty !== "/") {
        open.push(String(name));
      }
      return "";
    },
  );
  return open.length === 0 && !/[<>]/.test(rest) && !/&(?!amp;|lt;|gt;)/.test(rest);
}

describe("the picture of a map", () => {
  test("escapes names, whatever they hold", () => {
    const svg = mapPicture(
      [
        { x: 0, y: 0, group: '<script href="x">&\u0000' },
        { x: 1, y: 1, group: null },
      ],
      { ...options, title: "a < b & c" },
    );
    expect(wellFormed(svg)).toBe(true);
    expect(svg).toContain("&lt;script");
    expect(svg).not.toContain("<script");
    expect(svg).not.toContain("\u0000");
  });

  test("draws every point once inside the frame, in its group's colour", () => {
    const points = Array.from({ length: 50 }, (_, i) => ({ x: i, y: -3 * i, group: i % 2 === 0 ? "even" : null }));
    const svg = mapPicture(points, options);
    const paths = [...svg.matchAll(/<path d="([^"]*)" stroke="([^"]*)"/g)];
    expect(paths.map(([, , colour]) => colour)).toHaveLength(2);
    const dots = paths.flatMap(([, d = ""]) => [...d.matchAll(/M([\d.]+) ([\d.]+)h/g)]);
    expect(dots).toHaveLength(50);
    for (const [, x, y] of dots) {
      expect(Number(x)).toBeGreaterThan(0);
      expect(Number(x)).toBeLessThan(1400);
      expect(Number(y)).toBeGreaterThan(80);
      expect(Number(y)).toBeLessThan(1000);
    }
  });

  test("lists the largest group first with its size, and joins what is too much to tell apart", () => {
    const points = Array.from({ length: 60 }, (_, group) =>
      Array.from({ length: 60 - group }, (_, i) => ({ x: group, y: i, group: `group ${group}` })),
    ).flat();
    const svg = mapPicture(points, options);
    const legend = svg.slice(svg.indexOf("<circle"));
    expect(legend.indexOf("group 0<")).toBeGreaterThan(0);
    expect(legend.indexOf("group 0<")).toBeLessThan(legend.indexOf("group 1<"));
    expect(legend).toContain("25 more");
    const colours = [...legend.matchAll(/fill="(#[0-9a-f]{6})"\/>/g)].map(([, colour]) => colour);
    expect(colours).toHaveLength(36);
    expect(new Set(colours).size).toBe(36);
  });

  test("holds for one point and for none", () => {
    expect(wellFormed(mapPicture([], options))).toBe(true);
    expect(mapPicture([{ x: 3, y: 3, group: null }], options)).not.toContain("NaN");
  });
});
