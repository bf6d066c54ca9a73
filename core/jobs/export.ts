import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { exportFormats, type ExportFormatName } from "../exports/formats.ts";
import type { ExportFormat } from "../exports/format.ts";
import { UnreadablePicture, writeExport, type PictureChoice, type Written } from "../exports/folder.ts";
import type { ExportImage, ExportObject, ExportPlan } from "../exports/records.ts";
import { fullRuns } from "../exports/shapes.ts";
import { splitParts } from "../exports/records.ts";
import { readEmbeddings } from "../library/embeddings.ts";
import { maskScoreOf, masksOfImages } from "../library/masks.ts";
import { listModels } from "../library/models.ts";
import { listSources } from "../library/sources.ts";
import { decompressRuns } from "../masks/rle.ts";
import type { ExportSummary } from "../rpc/api.ts";
import type { Mask, Model } from "../rpc/records.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import { planExport, type ExportChoice, type PlannedExport, type PlannedImage } from "./export-plan.ts";
import { modelInUse } from "./models.ts";
import { slices } from "./pipeline.ts";
import { runJob, type Watch, type Workplace } from "./run.ts";

export interface ExportOptions extends ExportChoice {
  readonly destination: string;
  readonly model?: string | undefined;
  /** Puts the export in the place of an earlier one. */
  readonly replace: boolean;
  /** Links to the pictures instead of copies. */
  readonly link: boolean;
  /** Turns pictures that EXIF turns, for programs that pass over it. */
  readonly upright: boolean;
}

/** Images whose masks and embeddings are in memory at a time. */
const pageImages = 256;

/** Version of the manifest itself. */
const manifestVersion = 1;

/**
 * Writes labels, masks or embeddings for other tools. The folder appears whole or not at all, so a job that was stopped or
 * killed is simply started again. Throws `export-exists`, `export-inside` for a folder inside a source or the library,
 * `export-empty` where no image has what the format needs, and `model-missing` where it needs one.
 */
export async function exportImages(
  workplace: Workplace,
  formatName: ExportFormatName,
  options: ExportOptions,
  watch: Watch = {},
): Promise<ExportSummary> {
  const destination = resolve(options.destination);
  const parameters = { format: formatName, ...options, destination };
  return runJob(workplace, "export", parameters, watch, async (job) => {
    const started = performance.now();
    const { db } = workplace.library;
    const format: ExportFormat = exportFormats[formatName];
    await refuseInside(workplace, destination);
    const model = modelFor(workplace, format, options);
    job.phase("choosing images", 0)(0);
    const planned = planExport(db, format, model, options);
    if (planned.images.length === 0) throw nothingToExport(formatName, format, planned);
    const plan: ExportPlan = {
      classes: planned.classes,
      imageCount: planned.images.length,
      embeddingWidth: model?.width ?? 0,
      parts: options.split === null ? [] : splitParts.filter((_, part) => (options.split?.[part] ?? 0) > 0),
      model: model === null ? null : { name: model.name, hash: model.hash },
    };
    const objectCounts = new Map<string, number>();
    const report = job.phase("writing", planned.images.length);
    async function* images(): AsyncGenerator<ExportImage> {
      let done = 0;
      for (const page of slices(planned.images, pageImages)) {
        for (const image of readDetails(workplace, page, format, model, options.wholeImages)) {
          job.signal.throwIfAborted();
          objectCounts.set(image.path, image.objects.length);
          yield image;
          report(++done);
          // The library is read without waiting; the signal and the progress need their turn.
          if (done % 16 === 0) await new Promise(setImmediate);
        }
      }
    }
    const folder = { destination, replace: options.replace, pictures: pictureChoice(workplace, options) };
    let written: Written | undefined;
    await writeExport(
      folder,
      (target) => format.write(plan, images(), target),
      (all) => {
        job.signal.throwIfAborted();
        written = all;
        return manifestOf(formatName, format, options, plan, planned, all);
      },
    );
    const { files, skipped } = written ?? { files: [], skipped: [] };
    const gone = new Set(skipped.map(({ path }) => path));
    const kept = planned.images.filter(({ path }) => !gone.has(path));
    return {
      format: formatName,
      folder: destination,
      images: kept.length,
      labels: planned.classes.length,
      objects: kept.reduce((sum, { path }) => sum + (objectCounts.get(path) ?? 0), 0),
      parts: partCounts(plan, kept),
      files: files.length,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      withoutLabel: planned.withoutLabel,
      withoutMask: planned.withoutMask,
      withoutEmbedding: planned.withoutEmbedding,
      skipped,
      largestGroup: planned.largestGroup,
      durationMs: performance.now() - started,
    };
  });
}

/** Sources are never written to, and the library keeps its own files. */
async function refuseInside({ library }: Workplace, destination: string): Promise<void> {
  // The folder itself is not there yet: what it lies in may be a link.
  const real = join(await realParent(destination), basename(destination));
  const kept = [library.folder, ...listSources(library.db).map(({ folder }) => folder)];
  for (const folder of kept) {
    const inner = relative(await realpath(folder).catch(() => folder), real);
    if (inner === ".." || inner.startsWith(`..${sep}`) || isAbsolute(inner)) continue;
    throw new CoreError("export-inside", `${destination} lies inside ${folder}, which exports never touch.`, {
      hint: "Choose a folder outside your pictures and the library.",
    });
  }
}

