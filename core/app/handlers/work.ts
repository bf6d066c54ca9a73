/** Handlers of core/rpc/methods/work.ts. */
import { exportFormats } from "../../exports/formats.ts";
import type { ExportFormat } from "../../exports/format.ts";
import { splitParts } from "../../exports/records.ts";
import { modelFor } from "../../jobs/export.ts";
import { planExport } from "../../jobs/export-plan.ts";
import { sampleExport } from "../../jobs/export-sample.ts";
import { importFormats } from "../../jobs/import-dataset.ts";
import type { workMethods } from "../../rpc/methods/work.ts";
import type { ImportFormatRow } from "../../rpc/views.ts";
import { exportScopeOf, modelOf, type Handlers, type Office } from "../office.ts";

/** Images that a preview names. */
const shownImages = 24;

/** Formats that come as one file, or as a file or the folder that it lies in. */
const takes: Readonly<Record<string, ImportFormatRow["takes"]>> = { csv: "either", jsonl: "either", coco: "either" };

export function workHandlers(office: Office): Handlers<typeof workMethods> {
  const { queue, library } = office;
  return {
    "jobs.list": ({ limit }) => queue.views(limit),
    "jobs.start": (request) => queue.start(request),
    "jobs.stop": ({ jobId }) => queue.stop(jobId),
    "jobs.pause": ({ jobId }) => queue.pause(jobId),
    "jobs.resume": ({ jobId }) => queue.resume(jobId),
    "exports.formats": () =>
      Object.entries(exportFormats).map(([name, format]: [string, ExportFormat]) => ({
        name,
        summary: format.summary,
        needs: format.needs,
        usesMask: format.needs.mask || format.uses?.mask === true,
      })),
    "exports.preview": ({ format: name, modelId, scope, ...rest }) => {
      const choice = { ...rest, scope: exportScopeOf(office, scope, modelId) };
      const format: ExportFormat = exportFormats[name];
      const named = modelId === undefined ? {} : { model: modelOf(office, modelId).name };
      const model = modelFor({ library }, format, { scope: choice.scope, ...named });
      const { images, classes, ...left } = planExport(library.db, format, model, choice);
      const { withoutLabel, withoutMask, withoutEmbedding, largestGroup } = left;
      const counts = new Map<number, number>();
      for (const { classIndex } of images) {
        if (classIndex !== null) counts.set(classIndex, (counts.get(classIndex) ?? 0) + 1);
      }
      const parts = splitParts.filter((_, part) => (choice.split?.[part] ?? 0) > 0);
      return {
        images: images.length,
        labels: classes.map((label, index) => ({ name: label.name, images: counts.get(index) ?? 0 })),
        withoutLabel,
        withoutMask,
        withoutEmbedding,
        parts: parts.map((part) => ({ part, images: images.filter(({ split }) => split === part).length })),
        largestGroup,
        first: images.slice(0, shownImages).map((image) => ({
          imageId: image.id,
          name: image.name,
          label: image.classIndex === null ? null : (classes[image.classIndex]?.name ?? null),
          part: image.split,
        })),
      };
    },
    "exports.sample": ({ format, modelId, scope, ...rest }) => {
      const named = modelId === undefined ? {} : { model: modelOf(office, modelId).name };
      return sampleExport(office, format, { ...rest, ...named, scope: exportScopeOf(office, scope, modelId) });
    },
    "imports.formats": () =>
      ["masks-folder", ...importFormats].map((name) => ({ name, takes: takes[name] ?? "folder" })),
  };
}
