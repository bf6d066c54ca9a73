import type { WantedDevice } from "../engine/protocol.ts";
import type { ForegroundHead } from "../masks/foreground-head.ts";
import { decodeRuns, decompressRuns, encodeRuns, overlapOfRuns, type RunLengths } from "../masks/rle.ts";
import { centreBox, coverage, meanMask } from "../masks/score.ts";
import type { EvaluateMasksSummary, MaskScoreRow } from "../rpc/api.ts";
import type { MaskRecipe, Model } from "../rpc/records.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import { modelFile } from "./model-file.ts";
import { filePaths, findMaskFiles, readMaskFiles, type MaskFile } from "./mask-files.ts";
import { chooseHead, foregroundHead } from "./mask-heads.ts";
import { pipeBatches, slices } from "./pipeline.ts";
import { runJob, type RunningJob, type Watch, type Workplace } from "./run.ts";

export interface EvaluateMasksOptions {
  readonly device: WantedDevice;
  /** Folder of true masks: one PNG for each picture, with the picture's name. */
  readonly truth: string;
  readonly mass: number;
  readonly components: MaskRecipe["components"];
  readonly size: number;
}

type Known = MaskFile & { readonly runs: RunLengths };

/** True masks that the best head is chosen on: as many as a patient user corrects. They are spread over the set. */
const headExamples = 5;

/** Side of the grid on which the set's mean mask is made. */
const meanGrid = 64;

/** Pictures in one request: each gets a mask from every method. */
const batch = 2;

/**
 * Measures each way of making masks against true ones, with and without refinement, beside three masks that need no
 * model: the whole picture, a box in the middle, and the mean of the true masks themselves (which no user has). No mask is
 * stored. Throws `masks-missing` where no file belongs to an image.
 */
export async function evaluateMasks(
  workplace: Workplace,
  model: Model,
  options: EvaluateMasksOptions,
  watch: Watch = {},
): Promise<EvaluateMasksSummary> {
  return runJob(workplace, "masks", { modelId: model.id, ...options }, watch, async (job) => {
    const { engine } = workplace;
    const { device, size, mass } = options;
    const chosen = await engine.call("chooseDevice", { device });
    const { known, failed } = await readTruths(workplace, options.truth, job);
    const few = known.filter((_, i) => i % Math.ceil(known.length / headExamples) === 0);
    const best = await chooseHead(workplace, model, { device, size }, mass, few, job);
    const trained = await foregroundHeadOrNull(workplace, model, options, job);
    const methods = methodsOf(options, best.head, few.length, trained?.hash ?? null);
    const recipes = methods.flatMap(({ recipe }) => [recipe, { ...recipe, refined: true }]);
    const overlaps = await overlapsOf(workplace, model, options, known, recipes, trained?.head ?? null, job, failed);
    return {
      model,
      device: chosen.device,
      size,
      count: known.length,
      headExamples: few.length,
      rows: [
        ...baselines(known),
        ...methods.flatMap(({ name }, i) => [
          scoreRow(name, false, overlaps[2 * i] ?? []),
          scoreRow(name, true, overlaps[2 * i + 1] ?? []),
        ]),
      ],
      failed,
    };
  });
}

async function readTruths(
  { library, engine }: Workplace,
  folder: string,
  job: RunningJob,
): Promise<{ known: Known[]; failed: { path: string; reason: string }[] }> {
  const { found, unmatched } = await findMaskFiles(library.db, folder);
  const known: Known[] = [];
  const report = job.phase("reading true masks", found.length);
  for await (const read of readMaskFiles(engine, found, (problem) => unmatched.push(problem), job.signal)) {
    known.push(...read);
    report(known.length);
  }
  if (known.length > 0) return { known, failed: unmatched };
  const why = unmatched[0] === undefined ? "there is no PNG in it" : `${unmatched[0].path}: ${unmatched[0].reason}`;
  throw new CoreError("masks-missing", `No true mask of ${folder} belongs to an image of the library: ${why}.`, {
    hint: "The folder should hold one PNG for each picture, with the picture's name and size.",
  });
}

