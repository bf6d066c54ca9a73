import type { WantedDevice } from "../engine/protocol.ts";
import { annotationsOfImages } from "../library/annotations.ts";
import { readEmbeddings } from "../library/embeddings.ts";
import { replaceSuggestions } from "../library/suggestions.ts";
import type { Model, Suggestion } from "../rpc/records.ts";
import type { SuggestSummary } from "../rpc/api.ts";
import { calibrate, confidenceOf, type Calibration } from "../suggest/calibrate.ts";
import { evaluateLeaveOneOut, leaveOneOutRecords } from "../suggest/evaluate.ts";
import { neighboursOf, type NeighbourTable } from "../suggest/nearest.ts";
import { voteLabels } from "../suggest/vote.ts";
import { CoreError } from "../util/errors.ts";
import { everyRow, loadBank } from "./neighbours.ts";
import { runJob, type Watch, type Workplace } from "./run.ts";

export interface SuggestOptions {
  readonly neighbours: number;
  readonly temperature: number;
  /** Confidence below which a suggestion abstains. */
  readonly threshold: number;
  readonly device: WantedDevice;
}

/** Unlabelled images whose neighbours are searched for at a time, between two looks at the stop signal. */
const queryPage = 4096;

/**
 * Suggests a label for every unlabelled image that the model has embedded: the weighted vote of its nearest labelled
 * images (DINO's k-NN evaluation), with a confidence measured by leave-one-out on the labelled ones. Replaces the
 * model's earlier suggestions when all are there. Throws `labels-missing` without two labels to choose from.
 */
export async function suggestLabels(
  workplace: Workplace,
  model: Model,
  options: SuggestOptions,
  watch: Watch = {},
): Promise<SuggestSummary> {
  return runJob(workplace, "suggest", { modelId: model.id, ...options }, watch, async (job) => {
    const { library, engine } = workplace;
    const { db } = library;
    const started = performance.now();
    const bank = readEmbeddings(db, model.id, { labelled: true });
    const labels = annotationsOfImages(db, bank.imageIds);
    const labelIds = Int32Array.from(bank.imageIds, (id) => labels.get(id)?.labelId ?? -1);
    if (new Set(labelIds).size < 2) {
      throw new CoreError(
        "labels-missing",
        `Suggestions need images of two labels at least, embedded by ${model.name}.`,
        {
          hint: "Label a few images of each kind (`dinoscope labels import FILE`), then run `dinoscope embed`.",
        },
      );
    }
    const unlabelled = readEmbeddings(db, model.id, { labelled: false });
    const report = job.phase("searching neighbours", labelIds.length + unlabelled.imageIds.length);
    report(0);

    const search = await loadBank(engine, bank, options.device);
    try {
      const left = await search.nearest(bank.matrix, options.neighbours, everyRow(labelIds.length));
      const calibration = calibrate(leaveOneOutRecords(left, labelIds, options.temperature));
      const self = evaluateLeaveOneOut(left, labelIds, { temperature: options.temperature });
      report(labelIds.length);

      const suggestions: Omit<Suggestion, "modelId">[] = [];
      for (let start = 0; start < unlabelled.imageIds.length; start += queryPage) {
        job.signal.throwIfAborted();
        const imageIds = unlabelled.imageIds.slice(start, start + queryPage);
        const queries = unlabelled.matrix.subarray(start * bank.width, (start + imageIds.length) * bank.width);
        const table = await search.nearest(queries, options.neighbours);
        suggestions.push(...suggestionsOf(table, imageIds, bank.imageIds, labelIds, calibration, options));
        report(labelIds.length + start + imageIds.length);
      }
      replaceSuggestions(db, model.id, suggestions);
      return {
        model,
        voters: labelIds.length,
        suggested: suggestions.length,
        abstained: suggestions.filter(({ abstained }) => abstained).length,
        selfAccuracy: self.fine.top1.rate,
        durationMs: performance.now() - started,
      };
    } finally {
      await search.drop().catch(() => {});
    }
  });
}

/** The vote for each query of a table, with its confidence and its voters. */
function suggestionsOf(
  table: NeighbourTable,
  imageIds: readonly number[],
  bankImageIds: readonly number[],
  labelIds: Int32Array,
  calibration: Calibration,
  { temperature, threshold }: SuggestOptions,
): Omit<Suggestion, "modelId">[] {
  return imageIds.flatMap((imageId, query) => {
    const neighbours = neighboursOf(table, query);
    const vote = voteLabels(neighbours, labelIds, temperature);
    if (vote === null) return [];
    const { labelId, share } = vote.winner;
    const { confidence, low, high } = confidenceOf(calibration, labelId, share);
    return [
      {
        imageId,
        labelId,
        share,
        confidence,
        confidenceLow: low,
        confidenceHigh: high,
        abstained: confidence < threshold,
        voters: neighbours.map(({ index, similarity }) => ({
          imageId: bankImageIds[index] ?? 0,
          labelId: labelIds[index] ?? 0,
          similarity,
        })),
      },
    ];
  });
}
