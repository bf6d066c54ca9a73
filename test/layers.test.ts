import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { layers, packages, pure } from "../layers.config.js";

const root = resolve(import.meta.dirname, "..");
const allowed: Record<string, readonly string[]> = layers;

/** `core/graph` for core/graph/ops/linear.ts, `core/app` for core/app.ts, `electron` for electron/main.ts. */
function roomOf(file: string): string {
  const [first = "", second = ""] = relative(root, file).split(sep);
  return ["core", "renderer"].includes(first) ? `${first}/${second.replace(/(\.svelte)?(\.ts)?$/, "")}` : first;
}

/** The script of a component, a module whole. */
function scriptOf(file: string): string {
  const text = readFileSync(file, "utf8");
  return file.endsWith(".svelte")
    ? [...text.matchAll(/<script[^>]*>(.*?)<\/script>/gs)].map(([, body]) => body).join()
    : text;
}

interface Import {
  readonly file: string;
  readonly room: string;
  readonly specifier: string;
}

const imports: Import[] = ["core", "electron", "renderer"]
  .flatMap((folder) => globSync(`${folder}/**/*.{ts,svelte}`, { cwd: root }))
  .flatMap((path) => {
    const file = join(root, path);
    const { importedFiles } = ts.preProcessFile(scriptOf(file), true, true);
    return importedFiles.map(({ fileName }) => ({ file, room: roomOf(file), specifier: fileName }));
  });

describe("the layers of docs/architecture.md", () => {
  test("every file lives in a room of the table", () => {
    const rooms = new Set(imports.map(({ room }) => room));
    expect([...rooms].filter((room) => allowed[room] === undefined)).toEqual([]);
    expect(imports.length).toBeGreaterThan(100);
  });

  test("no file imports a room that its own may not know", () => {
    const wrong = imports
      .filter(({ specifier }) => specifier.startsWith(".") && !specifier.endsWith(".css"))
      .map(({ file, room, specifier }) => ({ file, room, target: roomOf(resolve(dirname(file), specifier)) }))
      .filter(({ room, target }) => target !== room && !allowed[room]?.includes(target))
      .map(({ file, target }) => `${relative(root, file)} imports ${target}`);
    expect(wrong).toEqual([]);
  });

  test("packages with native code are named only where the table says", () => {
    const wrong = Object.entries(packages as Record<string, readonly string[]>).flatMap(([name, rooms]) =>
      imports
        .filter(({ specifier }) => specifier === name || specifier.startsWith(`${name}/`))
        .filter(({ room }) => !rooms.includes(room))
        .map(({ file }) => `${relative(root, file)} imports ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test("rooms that run in the page do not use Node", () => {
    const wrong = imports.filter(({ room, specifier }) => pure.includes(room) && specifier.startsWith("node:"));
    expect(wrong).toEqual([]);
  });

  test("the table has no cycle", () => {
    const done = new Set<string>();
    const visit = (room: string, path: readonly string[]): void => {
      expect(path, `${[...path, room].join(" -> ")}`).not.toContain(room);
      if (done.has(room)) return;
      for (const next of allowed[room] ?? []) visit(next, [...path, room]);
      done.add(room);
    };
    for (const room of Object.keys(allowed)) visit(room, []);
  });
});
