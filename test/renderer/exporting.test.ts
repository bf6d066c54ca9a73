import { describe, expect, test } from "vitest";
import { freshName, liesIn, parentOf } from "../../renderer/lib/export-formats.ts";
import { Core } from "../../renderer/state/core.svelte.ts";
import { Destination } from "../../renderer/state/destination.svelte.ts";
import type { Library } from "../../renderer/state/library.svelte.ts";
import { Toasts } from "../../renderer/state/toasts.svelte.ts";
import { fakeCore, type FakeCore } from "./fake-core.ts";

/** A destination of the library `/home/ann/shelves`, whose source is /home/ann/photos. */
function destination(there: readonly string[]): { fake: FakeCore; target: Destination } {
  const fake = fakeCore();
  fake.answers["files.roots"] = [{ path: "/home/ann/photos", name: "photos" }];
  fake.answers["files.list"] = { folders: there.map((name) => ({ name, path: `/home/ann/${name}` })), files: [] };
  const core = new Core(fake.client, new Toasts());
  const overview = {
    folder: "/home/ann/shelves",
    name: "shelves",
    sources: [{ source: { folder: "/home/ann/photos" } }],
  };
  const library = { overview } as unknown as Library;
  return { fake, target: new Destination({ core, library }, () => "shelves csv") };
}

describe("where an export goes", () => {
  test("it begins beside the library, under a name that is free", async () => {
    const { target } = destination(["photos", "shelves", "Shelves CSV", "shelves csv 2"]);
    await target.begin();
    expect(target.path).toBe("/home/ann/shelves csv 3");
    expect(target.problem).toBeUndefined();
  });

  test("a source is no place to begin with, nor one to choose", async () => {
    const { fake, target } = destination([]);
    fake.answers["files.list"] = Promise.reject(new Error("outside"));
    await target.begin();
    expect(target.path).toBe("");
    await target.choose("/home/ann/photos/2026");
    expect(target.problem).toContain("source of pictures");
  });

  test("what is there already is said before, and no more once the name or the wish is another", async () => {
    const { target } = destination(["demo"]);
    await target.begin();
    target.typedName = " Demo ";
    expect(target.problem).toContain("There is a folder of this name");
    target.replace = true;
    expect(target.problem).toBeUndefined();
    expect(target.isTaken).toBe(true);
    target.replace = false;
    target.typedName = "another";
    expect(target.problem).toBeUndefined();
    target.typedName = " ";
    expect(target.problem).toBe("The folder needs a name.");
  });
});

test("paths of either kind of slash", () => {
  expect(parentOf("/home/ann/shelves")).toBe("/home/ann");
  expect(parentOf("/shelves")).toBe("/");
  expect(parentOf("C:\\Data\\shelves")).toBe("C:\\Data");
  expect(parentOf("C:\\shelves")).toBe("C:\\");
  expect(liesIn("/home/ann/photos", "/home/ann/photos/a")).toBe(true);
  expect(liesIn("/home/ann/photos/", "/home/ann/photos")).toBe(true);
  expect(liesIn("/home/ann/photos", "/home/ann/photos 2")).toBe(false);
  expect(liesIn("C:\\Data", "C:\\Data\\x")).toBe(true);
  expect(freshName("a", new Set())).toBe("a");
});
