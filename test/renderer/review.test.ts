import { describe, expect, test } from "vitest";
import type { Operation } from "../../core/rpc/records.ts";
import type { PrecisionStep } from "../../core/rpc/views.ts";
import {
  labelledSince,
  mistakeWords,
  nextUndecided,
  precisionWords,
  settled,
  stepAtConfidence,
  usualStep,
  type Decision,
} from "../../renderer/lib/review.ts";

const steps: readonly PrecisionStep[] = [
  { confidence: 0.99, count: 100, expected: 0.99, low: 0.97, high: 1 },
  { confidence: 0.93, count: 412, expected: 0.968, low: 0.94, high: 0.987 },
  { confidence: 0.6, count: 900, expected: 0.81, low: 0.7, high: 0.9 },
];

function operation(change: Partial<Operation>): Operation {
  return {
    id: 1,
    kind: "assign-labels",
    summary: "",
    state: "done",
    changeCount: 1,
    createdAt: 10,
    ...change,
  };
}

describe("the precision slider", () => {
  test("starts where about 95 of 100 are right, and at none where nothing is so sure", () => {
    expect(usualStep(steps)).toBe(2);
    expect(usualStep(steps.slice(2))).toBe(0);
    expect(usualStep([])).toBe(0);
  });

  test("says what accepting means, without those that were skipped", () => {
    const [, second] = steps;
    if (second === undefined) throw new Error("There are three.");
    expect(precisionWords(second, 0)).toBe("Accept 412 at about 97 %, between 94 and 99");
    expect(precisionWords(second, 12)).toBe("Accept 400 at about 97 %, between 94 and 99");
    expect(precisionWords({ ...second, count: 1234 }, 0)).toContain("1,234");
  });

  test("says how many may be wrong, and what that takes for granted", () => {
    const step = { confidence: 0.9, count: 100, expected: 0.97, low: 0.94, high: 0.99 };
    expect(mistakeWords(step)).toBe("perhaps 3 to 6 wrong, if the rest are of the kinds labelled so far");
    expect(mistakeWords({ ...step, low: 0.97 })).toBe("perhaps 3 wrong, if the rest are of the kinds labelled so far");
    expect(mistakeWords({ ...step, expected: 1, low: 1 })).toBe("all of them right");
  });

  test("stays at its confidence when the list under it changes", () => {
    expect(stepAtConfidence(steps, 0.93)).toBe(2);
    expect(stepAtConfidence(steps.slice(1), 0.93)).toBe(1);
    expect(stepAtConfidence(steps, 1)).toBe(0);
  });
});

describe("deciding one after the other", () => {
  const ids = [4, 7, 9, 12];
  const decided = (...given: readonly (readonly [number, Decision])[]): Map<number, Decision> => new Map(given);

  test("goes on to the next undecided image, then from the start, and stops when all are decided", () => {
    expect(nextUndecided(ids, decided([7, "accepted"]), 1)).toBe(2);
    expect(nextUndecided(ids, decided([9, "accepted"], [12, "rejected"]), 2)).toBe(0);
    expect(nextUndecided(ids, new Map(ids.map((id) => [id, "skipped" as const])), 0)).toBe(-1);
    expect(nextUndecided([], new Map(), 0)).toBe(-1);
  });

  test("what was undone is undecided again, what was labelled elsewhere is decided, what was skipped stays so", () => {
    const before = decided([4, "accepted"], [7, "rejected"], [12, "skipped"]);
    expect(settled(ids, before, new Set([4, 9, 12]))).toEqual(decided([7, "rejected"], [12, "skipped"]));
    expect(settled(ids, before, new Set([7]))).toEqual(decided([4, "accepted"], [9, "labelled"], [12, "labelled"]));
  });
});

test("labels count as new since the suggestions unless they were undone, came earlier, or are none", () => {
  const operations = [
    operation({ createdAt: 30, changeCount: 5 }),
    operation({ createdAt: 40, changeCount: 3, kind: "label-cluster" }),
    operation({ createdAt: 50, changeCount: 100, state: "undone" }),
    operation({ createdAt: 20, changeCount: 100 }),
    operation({ createdAt: 60, changeCount: 100, kind: "rename-label" }),
  ];
  expect(labelledSince(operations, 20)).toBe(8);
});
