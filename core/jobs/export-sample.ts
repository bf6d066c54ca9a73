/** The first files of an export, made as the real ones are and written nowhere. */
import type { ExportFolder } from "../exports/folder.ts";
import type { ExportFormat } from "../exports/format.ts";
import { exportFormats, type ExportFormatName } from "../exports/formats.ts";
import type { ExportImage } from "../exports/records.ts";
import { splitParts } from "../exports/records.ts";
import type { ExportSample, SampleFile } from "../rpc/views.ts";
import { modelFor, readDetails, type ExportOptions } from "./export.ts";
import { planExport, type ExportChoice } from "./export-plan.ts";
import type { Workplace } from "./run.ts";

/** Images whose files are made: enough to see the pattern, few enough to be quick with large masks. */
const sampleImages = 6;

/** What is shown of a text file. */
const shownLines = 14;
const shownColumns = 240;

/** Writes the export of its first images to memory. Throws `model-missing` for a format that needs a model. */
export async function sampleExport(
  workplace: Pick<Workplace, "library">,
  formatName: ExportFormatName,
  options: ExportChoice & Pick<ExportOptions, "model">,
): Promise<ExportSample> {
  const { db } = workplace.library;
  const format: ExportFormat = exportFormats[formatName];
  const model = modelFor(workplace, format, options);
  const planned = planExport(db, format, model, options);
  const first = planned.images.slice(0, sampleImages);
  if (first.length === 0) return { images: 0, files: [] };
  const plan = {
    classes: planned.classes,
    imageCount: first.length,
    embeddingWidth: model?.width ?? 0,
    parts: options.split === null ? [] : splitParts.filter((_, part) => (options.split?.[part] ?? 0) > 0),
    model: model === null ? null : { name: model.name, hash: model.hash },
  };
  const files: SampleFile[] = [];
  const folder: ExportFolder = {
    write: async (path, content) => {
      files.push({ path, lines: await firstLines(content) });
    },
    picture: (_image, path) => {
      files.push({ path, lines: null });
      return Promise.resolve(true);
    },
    rename: () => undefined,
  };
  await format.write(plan, detailed(), folder);
  return { images: first.length, files };

  async function* detailed(): AsyncGenerator<ExportImage> {
    // Masks of one image at a time: they may be large.
    for (const image of first) {
      yield* readDetails(workplace, [image], format, model, options.wholeImages);
      // Formats take images as they come; a turn for others between two large masks.
      await new Promise(setImmediate);
    }
  }
}

/** The first lines of a text, cut where they are long; null for bytes. Reads to the end: pictures may come with it. */
async function firstLines(content: Parameters<ExportFolder["write"]>[1]): Promise<readonly string[] | null> {
  let text = "";
  let isText = true;
  const pieces = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
  for await (const piece of pieces) {
    if (typeof piece !== "string") isText = false;
    else if (text.length < shownLines * 10_000) text += piece;
  }
  if (!isText) return null;
  const lines = text.trimEnd().split(/\r?\n/);
  const shown = lines
    .slice(0, shownLines)
    .map((line) => (line.length > shownColumns ? `${line.slice(0, shownColumns)}…` : line));
  return lines.length > shownLines ? [...shown, "…"] : shown;
}
