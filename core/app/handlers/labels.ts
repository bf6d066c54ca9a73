/** Handlers of core/rpc/methods/labels.ts. */
import { annotationsOfImages, assign, assignLabels, removeAnnotations } from "../../library/annotations.ts";
import { createLabels, deleteLabel, ensureLabels, moveLabel, renameLabel } from "../../library/label-changes.ts";
import { labelById, labelTree } from "../../library/labels.ts";
import { recordOperation } from "../../library/operations.ts";
import { rejectSuggestions } from "../../library/rejections.ts";
import { listSettings, putSetting } from "../../library/settings.ts";
import { countSuggestions, hasOpenSuggestion, listSuggestions, suggestionOfImage } from "../../library/suggestions.ts";
import { unknownLabel } from "../../library/annotations.ts";
import type { labelMethods } from "../../rpc/methods/labels.ts";
import type { Operation, Provenance, Suggestion } from "../../rpc/records.ts";
import type { LabelledImages, PrecisionStep } from "../../rpc/views.ts";
import { shownSuggestions } from "../labels.ts";
import { fewIds, modelOf, targetIds, type Handlers, type Office } from "../office.ts";

export function labelHandlers(office: Office): Handlers<typeof labelMethods> {
  const { db } = office.library;
  const told = (operation: Operation | null, imageIds: readonly number[] | null = null): Operation | null => {
    if (operation !== null) office.changed(["labels", "annotations", "history"], imageIds);
    return operation;
  };
  return {
    "labels.list": () => ({ tree: labelTree(db), keys: labelKeys(office) }),
    "labels.create": ({ paths }) => {
      const { operation, result } = createLabels(db, paths);
      return { operation: told(operation, []), labels: result };
    },
    "labels.rename": ({ labelId, name }) => told(renameLabel(db, labelId, name), []),
    "labels.move": ({ labelId, parentId, index }) => told(moveLabel(db, labelId, parentId, index), []),
    "labels.merge": ({ labelId, into }) => told(deleteLabel(db, labelId, { moveTo: into })),
    "labels.delete": ({ labelId }) => told(deleteLabel(db, labelId), []),
    "labels.setKey": ({ labelId, key }) => {
      if (labelById(db, labelId) === null) throw unknownLabel(labelId);
      const others = labelKeys(office).filter((entry) => entry.labelId !== labelId && entry.key !== key);
      const entries = key === null ? others : [...others, { labelId, key }];
      putSetting(db, "labelKeys", Object.fromEntries(entries.map((entry) => [entry.labelId, entry.key])));
      office.changed(["labels", "settings"], []);
      return null;
    },
    "labels.assign": ({ target, label }) => {
      const ids = targetIds(office, target);
      return labelImages(office, ids, label, { provenance: "person", kind: "assign-labels" });
    },
    "labels.remove": ({ target }) => {
      const ids = targetIds(office, target);
      const summary = `Took the label off ${counted(annotationsOfImages(db, ids).size)}`;
      const operation = removeAnnotations(db, ids, { kind: "remove-labels", summary });
      return { operation: told(operation, fewIds(ids)), images: ids.length };
    },
    "suggestions.counts": ({ modelId }) => countSuggestions(db, modelOf(office, modelId).id),
    "suggestions.list": ({ modelId, labelId, limit, after }) => {
      const page = { limit, ...(labelId === undefined ? {} : { labelId }), ...(after === undefined ? {} : { after }) };
      return shownSuggestions(db, listSuggestions(db, modelOf(office, modelId).id, page));
    },
    "suggestions.precision": ({ modelId, labelId }) =>
      precisionSteps(openCertainties(office, modelOf(office, modelId).id, { minimumConfidence: 0, labelId })),
    "suggestions.accept": ({ modelId, which }) => {
      const model = modelOf(office, modelId);
      const accepted = "imageIds" in which ? openSuggestions(office, model.id, which.imageIds) : null;
      const chosen = accepted ?? openCertainties(office, model.id, which as Threshold);
      const summary = `Accepted ${counted(chosen.length, "suggestion")} of ${model.name}`;
      const operation = assignLabels(
        db,
        chosen.map(({ imageId, labelId, confidence }) => ({ imageId, labelId, provenance: "neighbours", confidence })),
        { kind: "accept-suggestions", summary },
      );
      const ids = chosen.map(({ imageId }) => imageId);
      if (operation !== null) office.changed(["annotations", "labels", "suggestions", "history"], fewIds(ids));
      return { operation, images: ids.length };
    },
    "suggestions.reject": ({ modelId, imageIds }) => {
      const rejected = openSuggestions(office, modelOf(office, modelId).id, imageIds);
      const summary = `Rejected ${counted(rejected.length, "suggestion")}`;
      const operation = rejectSuggestions(db, rejected, { kind: "reject-suggestions", summary });
      if (operation !== null) office.changed(["suggestions", "history"], fewIds(imageIds));
      return operation;
    },
  };
}

