/** Labels, the suggestions for them, and the history of what was done. */
import { mergeLabels } from "../jobs/check-actions.ts";
import { importLabels } from "../jobs/label-images.ts";
import { modelInUse } from "../jobs/models.ts";
import type { Watch, Workplace } from "../jobs/run.ts";
import { suggestLabels, type SuggestOptions } from "../jobs/suggest.ts";
import { imagesByIds } from "../library/images.ts";
import { labelTree, listLabels, type LabelNode } from "../library/labels.ts";
import type { ReadLibrary } from "../library/open.ts";
import { history, redo, undo } from "../library/operations.ts";
import { listSuggestions } from "../library/suggestions.ts";
import type { LabelsSummary, ShownSuggestion, SuggestSummary } from "../rpc/api.ts";
import type { Model, Operation } from "../rpc/records.ts";
import type { Desk, ModelChoice } from "./desk.ts";

/** Looking at labels. */
export interface LabelViews {
  labels(): readonly LabelNode[];
  /** Suggestions of a model, most certain first, in pages. */
  suggestions(model: Model, page: { limit: number; after?: ShownSuggestion | undefined }): ShownSuggestion[];
  history(limit: number): Operation[];
}

/** Changing labels. */
export interface LabelChanges {
  importLabels(file: string, signal?: AbortSignal): Promise<LabelsSummary>;
  mergeLabels(label: string, into: string): Operation | null;
  suggest(choice: ModelChoice & Omit<SuggestOptions, "device">, watch?: Watch): Promise<SuggestSummary>;
  undo(): Operation | null;
  redo(): Operation | null;
}

export function labelViews({ library: { db } }: Desk): LabelViews {
  return {
    labels: () => labelTree(db),
    suggestions: (model, { limit, after }) =>
      shownSuggestions(db, listSuggestions(db, model.id, { limit, ...(after === undefined ? {} : { after }) })),
    history: (limit) => history(db, limit),
  };
}

export function labelChanges(workplace: Workplace): LabelChanges {
  const { library } = workplace;
  const { db } = library;
  return {
    importLabels: (file, signal) => importLabels(library, file, signal),
    mergeLabels: (label, into) => mergeLabels(library, label, into),
    suggest: ({ model, ...options }, watch) => suggestLabels(workplace, modelInUse(db, model), options, watch),
    undo: () => undo(db),
    redo: () => redo(db),
  };
}

/** Suggestions with the images and names that they speak of. */
export function shownSuggestions(
  db: ReadLibrary["db"],
  suggestions: ReturnType<typeof listSuggestions>,
): ShownSuggestion[] {
  const labels = new Map(listLabels(db).map((label) => [label.id, label]));
  const ids = suggestions.flatMap(({ imageId, voters }) => [imageId, ...voters.map((voter) => voter.imageId)]);
  const images = new Map(imagesByIds(db, [...new Set(ids)]).map((image) => [image.id, image]));
  return suggestions.flatMap((suggestion) => {
    const image = images.get(suggestion.imageId);
    const label = labels.get(suggestion.labelId);
    if (image === undefined || label === undefined) return [];
    const voters = suggestion.voters.map((voter) => ({
      ...voter,
      path: images.get(voter.imageId)?.path ?? "",
      label: labels.get(voter.labelId)?.name ?? "",
    }));
    return [{ ...suggestion, voters, image, label: label.name }];
  });
}
