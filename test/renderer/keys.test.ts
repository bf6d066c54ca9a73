import { describe, expect, test } from "vitest";
import { isApple, keysOf, printedKeys, type Stroke } from "../../renderer/lib/keys.ts";
import { Commands, type Command } from "../../renderer/state/commands.svelte.ts";

const stroke = (key: string, held: Partial<Stroke> = {}): Stroke => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...held,
});

describe("keys in words", () => {
  test.each<[Stroke, boolean, string | null]>([
    [stroke("z", { ctrlKey: true }), false, "Mod+Z"],
    [stroke("Z", { ctrlKey: true, shiftKey: true }), false, "Mod+Shift+Z"],
    [stroke("z", { metaKey: true }), true, "Mod+Z"],
    [stroke("a", { ctrlKey: true }), true, "Ctrl+A"],
    [stroke("?", { shiftKey: true }), false, "?"],
    [stroke("ArrowLeft", { shiftKey: true }), false, "Shift+ArrowLeft"],
    [stroke(" "), false, "Space"],
    [stroke("1"), false, "1"],
    [stroke("ö"), false, "Ö"],
    [stroke("Shift", { shiftKey: true }), false, null],
  ])("%j (Apple: %s) is %s", (event, apple, keys) => expect(keysOf(event, apple)).toBe(keys));

  test("they are printed as on the keyboard at hand", () => {
    expect(printedKeys("Mod+Shift+Z", true)).toEqual(["⌘", "⇧", "Z"]);
    expect(printedKeys("Mod+ArrowLeft", false)).toEqual(["Ctrl", "←"]);
    expect(printedKeys("+", false)).toEqual(["+"]);
    expect(printedKeys("Mod++", false)).toEqual(["Ctrl", "+"]);
    expect(isApple("MacIntel")).toBe(true);
    expect(isApple("Linux x86_64")).toBe(false);
  });
});

interface Desk {
  readonly log: string[];
  open: boolean;
}
const table: readonly Command<Desk>[] = [
  {
    id: "close",
    title: "Close",
    group: "Desk",
    keys: ["Escape"],
    when: (desk) => desk.open,
    run: (desk) => void desk.log.push("close"),
  },
  { id: "clear", title: "Clear", group: "Desk", keys: ["Escape", "C"], run: (desk) => void desk.log.push("clear") },
  {
    id: "find",
    title: "Find",
    group: "Desk",
    keys: ["Mod+K"],
    always: true,
    run: (desk) => void desk.log.push("find"),
  },
];

function commandOf(id: string): Command<Desk> {
  const found = table.find((command) => command.id === id);
  if (found === undefined) throw new Error(`There is no ${id}.`);
  return found;
}

describe("commands", () => {
  test("the first that can be done takes the key", () => {
    const desk = { log: [], open: true };
    const commands = new Commands(desk, table);
    commands.press(stroke("Escape"), false);
    desk.open = false;
    commands.press(stroke("Escape"), false);
    expect(desk.log).toEqual(["close", "clear"]);
  });

  test("single keys are text while typing, combinations that say so are not", () => {
    const desk = { log: [], open: false };
    const commands = new Commands(desk, table);
    expect(commands.press(stroke("c"), true)).toBe(false);
    expect(commands.press(stroke("k", { ctrlKey: true }), true)).toBe(true);
    expect(desk.log).toEqual(["find"]);
  });

  test("own keys take the place of those of the table", () => {
    const desk = { log: [], open: false };
    const commands = new Commands(desk, table);
    commands.own = { clear: ["X"] };
    expect(commands.press(stroke("c"), false)).toBe(false);
    expect(commands.press(stroke("x"), false)).toBe(true);
    expect(commands.keysOfId("clear")).toBe("X");
    expect(commands.takes("X")).toBe(true);
    expect(commands.conflicts(commandOf("find"), "X").map(({ id }) => id)).toEqual(["clear"]);
  });
});