async function realParent(path: string): Promise<string> {
  const parent = dirname(path);
  if (parent === path) return path;
  return realpath(parent).catch(async () => join(await realParent(parent), basename(parent)));
}

/** The model whose embeddings or suggestions are asked for; null where neither is. */
/** The model that an export needs, or whose name it gives; null where there are several and none is named. */
export function modelFor(
  { library }: Pick<Workplace, "library">,
  { needs }: ExportFormat,
  { model, scope }: Pick<ExportOptions, "model" | "scope">,
): Model | null {
  const isNeeded = needs.embedding || scope.kind === "suggested" || model !== undefined;
  if (isNeeded) return modelInUse(library.db, model);
  return listModels(library.db).length === 1 ? modelInUse(library.db, undefined) : null;
}

function nothingToExport(name: string, { needs }: ExportFormat, planned: PlannedExport): CoreError {
  const { withoutLabel, withoutMask, withoutEmbedding } = planned;
  const [what, hint] =
    withoutMask > 0
      ? [`${withoutMask} have no mask`, "Run `dinoscope masks`, or add --whole-images for boxes around whole pictures."]
      : withoutEmbedding > 0
        ? [`${withoutEmbedding} have no embedding`, "Run `dinoscope embed` first."]
        : withoutLabel > 0 && needs.label
          ? [`${withoutLabel} have no label`, "Label some images first."]
          : ["none is in this scope", "Label some images first, or export with --scope all."];
  return new CoreError("export-empty", `There is no image to export as ${name}: ${what}.`, { hint });
}

/** Images with their masks and embeddings. */
export function* readDetails(
  { library: { db } }: Pick<Workplace, "library">,
  page: readonly PlannedImage[],
  { needs, uses }: ExportFormat,
  model: Model | null,
  wholeImages: boolean,
): Generator<ExportImage> {
  const ids = page.map(({ id }) => id);
  const masks = needs.mask || uses?.mask === true ? masksOfImages(db, ids) : new Map<number, Mask>();
  const vectors = needs.embedding && model !== null ? readEmbeddings(db, model.id, { imageIds: ids }) : null;
  const rows = new Map(vectors?.imageIds.map((id, row) => [id, row]));
  for (const image of page) {
    const mask = masks.get(image.id);
    const { width, height } = image;
    const classIndex = image.classIndex ?? 0;
    const fits = mask?.width === width && mask.height === height;
    const objects: ExportObject[] =
      mask !== undefined && fits
        ? [{ classIndex, runs: decompressRuns(mask.runs, width, height), score: scoreOf(mask) }]
        : needs.mask && wholeImages
          ? [{ classIndex, runs: fullRuns(width, height), score: null }]
          : [];
    const row = rows.get(image.id);
    const embedding =
      vectors === null || row === undefined
        ? null
        : vectors.matrix.subarray(row * vectors.width, (row + 1) * vectors.width);
    yield { ...image, objects, embedding };
  }

  /** A mask that somebody corrected is no longer what the model's scores say. */
  function scoreOf({ imageId, edited }: Mask): ExportObject["score"] {
    return edited ? null : maskScoreOf(db, imageId);
  }
}

function pictureChoice({ engine }: Workplace, { link, upright }: ExportOptions): PictureChoice {
  if (!upright) return { link, turn: null };
  return {
    link,
    turn: async (from, to) => {
      const outcome = await engine.call("uprightCopy", { from, to }).catch((error: unknown) => {
        const { code, message } = errorRecord(error);
        if (code === "engine-crashed") throw new UnreadablePicture(message);
        throw error;
      });
      if (outcome.ok) return outcome.value.turned;
      throw new UnreadablePicture(outcome.problem.message);
    },
  };
}

function partCounts({ parts }: ExportPlan, images: readonly PlannedImage[]): { part: string; images: number }[] {
  return parts.map((part) => ({ part, images: images.filter(({ split }) => split === part).length }));
}

/** A scope for the manifest: chosen images are counted, not listed, since the files list them. */
function describedScope(scope: ExportOptions["scope"]): object {
  return scope.kind === "images" ? { kind: scope.kind, images: scope.imageIds.length } : scope;
}

/** What the manifest says: enough to know what this is, to make it again, and to see that it is whole. */
function manifestOf(
  formatName: ExportFormatName,
  format: ExportFormat,
  { scope, split, seed, link, upright, wholeImages }: ExportOptions,
  plan: ExportPlan,
  planned: PlannedExport,
  { files, names, skipped }: Written,
): object {
  const gone = new Set(skipped.map(({ path }) => path));
  const kept = planned.images.filter(({ path }) => !gone.has(path));
  const perClass = new Map<number | null, number>();
  for (const { classIndex } of kept) perClass.set(classIndex, (perClass.get(classIndex) ?? 0) + 1);
  return {
    writtenBy: "dinoscope",
    manifestVersion,
    format: formatName,
    formatVersion: format.version,
    createdAt: new Date().toISOString(),
    options: { scope: describedScope(scope), split, seed, link, upright, wholeImages },
    model: plan.model,
    counts: {
      images: kept.length,
      unlabelled: perClass.get(null) ?? 0,
      labels: plan.classes.map(({ path, name }, i) => ({ label_path: path, name, images: perClass.get(i) ?? 0 })),
      parts: partCounts(plan, kept),
    },
    leftOut: {
      withoutLabel: planned.withoutLabel,
      withoutMask: planned.withoutMask,
      withoutEmbedding: planned.withoutEmbedding,
      skipped,
    },
    names,
    files,
  };
}
