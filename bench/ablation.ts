/**
 * What multi-crop, centring and the teacher's momentum are worth on a small budget (Caron et al. 2021, tables 7 and 8, and
 * figure 7 ask the same on ImageNet):
 *
 *     node bench/ablation.ts LIBRARY RESULTS.jsonl [iterations] [seeds]
 *
 * LIBRARY is a folder with a labelled library; runs are made in it and discarded. Every variant has the same number of
 * iterations and of pictures, with three seeds unless said otherwise. Measured at the end: the vote of five neighbours
 * on labels of images left out, self-retrieval, and what the run says of its health. RESULTS keeps one line a run, so a
 * bench that was stopped goes on; the table is printed from it.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { openApp } from "../core/app.ts";
import type { PretrainOptions } from "../core/nn/dino/options.ts";

const variants: Readonly<Record<string, PretrainOptions>> = {
  "all of it (momentum 0.99)": {},
  "without multi-crop": { crops: 0 },
  "without centring": { centring: false },
  "momentum 0": { teacherMomentum: 0 },
  "momentum 0.9": { teacherMomentum: 0.9 },
  "momentum 0.996": { teacherMomentum: 0.996 },
};

interface Result {
  readonly variant: string;
  readonly seed: number;
  readonly iterations: number;
  readonly before: number;
  readonly accuracy: number;
  readonly selfRetrieval: number;
  readonly health: string;
  readonly seconds: number;
}

const [folder, file, iterationsText = "400", seedsText = "3"] = process.argv.slice(2);
if (folder === undefined || file === undefined) {
  console.error("Usage: node bench/ablation.ts LIBRARY RESULTS.jsonl [iterations] [seeds]");
  process.exit(1);
}
const iterations = Number(iterationsText);
const results = existsSync(file)
  ? readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Result)
  : [];

const app = openApp({ folder, holder: "bench/ablation", mustExist: true });
try {
  for (let seed = 1; seed <= Number(seedsText); seed++) {
    for (const [variant, options] of Object.entries(variants)) {
      const isDone = results.some(
        (one) => one.variant === variant && one.seed === seed && one.iterations === iterations,
      );
      if (isDone) continue;
      const summary = await app.pretrain({
        ...{ preset: "nano", batch: 32, microBatch: 8, iterations, seed, device: "cpu" as const, ...options },
        ...{ name: `ablation-${Date.now()}`, probeEvery: iterations },
      });
      await app.discardRun(summary.run.id);
      const result: Result = {
        ...{ variant, seed, iterations },
        before: summary.before.accuracy ?? NaN,
        accuracy: summary.after.accuracy ?? NaN,
        selfRetrieval: summary.after.selfRetrieval,
        health: summary.findings.map(({ kind }) => kind).join(" "),
        seconds: summary.durationMs / 1000,
      };
      results.push(result);
      appendFileSync(file, `${JSON.stringify(result)}\n`);
      console.error(result);
    }
  }
} finally {
  await app.close();
}

const percent = (values: readonly number[]): string => values.map((value) => (100 * value).toFixed(1)).join(" ");
console.log("| variant | k-NN %, by seed | mean | self-retrieval %, by seed | health | seconds a run |");
console.log("| --- | --- | --- | --- | --- | --- |");
for (const variant of Object.keys(variants)) {
  const runs = results.filter((one) => one.variant === variant && one.iterations === iterations);
  if (runs.length === 0) continue;
  const mean = (pick: (one: Result) => number): number => runs.reduce((sum, one) => sum + pick(one), 0) / runs.length;
  const cells = [
    variant,
    percent(runs.map(({ accuracy }) => accuracy)),
    percent([mean(({ accuracy }) => accuracy)]),
    percent(runs.map(({ selfRetrieval }) => selfRetrieval)),
    [...new Set(runs.map(({ health }) => health))].join(", "),
    mean(({ seconds }) => seconds).toFixed(0),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}
console.log(
  `\nBefore training: ${percent([results[0]?.before ?? NaN])} %. ${iterations} iterations of 32 pictures each.`,
);
