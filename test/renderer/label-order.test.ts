import { describe, expect, test } from "vitest";
import { orderRows, withoutFolded } from "../../renderer/lib/label-order.ts";

const row = (name: string, depth: number, totalImageCount: number) => ({ label: { name }, depth, totalImageCount });

/** Two shelves with goods, in the order in which they were made. */
const shelves = [
  row("Dairy", 0, 7),
  row("Milk", 1, 2),
  row("Cheese", 1, 5),
  row("Goat", 2, 1),
  row("Fruit", 0, 30),
  row("Plum 10", 1, 4),
  row("plum 2", 1, 4),
  row("Bread", 0, 7),
];
const namesIn = (rows: readonly { label: { name: string } }[]): string => rows.map(({ label }) => label.name).join(" ");

describe("the order of labels in a tree", () => {
  test("by name, lower labels stay below theirs, and numbers count as numbers", () => {
    expect(namesIn(orderRows(shelves, "name"))).toBe("Bread Dairy Cheese Goat Milk Fruit plum 2 Plum 10");
  });

  test("by images, the fullest comes first and equals go by name", () => {
    expect(namesIn(orderRows(shelves, "images"))).toBe("Fruit plum 2 Plum 10 Bread Dairy Cheese Goat Milk");
  });

  test("its own order is left alone", () => {
    expect(orderRows(shelves, "own")).toEqual(shelves);
  });

  test("what is below a folded label is out of sight, at every depth, and what follows is not", () => {
    const isFolded = (names: readonly string[]) => (one: (typeof shelves)[number]) => names.includes(one.label.name);
    expect(namesIn(withoutFolded(shelves, isFolded(["Dairy"])))).toBe("Dairy Fruit Plum 10 plum 2 Bread");
    expect(namesIn(withoutFolded(shelves, isFolded(["Cheese", "Fruit"])))).toBe("Dairy Milk Cheese Fruit Bread");
  });
});
