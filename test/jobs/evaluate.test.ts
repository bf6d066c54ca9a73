import { writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine, type Engine } from "../../core/engine/supervisor.ts";
import { evaluateNeighbours, type EvaluateOptions } from "../../core/jobs/evaluate.ts";
import type { Workplace } from "../../core/jobs/run.ts";
import { putThumbnails } from "../../core/library/thumbnails.ts";
import type { EvaluateSummary } from "../../core/rpc/api.ts";
import { addPictured, type Pictured } from "../helpers/labelled.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { temporaryWorkplace } from "../helpers/workplace.ts";
import { hashOf, temporaryFolder } from "../library/support.ts";

leaveNothingBehind();

let engine: Engine;
beforeAll(() => (engine = createEngine()));
afterAll(() => engine.close());

const oat = ["drinks", "oat"];
const rye = ["drinks", "rye"];
const cup = ["dishes", "cup"];

/**
 * Seven directions. The nearest other of each: p0 - p1, p1 - p2, p2 - p1, p3 - p2, p4 - p5, p5 - p6, p6 - p5. The three
 * nearest: p0 - p1 p2 p3, p1 - p2 p0 p3, p2 - p1 p0 p3, p3 - p2 p1 p0, p4 - p5 p6 p3, p5 - p6 p4 p3, p6 - p5 p4 p3.
 */
const directions: readonly Required<Pictured>[] = [
  { name: "p0", angle: 0, label: oat },
  { name: "p1", angle: 10, label: oat },
  { name: "p2", angle: 14, label: rye },
  { name: "p3", angle: 30, label: rye },
  { name: "p4", angle: 90, label: cup },
  { name: "p5", angle: 100, label: cup },
  { name: "p6", angle: 101, label: oat },
];

async function evaluate(
  workplace: Workplace,
  pictures: readonly Pictured[],
  options: Partial<EvaluateOptions>,
): Promise<EvaluateSummary> {
  const { model } = addPictured(workplace.library, pictures);
  return evaluateNeighbours(workplace, model, { neighbours: 1, temperature: 0.07, device: "cpu", ...options });
}

/** Right answers by method: top-1, top-5 and coarse top-1, as counts. */
function rightOf({ accuracies, count }: EvaluateSummary): Record<string, number[]> {
  return Object.fromEntries(
    accuracies.map(({ method, top1, top5, coarseTop1 }) => [
      method,
      [top1, top5, coarseTop1 ?? NaN].map((share) => Math.round(share * count * 1e9) / 1e9),
    ]),
  );
}

function fileWith(text: string): string {
  const file = join(temporaryFolder(), "file.csv");
  writeFileSync(file, text);
  return file;
}

describe("leave-one-out", () => {
  test("of the nearest one", async () => {
    const summary = await evaluate(temporaryWorkplace(engine), directions, {});
    expect(summary).toMatchObject({ protocol: "leave-one-out", count: 7, labelCount: 3, neighbours: 1 });
    // Right: p0, p3 and p4; by the labels above, p1 and p2 as well. Oat is on 3 of 7, drinks on 5.
    expect(rightOf(summary)).toEqual({ plane: [3, 3, 5], "commonest label": [3, 3, 5] });
    // Wilson's interval for 3 of 7, from the formula by hand: (3 + z²/2 ∓ z √(12/7 + z²/4)) / (7 + z²), z = 1.96.
    expect(summary.accuracies[0]?.top1Low).toBeCloseTo(0.1582, 3);
    expect(summary.accuracies[0]?.top1High).toBeCloseTo(0.7495, 3);
  });

  test("of three that vote nearly alike", async () => {
    const summary = await evaluate(temporaryWorkplace(engine), directions, { neighbours: 3, temperature: 10 });
    // p0: rye by 2 of 3. p1: rye. p2: oat. p3: oat. p4: cup, oat, rye, the nearest first: right. p5: oat. p6: cup. Only
    // p6 has its own label nowhere among its three. By the labels above, p0 to p3 are right, p4 to p6 wrong.
    expect(rightOf(summary)).toEqual({ plane: [1, 6, 4], "commonest label": [3, 3, 5] });
  });

  test("has a colour histogram beside it where every image has a thumbnail", async () => {
    const workplace = temporaryWorkplace(engine);
    const colours = ["red", "red", "lime", "lime", "blue", "blue", "lime"];
    const thumbnails = await Promise.all(
      colours.map(async (background, i) => {
        const picture = sharp({ create: { width: 8, height: 8, channels: 3, background } });
        return { contentHash: hashOf(i + 1), webp: new Uint8Array(await picture.webp({ lossless: true }).toBuffer()) };
      }),
    );
    putThumbnails(workplace.library.thumbnails, thumbnails);
    // Six of one colour with one of their own label; p6, an oat, is as green as the ryes.
    expect(rightOf(await evaluate(workplace, directions, {}))).toEqual({
      plane: [3, 3, 5],
      "colour histogram": [6, 6, 7],
      "commonest label": [3, 3, 5],
    });
  });
});

