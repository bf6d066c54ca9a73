import { expect, test } from "vitest";
import { bestMatches, matchScore } from "../../renderer/lib/find.ts";
import { labelLines } from "../../renderer/lib/label-lines.ts";
import { ago, bytes, counted, duration, inShort, percent } from "../../renderer/lib/words.ts";

test("the start of a name comes before the middle, and letters in order come last", () => {
  const names = ["Goat Milk", "Oat Drink", "Soy & Oat", "Crisp set"];
  expect(bestMatches("oat", names, (name) => name)).toEqual(["Oat Drink", "Soy & Oat", "Goat Milk"]);
  expect(bestMatches("cst", names, (name) => name)).toEqual(["Crisp set"]);
  expect(bestMatches("", names, (name) => name)).toEqual(names);
});

test("Enter in the label field takes a label that was begun, and else the new name", () => {
  const rows = ["Pepper / Orange Bell", "Apple / Royal Gala", "Ginger ale"].map((path, at) => ({
    label: { id: at + 1, name: path.split(" / ").at(-1) ?? "" },
    path,
  }));
  const lines = (typed: string, create = true, reasons = new Map<number, string>()): string[] =>
    labelLines(typed, rows, { create, reasons }).map((line) =>
      line.kind === "new" ? `new ${line.path}` : `${line.row.path}${line.why && ` (${line.why})`}`,
    );
  expect(lines("ale")).toEqual(["Ginger ale", "new ale"]);
  // Its letters are all in "Orange Bell", one after the other.
  expect(lines("Able")).toEqual(["new Able"]);
  expect(lines("ala")).toEqual(["new ala", "Apple / Royal Gala"]);
  expect(lines("Royal Gala")).toEqual(["Apple / Royal Gala"]);
  expect(lines("oebl", false)).toEqual(["Pepper / Orange Bell"]);
  expect(lines("  ")).toEqual([]);
  expect(lines("", true, new Map([[3, "used last"]]))[0]).toBe("Ginger ale (used last)");
});

test("accents and case make no difference", () => {
  expect(matchScore("creme", "Crème fraîche")).toBe(5);
  expect(matchScore("שלום", "שלום")).toBe(6);
});

test("numbers are said as people say them", () => {
  expect(counted(1, "image")).toBe("1 image");
  expect(counted(12_345, "image")).toBe("12,345 images");
  expect(inShort(123_456)).toBe("123k");
  expect(inShort(1_234_567)).toBe("1.2M");
  expect(percent(0.968)).toBe("97 %");
  expect(duration(400)).toBe("1 s");
  expect(duration(12 * 60_000)).toBe("12 min");
  expect(duration(185 * 60_000)).toBe("3 h 5 min");
  expect(bytes(3_400_000)).toBe("3.4 MB");
  expect(ago(0, 30_000)).toBe("just now");
  expect(ago(0, 5 * 60_000)).toBe("5 min ago");
});
