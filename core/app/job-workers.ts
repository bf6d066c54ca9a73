/** How the jobs of the contract are done, each by what the terminal uses too. */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { drawSampleLibrary } from "../engine/sample-process.ts";
import { importFormats, type ImportFormat } from "../jobs/import-dataset.ts";
import type { Watch } from "../jobs/run.ts";
import { describeJob } from "../library/jobs.ts";
import type { RunEvent } from "../rpc/api.ts";
import type { ChangeKind } from "../rpc/messages.ts";
import type { JobKind } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import type { JobWorkers } from "./job-queue.ts";
import { pretrainChoiceOf } from "./handlers/runs.ts";
import { deviceOf, exportScopeOf, modelOf, type Office } from "./office.ts";

/** What is other than before while a job of a kind goes on. */
export const changesOfJob: Readonly<Record<JobKind, readonly ChangeKind[]>> = {
  ingest: ["sources", "images", "embeddings", "suggestions", "masks"],
  embed: ["embeddings", "models"],
  suggest: ["suggestions"],
  // What was split and merged before is no longer in the history.
  cluster: ["clusters", "history"],
  map: ["map"],
  masks: ["masks"],
  check: ["findings"],
  export: [],
  import: ["labels", "annotations", "masks"],
  download: ["models"],
  pretrain: ["models"],
};

/** The workers of an office. `export` and `import` touch only what the roots allow. */
export function createJobWorkers(office: () => Office): JobWorkers {
  const nameOf = (modelId: number | undefined): string => modelOf(office(), modelId).name;
  const choice = <Rest extends { modelId?: number | undefined; device?: Parameters<typeof deviceOf>[1] }>({
    modelId,
    device,
    ...rest
  }: Rest) => ({ ...rest, model: nameOf(modelId), device: deviceOf(office(), device) });
  return {
    ingest: async (parameters, watch) => {
      const { app, roots } = office();
      if ("folder" in parameters) {
        return app.add(await roots.existing(parameters.folder), parameters, watch);
      }
      return app.add(await drawnSample(office(), parameters.sample, watch), { labelsFromFolders: false }, watch);
    },
    embed: (parameters, watch) => office().app.embed(choice(parameters), watch),
    suggest: (parameters, watch) => office().app.suggest(choice(parameters), watch),
    cluster: (parameters, watch) => office().app.makeClusters(choice(parameters), watch),
    map: (parameters, watch) => office().app.map(choice(parameters), watch),
    masks: ({ recipe, retrain, ...rest }, watch) => office().app.masks({ ...choice(rest), ...recipe, retrain }, watch),
    check: ({ modelId, kinds, device }, watch) => {
      const { app } = office();
      const known = modelId !== undefined || app.models().length > 0;
      const model = known ? { model: nameOf(modelId) } : {};
      return app.check({ ...model, kinds, temperature: 0.07, device: deviceOf(office(), device) }, watch);
    },
    export: async ({ format, folder, modelId, scope: asked, ...rest }, watch) => {
      const destination = await office().roots.fresh(folder);
      const model = modelId === undefined ? {} : { model: nameOf(modelId) };
      const scope = exportScopeOf(office(), asked, modelId);
      return office().app.exportImages(format, { ...rest, ...model, scope, destination }, watch);
    },
    import: async ({ format, path }, watch) => {
      const { app, roots } = office();
      const real = await roots.existing(path);
      if (format === "masks-folder") return app.importMasks(real, watch);
      if (!importFormats.includes(format as ImportFormat)) {
        throw new CoreError("option-invalid", `There is no format ${format} to import.`, {
          hint: `Choose from: ${["masks-folder", ...importFormats].join(", ")}.`,
        });
      }
      return app.importDataset(format as ImportFormat, real, watch);
    },
    pretrain: async (parameters, watch) => {
      const following = { ...watch, onRun: runTeller(office(), watch) };
      if ("runId" in parameters) {
        const device = deviceOf(office(), parameters.device);
        return office().app.resumePretraining({ ...parameters, device }, following);
      }
      const { name, probeEvery, stopOnCollapse, ...choice } = parameters;
      const care = {
        ...(name === undefined ? {} : { name }),
        ...(probeEvery === undefined ? {} : { probeEvery }),
        ...(stopOnCollapse === undefined ? {} : { stopOnCollapse }),
      };
      return office().app.pretrain({ ...care, ...(await pretrainChoiceOf(office(), choice)) }, following);
    },
    download: ({ name }, watch) => office().app.downloadModel(name, { baseUrl: undefined, sha256: undefined }, watch),
  };
}

/**
 * Says what happens in a run to the page, and notes the run in its job once there is a checkpoint: a job that goes on
 * then goes on with that run.
 */
function runTeller(office: Office, { jobId }: Watch): (event: RunEvent) => void {
  let runId = 0;
  let noted = false;
  return (event) => {
    if (event.kind === "begun") runId = event.run.id;
    if (event.kind === "saved" && !noted && jobId !== undefined) {
      describeJob(office.library.db, jobId, { runId });
      noted = true;
    }
    office.emit({ event: "run", data: { runId, event } });
  };
}

/** The folder of the sample pictures beside the library's files; drawn now where they are not all there. */
async function drawnSample(
  { library }: Office,
  sample: { readonly photosPerSku: number; readonly seed: number },
  watch: Watch,
): Promise<string> {
  const folder = join(library.folder, "sample", `${sample.photosPerSku}-${sample.seed}`);
  // The list of labels is written last: where it is, all pictures are.
  const isDrawn = await stat(join(folder, "labels.csv")).then(
    () => true,
    () => false,
  );
  if (!isDrawn) {
    await mkdir(folder, { recursive: true });
    const started = Date.now();
    await drawSampleLibrary({
      folder,
      ...sample,
      signal: watch.signal,
      onProgress: (done, total) => {
        const perSecond = (1000 * done) / Math.max(1, Date.now() - started);
        const remainingMs = perSecond > 0 ? (1000 * (total - done)) / perSecond : null;
        watch.onProgress?.({ phase: "drawing the sample pictures", done, total, perSecond, remainingMs });
      },
    });
  }
  return join(folder, "photos");
}