/** Null where all rough masks are alike, as an untrained model may have them: then the method has no row. */
async function foregroundHeadOrNull(
  workplace: Workplace,
  model: Model,
  look: EvaluateMasksOptions,
  job: RunningJob,
): Promise<{ readonly hash: string; readonly head: ForegroundHead } | null> {
  try {
    return await foregroundHead(workplace, model, look, job);
  } catch (error) {
    if (errorRecord(error).code !== "masks-missing") throw error;
    return null;
  }
}

function methodsOf(
  { mass, components, size }: EvaluateMasksOptions,
  best: number,
  examples: number,
  headHash: string | null,
): { name: string; recipe: MaskRecipe }[] {
  const plain: MaskRecipe = {
    method: "tokencut",
    heads: null,
    mass: null,
    refined: false,
    components,
    size,
    headHash: null,
  };
  const attention: MaskRecipe = { ...plain, method: "attention", mass };
  return [
    { name: "attention, mean of heads", recipe: attention },
    { name: `attention, head ${best} (best on ${examples})`, recipe: { ...attention, heads: [best] } },
    { name: "TokenCut", recipe: plain },
    ...(headHash === null
      ? []
      : [{ name: "foreground head", recipe: { ...plain, method: "foreground" as const, headHash } }]),
  ];
}

/** For each recipe the overlap of its masks with the true ones. */
async function overlapsOf(
  { library, engine }: Workplace,
  model: Model,
  { device, size }: EvaluateMasksOptions,
  known: readonly Known[],
  recipes: readonly MaskRecipe[],
  head: ForegroundHead | null,
  job: RunningJob,
  failed: { path: string; reason: string }[],
): Promise<number[][]> {
  const report = job.phase("measuring masks", known.length);
  report(0);
  const pathOf = filePaths(library.db);
  const overlaps: number[][] = recipes.map(() => []);
  let done = 0;
  await pipeBatches(
    slices(known, batch),
    (items) =>
      engine.call("maskPictures", {
        model: modelFile(library.folder, model),
        device,
        paths: items.map(({ image }) => pathOf(image)),
        size,
        recipes,
        head,
      }),
    (items, outcomes) => {
      items.forEach(({ image, runs }, i) => {
        const outcome = outcomes[i];
        if (outcome?.ok !== true) {
          failed.push({ path: image.path, reason: outcome?.problem.message ?? "The engine gave no answer." });
          return;
        }
        const { width, height, masks } = outcome.value;
        masks.forEach((mask, k) => overlaps[k]?.push(overlapOfRuns(decompressRuns(mask.runs, width, height), runs)));
      });
      report((done += items.length));
    },
    job.signal,
  );
  return overlaps;
}

function baselines(known: readonly Known[]): MaskScoreRow[] {
  const mean = meanMask(
    known.map(({ runs }) => coverage(decodeRuns(runs), meanGrid, meanGrid)),
    meanGrid,
    meanGrid,
  );
  const against = (name: string, mask: (truth: RunLengths) => RunLengths): MaskScoreRow =>
    scoreRow(
      name,
      null,
      known.map(({ runs }) => overlapOfRuns(mask(runs), runs)),
    );
  return [
    against("the whole picture", ({ width, height }) => ({ width, height, counts: Uint32Array.of(0, width * height) })),
    against("a box in the middle", ({ width, height }) => encodeRuns(centreBox(width, height))),
    against("mean of the true masks", ({ width, height }) => encodeRuns(mean, width, height)),
  ];
}

function scoreRow(method: string, refined: boolean | null, overlaps: readonly number[]): MaskScoreRow {
  const count = overlaps.length;
  const overlap = overlaps.reduce((sum, value) => sum + value, 0) / count;
  const variance = overlaps.reduce((sum, value) => sum + (value - overlap) ** 2, 0) / Math.max(1, count - 1);
  return { method, refined, overlap, standardError: Math.sqrt(variance / count) };
}
