/** What the user does to the label tree; every function is one operation that can be undone. */
import type { Label, Operation } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { countAnnotationsOfLabel, moveAnnotations, unknownLabel } from "./annotations.ts";
import type { Reader, Writer } from "./database.ts";
import { childLabels, labelById, labelByName, labelRow } from "./labels.ts";
import type { PlacedLabel } from "./labels.ts";
import { recordOperation } from "./operations.ts";
import type { Change, Recorded } from "./operations.ts";

/** Characters a label's name may have: more is a sentence, not a name. */
const maximalNameLength = 200;

/**
 * A name as the library stores it: composed accents, single spaces, none at the ends. Throws `label-invalid` for one
 * that is empty or too long.
 */
export function cleanLabelName(name: string): string {
  const clean = name
    .toWellFormed()
    .normalize("NFC")
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim();
  // Characters as people count them, not UTF-16 units.
  const length = [...clean].length;
  if (length >= 1 && length <= maximalNameLength) return clean;
  throw new CoreError(
    "label-invalid",
    `The name of a label must have 1 to ${maximalNameLength} characters, found ${length}.`,
    { hint: "Give the label a short name." },
  );
}

/**
 * Makes sure that the labels of these paths exist, from the top down: `["Drinks", "Oat Drink"]` is Oat Drink under
 * Drinks. One operation for all that are new, null where none is. The result has the last label of each path, in order.
 */
export function createLabels(db: Writer, paths: readonly (readonly string[])[]): Recorded<Label[]> {
  const names = paths.map((path) => path.join(" / ")).join(", ");
  const summary = paths.length === 1 ? `Added the label ${names}` : `Added ${paths.length} labels`;
  return recordOperation(db, { kind: "create-labels", summary }, (change) => ensureLabels(change, paths));
}

/** `createLabels` as a part of a larger operation. */
export function ensureLabels(change: Change, paths: readonly (readonly string[])[]): Label[] {
  return paths.map((path) => {
    let label = null as PlacedLabel | null;
    for (const part of path) {
      const parentId = label?.id ?? null;
      const name = cleanLabelName(part);
      label = labelByName(change.db, parentId, name) ?? addLabel(change, parentId, name);
    }
    if (label === null) throw new CoreError("label-invalid", "The path of a label must have a name at least.");
    return { id: label.id, name: label.name, parentId: label.parentId };
  });
}

function addLabel(change: Change, parentId: number | null, name: string): PlacedLabel {
  const position = (childLabels(change.db, parentId).at(-1)?.position ?? -1) + 1;
  const id = change.insert("labels", { name, parent_id: parentId, position });
  return { id, name, parentId, position };
}

/** Gives a label another name; null where it has it already. Throws `label-unknown`, `label-exists`, `label-invalid`. */
export function renameLabel(db: Writer, id: number, name: string): Operation | null {
  const clean = cleanLabelName(name);
  const label = known(db, id);
  const summary = `Renamed the label ${label.name} to ${clean}`;
  return recordOperation(db, { kind: "rename-label", summary }, (change) => {
    refuseTakenName(db, { ...label, name: clean });
    change.update("labels", labelRow({ ...label, name: clean }));
  }).operation;
}

/**
 * Puts a label under another parent (null: at the top) or at another place among its siblings: `index` counts from 0,
 * and the end is where it goes without one. Null where it is there already. Throws `label-unknown`, `label-exists` for
 * a name that the new parent has already, `label-cycle` for a parent that is the label itself or below it.
 */
export function moveLabel(db: Writer, id: number, parentId: number | null, index?: number): Operation | null {
  const label = known(db, id);
  const parent = parentId === null ? null : known(db, parentId);
  refuseCycle(db, label, parent);
  const summary = `Moved the label ${label.name} ${parent === null ? "to the top" : `under ${parent.name}`}`;
  return recordOperation(db, { kind: "move-label", summary }, (change) => {
    refuseTakenName(db, { ...label, parentId });
    const siblings = childLabels(db, parentId).filter((sibling) => sibling.id !== id);
    siblings.splice(index ?? siblings.length, 0, { ...label, parentId });
    siblings.forEach((sibling, position) => change.update("labels", labelRow({ ...sibling, position })));
  }).operation;
}

/**
 * Deletes a label. Images that have it get the label `moveTo`; without that, a label in use is refused. Throws
 * `label-unknown`, `label-in-use`, or `label-has-children`.
 */
export function deleteLabel(db: Writer, id: number, { moveTo }: { readonly moveTo?: number } = {}): Operation | null {
  const label = known(db, id);
  const target = moveTo === undefined ? null : known(db, moveTo);
  if (target?.id === id) {
    throw new CoreError("option-invalid", `The images of ${label.name} cannot be moved to the label that is deleted.`);
  }
  if (childLabels(db, id).length > 0) {
    throw new CoreError("label-has-children", `The label ${label.name} has labels below it.`, {
      hint: "Move or delete those first.",
    });
  }
  const imageCount = countAnnotationsOfLabel(db, id);
  if (imageCount > 0 && target === null) {
    throw new CoreError("label-in-use", `${imageCount} images have the label ${label.name}.`, {
      hint: "Choose the label that they should have instead, or take the label off them first.",
    });
  }
  const summary =
    target === null ? `Deleted the label ${label.name}` : `Merged the label ${label.name} into ${target.name}`;
  return recordOperation(db, { kind: "delete-label", summary }, (change) => {
    if (target !== null) moveAnnotations(change, id, target.id);
    change.delete("labels", id);
  }).operation;
}

function known(db: Reader, id: number): PlacedLabel {
  const label = labelById(db, id);
  if (label === null) throw unknownLabel(id);
  return label;
}

function refuseTakenName(db: Reader, { id, parentId, name }: Label): void {
  const other = labelByName(db, parentId, name);
  if (other === null || other.id === id) return;
  throw new CoreError("label-exists", `There is a label named ${name} at that place already.`, {
    hint: "Choose another name, or delete one of the two and move its images to the other.",
  });
}

/** Walks up from the new parent. A library whose labels already form a circle would never end, so steps are counted. */
function refuseCycle(db: Reader, label: Label, parent: PlacedLabel | null): void {
  const seen = new Set<number>();
  for (let above = parent; above !== null; above = above.parentId === null ? null : labelById(db, above.parentId)) {
    if (above.id === label.id || seen.has(above.id)) {
      throw new CoreError("label-cycle", `The label ${label.name} cannot be moved below itself.`);
    }
    seen.add(above.id);
  }
}
