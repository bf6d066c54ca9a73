import { beforeEach, describe, expect, test, vi } from "vitest";
import { commandTable } from "../../renderer/commands/table.ts";
import type { App, AppCommand } from "../../renderer/state/app.svelte.ts";
import { Commands } from "../../renderer/state/commands.svelte.ts";
import { Core } from "../../renderer/state/core.svelte.ts";
import { Labels } from "../../renderer/state/labels.svelte.ts";
import { Preferences } from "../../renderer/state/preferences.svelte.ts";
import { Rebinding } from "../../renderer/state/rebinding.svelte.ts";
import { Toasts } from "../../renderer/state/toasts.svelte.ts";
import { fakeCore, type FakeCore } from "./fake-core.ts";

const table = commandTable([{ id: "grid", title: "Grid", keys: ["Shift+G"] }]);
let fake: FakeCore;
let commands: Commands<App>;
let labels: Labels;
let preferences: Preferences;
let rebinding: Rebinding;

beforeEach(async () => {
  vi.useFakeTimers();
  fake = fakeCore();
  const core = new Core(fake.client, new Toasts());
  commands = new Commands<App>({} as App, table);
  labels = new Labels(core);
  labels.taken = (key) => commands.takes(key);
  const label = (id: number): object => ({
    label: { id, name: `Label ${id}`, parentId: null },
    imageCount: 0,
    totalImageCount: 0,
    children: [],
  });
  fake.answers["labels.list"] = { tree: [1, 2, 3, 4].map(label), keys: [{ labelId: 4, key: "7" }] };
  await labels.load();
  preferences = new Preferences(core);
  rebinding = new Rebinding({ commands, core, labels, preferences });
  return () => vi.useRealTimers();
});

function commandOf(id: string): AppCommand {
  const found = table.find((command) => command.id === id);
  if (found === undefined) throw new Error(`There is no command ${id}.`);
  return found;
}

function press(id: string, key: string): void {
  rebinding.begin(commandOf(id));
  const held = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };
  expect(rebinding.press({ key, ...held })).toBe(true);
  commands.own = preferences.choices.keys;
}

async function takeOver(): Promise<void> {
  await rebinding.takeOver();
  commands.own = preferences.choices.keys;
}

const holders = (): string[] => rebinding.clash?.commands.map(({ id }) => id) ?? [];
const keysOfId = (id: string): readonly string[] => commands.keysFor(commandOf(id));
const stroke = (key: string) => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false });

describe("keys that are given", () => {
  test("what means something else in the same place is said, and not what is meant elsewhere", () => {
    press("next-unlabelled", "x");
    // It is for the grid and an open picture: that clusters, the review and the checks have X too is no matter.
    expect(holders().toSorted()).toEqual(["eraser", "toggle-selected"]);
    expect(keysOfId("next-unlabelled")).toEqual(["N"]);
    rebinding.cancel();
    // What can be done anywhere meets everything.
    press("show-history", "m");
    expect(holders().toSorted()).toEqual(["show-mask", "train-measure"]);
  });

  test("free keys are given at once", () => {
    press("next-unlabelled", "F9");
    expect(rebinding.clash).toBeNull();
    expect(keysOfId("next-unlabelled")).toEqual(["F9"]);
    press("checks-keep", "m");
    expect(rebinding.clash).toBeNull();
    expect(keysOfId("checks-keep")).toEqual(["M"]);
  });

  test("keys that are taken over work for one and no more for the other", async () => {
    press("next-unlabelled", "x");
    await takeOver();
    expect(keysOfId("next-unlabelled")).toEqual(["X"]);
    expect(keysOfId("toggle-selected")).toEqual(["Mod+Space"]);
    expect(keysOfId("eraser")).toEqual([]);
    expect(keysOfId("leave-out")).toContain("X");
    // The usual keys of the other would clash in turn.
    rebinding.reset(commandOf("eraser"));
    expect(holders()).toEqual(["next-unlabelled"]);
    await takeOver();
    expect(keysOfId("eraser")).toEqual(["X"]);
    expect(keysOfId("next-unlabelled")).toEqual([]);
  });

  test("a label's key is said too; the label gets another", async () => {
    expect(labels.ofKey("3")?.label.id).toBe(3);
    press("next-unlabelled", "3");
    expect(rebinding.clash?.labels.map(({ label }) => label.id)).toEqual([3]);
    await takeOver();
    expect(keysOfId("next-unlabelled")).toEqual(["3"]);
    expect(labels.ofKey("3")).toBeUndefined();
    expect(labels.byId.get(3)?.key).toBe("4");
    // One that the user gave is taken from the label in the library.
    press("next-unlabelled", "7");
    await takeOver();
    expect(fake.asked).toContainEqual({ method: "labels.setKey", params: { labelId: 4, key: null } });
  });

  test("labels have no keys where nothing is labelled", () => {
    press("train-keep", "3");
    expect(rebinding.clash).toBeNull();
    expect(keysOfId("train-keep")).toEqual(["3"]);
  });

  test("Escape leaves everything as it was", () => {
    press("next-unlabelled", "x");
    expect(rebinding.press(stroke("Escape"))).toBe(true);
    expect(rebinding.clash).toBeNull();
    expect(rebinding.press(stroke("Escape"))).toBe(false);
    expect(preferences.choices.keys).toEqual({});
  });
});
