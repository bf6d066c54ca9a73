/**
 * How far decodeForModel is from the official preprocessing (Pillow's bicubic resize and crop), and how fast.
 *
 *   node bench/pil-compare.ts FOLDER [COUNT]      needs python3 with Pillow; PYTHON names another interpreter
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decodeForModel } from "../core/image/model-input.ts";

const crop = 224;
const [folder, count = "50"] = process.argv.slice(2);
if (folder === undefined) throw new Error("Usage: node bench/pil-compare.ts FOLDER [COUNT]");

const paths = evenly(
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(jpe?g|png|webp)$/i.test(entry.name))
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .sort(),
  Number(count),
);

const script = fileURLToPath(new URL("pil-compare.py", import.meta.url));
const python = spawnSync(process.env["PYTHON"] ?? "python3", [script], {
  input: paths.join("\n"),
  maxBuffer: 2 ** 31,
  stdio: ["pipe", "pipe", "inherit"],
});
if (python.status !== 0) throw new Error("The Python half failed; is Pillow there?");

let total = 0;
let largest = 0;
let worstPicture = 0;
let milliseconds = 0;
for (const [index, path] of paths.entries()) {
  const start = performance.now();
  const ours = await decodeForModel(path, { crop });
  milliseconds += performance.now() - start;
  const theirs = python.stdout.subarray(index * ours.length, (index + 1) * ours.length);
  let sum = 0;
  ours.forEach((byte, at) => {
    const difference = Math.abs(byte - (theirs[at] ?? Number.NaN));
    sum += difference;
    largest = Math.max(largest, difference);
  });
  total += sum / ours.length;
  worstPicture = Math.max(worstPicture, sum / ours.length);
}
console.log(
  `${paths.length} pictures, difference to Pillow in levels of 255: mean ${(total / paths.length).toFixed(3)}, ` +
    `mean of the worst picture ${worstPicture.toFixed(3)}, largest ${largest}; ` +
    `${(milliseconds / paths.length).toFixed(1)} ms a picture, one at a time`,
);

/** At most `count` elements, spread evenly. */
function evenly<T>(values: readonly T[], count: number): T[] {
  const step = Math.max(1, values.length / count);
  return values.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step));
}