interface Threshold {
  readonly minimumConfidence: number;
  readonly labelId?: number | undefined;
  readonly except?: readonly number[] | undefined;
}

/** What is suggested for an image, and how sure that is. */
type Certainty = Pick<Suggestion, "imageId" | "labelId" | "confidence" | "confidenceLow" | "confidenceHigh">;

/** A model's suggestions for images without a label that nobody rejected, most certain first. */
function openCertainties(
  office: Office,
  modelId: number,
  { minimumConfidence, labelId, except }: Threshold,
): Certainty[] {
  const { ids } = office.columns.rows();
  const model = office.columns.ofModel(modelId);
  const left = new Set(except);
  const found: Certainty[] = [];
  model.suggestedLabelIds.forEach((suggested, row) => {
    const confidence = model.confidences[row] as number;
    if (suggested === 0 || confidence < minimumConfidence) return;
    if (labelId !== undefined && suggested !== labelId) return;
    const imageId = ids[row] as number;
    if (left.has(imageId)) return;
    const [confidenceLow, confidenceHigh] = [model.confidencesLow[row] as number, model.confidencesHigh[row] as number];
    found.push({ imageId, labelId: suggested, confidence, confidenceLow, confidenceHigh });
  });
  return found.sort((a, b) => b.confidence - a.confidence || a.imageId - b.imageId);
}

/** The suggestions of some images that are still open. */
function openSuggestions(office: Office, modelId: number, imageIds: readonly number[]): Certainty[] {
  const { db } = office.library;
  return [...new Set(imageIds)].flatMap((imageId) => {
    const suggestion = hasOpenSuggestion(db, modelId, imageId) ? suggestionOfImage(db, modelId, imageId) : null;
    return suggestion === null ? [] : [suggestion];
  });
}

/** A label by id, or by names, which are made where they are not there. */
export type LabelChoice = { readonly labelId: number } | { readonly path: readonly string[] };

/** Puts a label on images as one operation, in the place of theirs. Throws `image-unknown`, `label-unknown`. */
export function labelImages(
  office: Office,
  imageIds: readonly number[],
  label: LabelChoice,
  { provenance, kind }: { readonly provenance: Provenance; readonly kind: string },
): LabelledImages {
  const { db } = office.library;
  const known = "labelId" in label ? labelById(db, label.labelId) : null;
  if ("labelId" in label && known === null) throw unknownLabel(label.labelId);
  const name = "labelId" in label ? (known?.name ?? "") : (label.path.at(-1) ?? "");
  const summary = `Labelled ${counted(imageIds.length)} as ${name}`;
  const { operation } = recordOperation(db, { kind, summary }, (change) => {
    const labelId = "labelId" in label ? label.labelId : (ensureLabels(change, [label.path])[0]?.id ?? 0);
    assign(
      change,
      imageIds.map((imageId) => ({ imageId, labelId, provenance, confidence: null })),
    );
  });
  if (operation !== null) office.changed(["annotations", "labels", "history"], fewIds(imageIds));
  return { operation, images: imageIds.length };
}

/** Keys by label, of labels that are still there. */
function labelKeys({ library: { db } }: Pick<Office, "library">): { labelId: number; key: string }[] {
  const stored = listSettings(db)["labelKeys"];
  if (typeof stored !== "object" || stored === null) return [];
  return Object.entries(stored).flatMap(([id, key]) =>
    typeof key === "string" && labelById(db, Number(id)) !== null ? [{ labelId: Number(id), key }] : [],
  );
}

/** Steps of a curve: enough for a slider. */
const maximalSteps = 200;

/** What accepting the first of a list, most certain first, would mean, for up to 200 lengths of it. */
export function precisionSteps(certainties: readonly Certainty[]): PrecisionStep[] {
  const steps: PrecisionStep[] = [];
  const every = Math.max(1, Math.ceil(certainties.length / maximalSteps));
  let [sum, low, high] = [0, 0, 0];
  certainties.forEach(({ confidence, confidenceLow, confidenceHigh }, i) => {
    sum += confidence;
    low += confidenceLow;
    high += confidenceHigh;
    const count = i + 1;
    // A threshold takes all that are just as sure, or none of them.
    const isLastOfEquals = certainties[i + 1]?.confidence !== confidence;
    const isDue = count - (steps.at(-1)?.count ?? 0) >= every || count === certainties.length;
    if (!isLastOfEquals || !isDue) return;
    steps.push({ confidence, count, expected: sum / count, low: low / count, high: high / count });
  });
  return steps;
}

/** `1 image`, `12 images`. */
export function counted(count: number, one = "image"): string {
  return `${count} ${one}${count === 1 ? "" : "s"}`;
}
