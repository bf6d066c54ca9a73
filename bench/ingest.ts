/**
 * What ingest adds to sharp: preparePictures (checks, SHA-256, header, decode, perceptual hash, thumbnail) against sharp
 * alone making the same thumbnails, with the same options and parallelism. The two take turns; a ratio of 1 would be free.
 *
 *   node bench/ingest.ts FOLDER [ROUNDS] [PARALLELISM]
 */
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { preparePictures } from "../core/image/prepare.ts";
import { defaultParallelism, sharp } from "../core/image/setup.ts";

const [folder, rounds = "3", parallel] = process.argv.slice(2);
if (folder === undefined) throw new Error("Usage: node bench/ingest.ts FOLDER [ROUNDS] [PARALLELISM]");
const parallelism = parallel === undefined ? defaultParallelism() : Number(parallel);

const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(jpe?g|png|webp|avif|gif|tiff?)$/i.test(entry.name))
  .map((entry) => `${entry.parentPath}/${entry.name}`);

async function sharpAlone(): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let path = paths[next++]; path !== undefined; path = paths[next++]) {
      // From memory, as the set-up allows no decoder to open files; that is also a little faster.
      await sharp(await readFile(path))
        .resize({ width: 256, height: 256, fit: "inside", withoutEnlargement: true })
        .autoOrient()
        .flatten({ background: "#ffffff" })
        .webp({ quality: 80, effort: 2 })
        .toBuffer()
        .catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: parallelism }, worker));
}

async function prepared(): Promise<void> {
  // In batches, so that the thumbnails of a large folder are not all held at once.
  for (let start = 0; start < paths.length; start += 256) {
    await preparePictures(paths.slice(start, start + 256), { parallelism });
  }
}

async function measured(work: () => Promise<void>): Promise<{ perSecond: number; cpu: number }> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  return { perSecond: paths.length / seconds, cpu: (used.user + used.system) / 1000 / paths.length };
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const ours: { perSecond: number; cpu: number }[] = [];
const alone: typeof ours = [];
for (let round = 0; round < Number(rounds); round++) {
  alone.push(await measured(sharpAlone));
  ours.push(await measured(prepared));
}
const report = (name: string, runs: typeof ours): number => {
  const perSecond = median(runs.map((run) => run.perSecond));
  const cpu = median(runs.map((run) => run.cpu));
  console.log(`${name}: ${perSecond.toFixed(1)} pictures a second, ${cpu.toFixed(2)} ms of CPU a picture`);
  return perSecond;
};
console.log(`${paths.length} files, ${parallelism} at a time, median of ${rounds} rounds`);
const aloneRate = report("sharp alone    ", alone);
const ourRate = report("preparePictures", ours);
console.log(
  `ratio ${(ourRate / aloneRate).toFixed(3)}, peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`,
);
