/** What people do about the findings of a check; every function is one operation that can be undone. */
import { annotationsOfImages, assignLabels } from "../library/annotations.ts";
import type { Reader } from "../library/database.ts";
import { dismissFindings, listFindings } from "../library/findings.ts";
import { unknownImage } from "../library/image-changes.ts";
import { imageById } from "../library/images.ts";
import { deleteLabel } from "../library/label-changes.ts";
import { labelTree, listLabels, type LabelNode } from "../library/labels.ts";
import type { Library } from "../library/open.ts";
import type { RareLabelRow } from "../rpc/api.ts";
import type { CheckKind, Finding, Label, Operation } from "../rpc/records.ts";
import { findRareLabels } from "../suggest/rare-labels.ts";
import { CoreError } from "../util/errors.ts";

/**
 * The findings of the last check that still hold: those about a label that the image no longer has are left out, as are
 * those whose suggested label is gone. Copies show the labels they have now, those with two labels first.
 */
export function currentFindings(db: Reader, kind: CheckKind): Finding[] {
  const findings = listFindings(db, kind);
  const ids = findings.flatMap(({ images }) => images.map(({ imageId }) => imageId));
  const annotations = annotationsOfImages(db, [...new Set(ids)]);
  const labels = new Set(listLabels(db).map(({ id }) => id));
  const now = (imageId: number): number | null => annotations.get(imageId)?.labelId ?? null;
  if (kind === "wrong-labels" || kind === "twins") {
    return findings.filter(
      ({ images, suggestion }) =>
        images.every(({ imageId, labelId }) => now(imageId) === labelId) &&
        (suggestion === null || labels.has(suggestion.labelId)),
    );
  }
  const shown = findings.map((finding) => ({
    ...finding,
    images: finding.images.map((image) => ({ ...image, labelId: now(image.imageId) })),
  }));
  return kind === "duplicates" ? shown.sort((a, b) => Number(hasConflict(b)) - Number(hasConflict(a))) : shown;
}

/** Whether the images of a finding have two labels or more between them. */
export function hasConflict({ images }: Pick<Finding, "images">): boolean {
  return new Set(images.flatMap(({ labelId }) => (labelId === null ? [] : [labelId]))).size > 1;
}

/** Gives the first `count` images with likely wrong labels the label of their neighbours. Null where there are none. */
export function acceptWrongLabels({ db }: Library, count: number): Operation | null {
  const assignments = currentFindings(db, "wrong-labels")
    .slice(0, count)
    .flatMap(({ images, suggestion }) =>
      images.flatMap(({ imageId }) => {
        if (suggestion === null) return [];
        const { labelId, confidence } = suggestion;
        return [{ imageId, labelId, provenance: "neighbours" as const, confidence }];
      }),
    );
  const summary = `Took the neighbours' label for ${counted(assignments.length, "image")} with doubtful labels`;
  return assignLabels(db, assignments, { kind: "accept-checks", summary });
}

/** Gives an image another label, by its name. Null where it has it already. Throws `image-unknown`, `label-unknown`. */
export function relabelImage({ db }: Library, imageId: number, labelName: string): Operation | null {
  const label = labelNamed(db, labelName);
  if (imageById(db, imageId) === null) throw unknownImage(imageId);
  const assignment = { imageId, labelId: label.id, provenance: "person", confidence: null } as const;
  return assignLabels(db, [assignment], { kind: "relabel", summary: `Labelled image ${imageId} as ${label.name}` });
}

/**
 * Gives all copies in the group of an image one label: the one named, or that of the group's best picture. Null where they
 * all have it. Throws `finding-unknown` where the image is in no group, `label-unknown`, and `labels-missing` where no
 * label is named and the best has none.
 */
export function unifyDuplicates({ db }: Library, imageId: number, labelName?: string): Operation | null {
  const group = findingOf(db, "duplicates", [imageId]);
  const bestLabelId = group.images[0]?.labelId ?? null;
  const best = listLabels(db).find(({ id }) => id === bestLabelId);
  const label = labelName === undefined ? best : labelNamed(db, labelName);
  if (label === undefined) {
    throw new CoreError("labels-missing", `The best picture of the group of image ${imageId} has no label.`, {
      hint: "Name the label that all copies should have.",
    });
  }
  const assignments = group.images
    .filter(({ labelId }) => labelId !== label.id)
    .map((image) => ({ imageId: image.imageId, labelId: label.id, provenance: "person" as const, confidence: null }));
  const summary = `Labelled ${counted(assignments.length, "copy", "copies")} as ${label.name}`;
  return assignLabels(db, assignments, { kind: "unify-duplicates", summary });
}

/**
 * Puts the label of each of two images on the other: twins that were mixed up. Null where they have the same. Throws
 * `image-unknown`, and `labels-missing` where one of them has no label.
 */
