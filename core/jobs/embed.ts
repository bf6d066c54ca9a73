import type { WantedDevice } from "../engine/protocol.ts";
import type { EmbedSummary } from "../rpc/api.ts";
import type { Model } from "../rpc/records.ts";
import { foregroundSteps } from "./embed-foreground.ts";
import { wholeSteps, type EmbeddingSteps, type ToEmbed } from "./embedding-steps.ts";
import { filePaths } from "./mask-files.ts";
import { onceMore } from "./once-more.ts";
import { pipeBatches } from "./pipeline.ts";
import { runJob, type RunningJob, type Watch, type Workplace } from "./run.ts";

export interface EmbedOptions {
  readonly device: WantedDevice;
}

/**
 * Embeds every readable image that the model has not embedded yet, in id order; of a model that looks at the foreground
 * also those whose mask has changed since. What is stored is never done again, so a job that was stopped or killed goes
 * on where it was. Images that fail are reported and tried again the next time.
 */
export async function embedImages(
  workplace: Workplace,
  model: Model,
  options: EmbedOptions,
  watch: Watch = {},
): Promise<EmbedSummary> {
  const { device } = options;
  return runJob(workplace, "embed", { modelId: model.id, device }, watch, async (job) => {
    const started = performance.now();
    const chosen = await onceMore(() => workplace.engine.call("chooseDevice", { device }));
    const done =
      model.foreground === null
        ? await embedSteps(workplace, job, chosen.device, wholeSteps(workplace, model, options))
        : await embedSteps(workplace, job, chosen.device, await foregroundSteps(workplace, model, options, job));
    return { model, device: chosen.device, ...done, durationMs: performance.now() - started };
  });
}

async function embedSteps<Item extends ToEmbed, Value>(
  { library }: Workplace,
  job: RunningJob,
  device: string,
  { total, skipped, batches, ask, store, foreground }: EmbeddingSteps<Item, Value>,
): Promise<Pick<EmbedSummary, "embedded" | "failed" | "skipped" | "foreground">> {
  const report = job.restPhase(`embedding on ${device}`, total);
  report(0);
  const pathOf = filePaths(library.db);
  const failed: { path: string; reason: string }[] = [];
  let done = 0;
  await pipeBatches(
    batches,
    ask,
    (items, outcomes) => {
      store(items, outcomes);
      items.forEach(({ image }, i) => {
        const outcome = outcomes[i];
        if (outcome?.ok === false) failed.push({ path: pathOf(image), reason: outcome.problem.message });
      });
      report((done += items.length));
    },
    job.signal,
  );
  return { embedded: done - failed.length, failed, skipped, foreground: foreground() };
}