test("a split: train votes, every other part is tested, and what is in none is left out", async () => {
  const split = fileWith(
    "path,split\np0.jpg,train\np3.jpg,Train\np4.jpg,train\np1.jpg,test\np2.jpg,val\np5.jpg,test\nnone.jpg,test\n",
  );
  const summary = await evaluate(temporaryWorkplace(engine), directions, { split });
  expect(summary).toMatchObject({ protocol: "split", count: 3, labelCount: 3 });
  // p1 is nearest to p0: right. p2 too, 14 degrees off against p3's 16: wrong, but a drink. p5 to p4: right. Of the three
  // that vote each has another label; the first one stands for the commonest, and is p1's.
  expect(rightOf(summary)).toEqual({ plane: [2, 2, 3], "commonest label": [1, 1, 2] });
});

describe("a truth", () => {
  // Only these three are labelled.
  const known = directions.map(({ name, angle, label }) =>
    ["p0", "p3", "p4"].includes(name) ? { name, angle, label } : { name, angle },
  );

  test("tests the unlabelled images that it names", async () => {
    const truth = fileWith(
      "path,label,coarse\np0.jpg,rye,drinks\np1.jpg,oat,drinks\np2.jpg,rye,drinks\np5.jpg,cup,dishes\np6.jpg,bowl,dishes\n",
    );
    const summary = await evaluate(temporaryWorkplace(engine), known, { truth });
    expect(summary).toMatchObject({ protocol: "split", count: 4, labelCount: 3 });
    // As above; and p6 goes to p4's cup, which is no bowl, but a dish. The row for p0 does not count: it has a label.
    expect(rightOf(summary)).toEqual({ plane: [2, 2, 4], "commonest label": [1, 1, 2] });
  });

  test("finds a label by its name alone where the library has only one of that name", async () => {
    const truth = fileWith("path,label\np1.jpg,oat\np2.jpg,rye\np5.jpg,cup\np6.jpg,bowl\n");
    const summary = await evaluate(temporaryWorkplace(engine), known, { truth });
    expect(rightOf(summary)["plane"]?.slice(0, 2)).toEqual([2, 2]);
  });
});

describe("an evaluation is refused", () => {
  test("without two labels, without anything to test, and with both files at once", async () => {
    const ask = (pictures: readonly Pictured[], options: Partial<EvaluateOptions>): Promise<string> =>
      refusalOfAsync(() => evaluate(temporaryWorkplace(engine), pictures, options));
    expect(await ask(directions.slice(0, 2), {})).toMatch(/^labels-missing: /);
    const all = fileWith(`path,split\n${directions.map(({ name }) => `${name}.jpg,train\n`).join("")}`);
    expect(await ask(directions, { split: all })).toMatch(/^labels-missing: /);
    expect(await ask(directions, { split: fileWith("path,split\nx.jpg,train\n") })).toMatch(/^split-empty: /);
    expect(await ask(directions, { split: all, truth: all })).toMatch(/^option-invalid: /);
    expect(await ask(directions, { split: join(temporaryFolder(), "gone.csv") })).toMatch(/^labels-file-unreadable: /);
  });
});