export function swapLabels({ db }: Library, first: number, second: number): Operation | null {
  for (const imageId of [first, second]) if (imageById(db, imageId) === null) throw unknownImage(imageId);
  const annotations = annotationsOfImages(db, [first, second]);
  const [ofFirst, ofSecond] = [annotations.get(first), annotations.get(second)];
  if (ofFirst === undefined || ofSecond === undefined) {
    throw new CoreError("labels-missing", "Labels are swapped between two images that both have one.", {
      hint: "Label the other image first.",
    });
  }
  const given = { provenance: "person", confidence: null } as const;
  const assignments = [
    { imageId: first, labelId: ofSecond.labelId, ...given },
    { imageId: second, labelId: ofFirst.labelId, ...given },
  ];
  const names = listLabels(db).filter(({ id }) => id === ofFirst.labelId || id === ofSecond.labelId);
  const summary = `Swapped ${names.map(({ name }) => name).join(" and ")} between 2 images`;
  return assignLabels(db, ofFirst.labelId === ofSecond.labelId ? [] : assignments, { kind: "swap-labels", summary });
}

/** Which findings: the first about an image, the one about just these images, or the first `count`. */
export type FindingChoice =
  { readonly imageId: number } | { readonly imageIds: readonly number[] } | { readonly count: number };

/**
 * Hides findings of a kind for good. Null where there are none. Throws `finding-unknown` for images that the kind has no
 * finding about.
 */
export function dismissChecks({ db }: Library, kind: CheckKind, which: FindingChoice): Operation | null {
  const findings =
    "count" in which
      ? currentFindings(db, kind).slice(0, which.count)
      : [findingOf(db, kind, "imageId" in which ? [which.imageId] : which.imageIds, "imageIds" in which)];
  return dismissFindings(db, findings, `Dismissed ${counted(findings.length, "finding")} of ${kind}`);
}

/** Deletes a label, by its name, and gives its images another. Throws `label-unknown`, and as `deleteLabel` does. */
export function mergeLabels({ db }: Library, name: string, into: string): Operation | null {
  return deleteLabel(db, labelNamed(db, name).id, { moveTo: labelNamed(db, into).id });
}

/** Labels with fewer than `minimum` images, fewest first. */
export function rareLabels(db: Reader, minimum?: number): RareLabelRow[] {
  const nodes = new Map<number, LabelNode>();
  const pending = [...labelTree(db)];
  for (const node of pending) {
    nodes.set(node.label.id, node);
    pending.push(...node.children);
  }
  const counts = Array.from(nodes.values(), ({ label, imageCount, children }) => ({
    labelId: label.id,
    imageCount,
    hasChildren: children.length > 0,
  }));
  return findRareLabels(counts, minimum).flatMap(({ labelId, ...row }) => {
    const label = nodes.get(labelId)?.label;
    return label === undefined ? [] : [{ label, ...row }];
  });
}

/** The first finding of a kind that is about these images, and about no other if `just` these are meant. */
function findingOf(db: Reader, kind: CheckKind, imageIds: readonly number[], just = false): Finding {
  const finding = currentFindings(db, kind).find(({ images }) => {
    const ids = images.map(({ imageId }) => imageId);
    return imageIds.every((imageId) => ids.includes(imageId)) && (!just || ids.length === imageIds.length);
  });
  if (finding !== undefined) return finding;
  const about = `image${imageIds.length === 1 ? "" : "s"} ${imageIds.join(", ")}`;
  throw new CoreError("finding-unknown", `The last check for ${kind} found nothing about ${about}.`, {
    hint: `Run \`dinoscope check --kind ${kind}\` to see what there is.`,
  });
}

/**
 * The label of a name, or of a path of names from the top (`Drinks/Oat Drink`). Throws `label-unknown`, and
 * `label-ambiguous` where several labels have the name.
 */
export function labelNamed(db: Reader, name: string): Label {
  const labels = listLabels(db);
  const byId = new Map(labels.map((label) => [label.id, label]));
  const pathOf = (label: Label): string => {
    const names: string[] = [];
    for (let at: Label | undefined = label; at !== undefined && names.length <= labels.length;) {
      names.unshift(at.name);
      at = at.parentId === null ? undefined : byId.get(at.parentId);
    }
    return names.join("/");
  };
  const wanted = name.normalize("NFC").trim();
  const [only, ...others] = labels.filter((label) => label.name === wanted || pathOf(label) === wanted);
  if (only === undefined) {
    throw new CoreError("label-unknown", `There is no label ${name} in this library.`, {
      hint: "`dinoscope labels list` shows the labels.",
    });
  }
  if (others.length > 0) {
    throw new CoreError(
      "label-ambiguous",
      `Several labels are named ${name}: ${[only, ...others].map(pathOf).join(", ")}.`,
      {
        hint: "Name it with those above it, such as Drinks/Oat.",
      },
    );
  }
  return only;
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
