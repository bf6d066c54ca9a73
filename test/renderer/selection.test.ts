import { flushSync } from "svelte";
import { describe, expect, test } from "vitest";
import { IdSet, idsFromText, idsToText } from "../../renderer/lib/id-set.ts";
import { Selection, type Order } from "../../renderer/state/selection.svelte.ts";
import { followed } from "./followed.svelte.ts";

/** Images in an order of its own: 10, 20, 30, ... */
function orderOf(count: number): Order {
  return {
    count,
    idAt: (at) => (at < count ? (at + 1) * 10 : undefined),
    placeOf: (id) => (id % 10 === 0 && id <= count * 10 ? id / 10 - 1 : -1),
  };
}

describe("the selection", () => {
  test("a click selects one image and a click with Control adds another", () => {
    const selection = new Selection();
    selection.only(20);
    selection.toggle(50);
    expect(selection.ids()).toEqual([20, 50]);
    selection.toggle(20);
    expect(selection.ids()).toEqual([50]);
    selection.only(30);
    expect(selection.ids()).toEqual([30]);
  });

  test("Shift selects from the last click, again from there, whichever way", () => {
    const selection = new Selection();
    const order = orderOf(10);
    selection.only(50);
    selection.range(order, 70);
    expect(selection.ids()).toEqual([50, 60, 70]);
    selection.range(order, 30);
    expect(selection.ids()).toEqual([30, 40, 50]);
    expect(selection.focus).toBe(30);
  });

  test("Control and Shift add a range to what was selected", () => {
    const selection = new Selection();
    const order = orderOf(10);
    selection.only(10);
    selection.toggle(50);
    selection.range(order, 70, true);
    expect(selection.ids()).toEqual([10, 50, 60, 70]);
  });

  test("a box gives back what it leaves", () => {
    const selection = new Selection();
    selection.only(10);
    selection.begin(true);
    selection.sweep([20, 30, 40]);
    selection.sweep([20]);
    expect(selection.ids()).toEqual([10, 20]);
    selection.begin(false);
    selection.sweep([90]);
    expect(selection.ids()).toEqual([90]);
  });

  test("acts are about the focused image where none is selected", () => {
    const selection = new Selection();
    expect(selection.target()).toEqual([]);
    selection.point(40);
    expect(selection.target()).toEqual([40]);
    selection.only(10);
    expect(selection.target()).toEqual([10]);
  });

  test("what cannot be seen is no act's target, whatever was pointed at or selected before", () => {
    const selection = new Selection();
    selection.isListed = (id) => id <= 30;
    selection.point(40);
    expect(selection.pointed).toBeNull();
    expect(selection.target()).toEqual([]);
    selection.replace([20, 30, 40, 50]);
    expect(selection.target()).toEqual([20, 30]);
    selection.isListed = () => false;
    expect(selection.target()).toEqual([]);
  });

  test("a list that became shorter takes what it lost out of the selection, the focus and the start of a range", () => {
    const selection = new Selection();
    selection.all(orderOf(100));
    selection.point(900);
    const { version } = selection;
    selection.keepTo(orderOf(3));
    expect(selection.ids()).toEqual([10, 20, 30]);
    expect(selection.focus).toBeNull();
    expect(selection.version).toBeGreaterThan(version);
    // No range starts at what is gone.
    selection.range(orderOf(100), 20);
    expect(selection.ids()).toEqual([20]);
    const after = selection.version;
    selection.keepTo(orderOf(100));
    expect(selection.version).toBe(after);
  });

  test("who shows an image hears of changes", () => {
    const selection = new Selection();
    const seen: boolean[] = [];
    const stop = followed(() => seen.push(selection.has(20)));
    flushSync();
    selection.only(20);
    flushSync();
    selection.clear();
    flushSync();
    stop();
    expect(seen).toEqual([false, true, false]);
  });

  test("100,000 images are selected well within 200 ms", () => {
    const selection = new Selection();
    const order = orderOf(100_000);
    const start = performance.now();
    selection.all(order);
    expect(performance.now() - start).toBeLessThan(100);
    expect(selection.count).toBe(100_000);
    selection.invert(order);
    expect(selection.count).toBe(0);
  });
});

describe("ids as bits and as text", () => {
  test("bits hold what a set holds", () => {
    const bits = new IdSet();
    const set = new Set<number>();
    for (let step = 1; step < 5000; step++) {
      const id = (step * 7919) % 3001;
      if (step % 3 === 0) {
        bits.delete(id);
        set.delete(id);
      } else {
        bits.add(id);
        set.add(id);
      }
    }
    expect([...bits.values()]).toEqual([...set].sort((a, b) => a - b));
    expect(bits.size).toBe(set.size);
  });

  test("text gives back the ids, and nonsense nothing", () => {
    const ids = [1, 2, 3, 31, 32, 33, 64, 1_000_000];
    expect(idsFromText(idsToText(ids), 100)).toEqual(ids);
    expect(idsToText([])).toBe("");
    expect(idsFromText("1-zzzzzz", 1000)).toBeNull();
    expect(idsFromText("3-1", 1000)).toBeNull();
    expect(idsFromText("<script>", 1000)).toBeNull();
  });
});
