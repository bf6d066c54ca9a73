import type { Label } from "../rpc/records.ts";
import type { LabelNode } from "../rpc/views.ts";
import { all, get } from "./database.ts";
import type { Reader, Row } from "./database.ts";
import { corruptRow, count, integer, orNull, text } from "./rows.ts";
import type { LabelRow } from "./undoable.ts";

export const labelStatements = {
  byId: "SELECT * FROM labels WHERE id = ?",
  byName: "SELECT * FROM labels WHERE ifnull(parent_id, 0) = ? AND name = ?",
  children: "SELECT * FROM labels WHERE parent_id IS ? ORDER BY parent_id, position, id",
  withCounts: `SELECT *, (SELECT count(*) FROM annotations WHERE label_id = labels.id) AS image_count
    FROM labels ORDER BY parent_id, position, id`,
  all: "SELECT * FROM labels ORDER BY parent_id, position, id",
} as const;

const sql = labelStatements;
const nullableInteger = orNull(integer);

/** A label and where it stands: what the table keeps of it. */
export interface PlacedLabel extends Label {
  /** Order among its siblings. */
  readonly position: number;
}

export type { LabelNode };

function labelOf(row: Row): PlacedLabel {
  return {
    id: integer("labels", row, "id"),
    name: text("labels", row, "name"),
    parentId: nullableInteger("labels", row, "parent_id"),
    position: count("labels", row, "position"),
  };
}

/** The row of a label, for the operation log. */
export function labelRow(label: PlacedLabel): LabelRow {
  return { id: label.id, name: label.name, parent_id: label.parentId, position: label.position };
}

/** One label, or null. */
export function labelById(db: Reader, id: number): PlacedLabel | null {
  const row = get(db, sql.byId, [id]);
  return row === undefined ? null : labelOf(row);
}

/** The label of that name under a parent (null: at the top), or null. */
export function labelByName(db: Reader, parentId: number | null, name: string): PlacedLabel | null {
  const row = get(db, sql.byName, [parentId ?? 0, name]);
  return row === undefined ? null : labelOf(row);
}

/** The labels under a parent (null: at the top), in their order. */
export function childLabels(db: Reader, parentId: number | null): PlacedLabel[] {
  return all(db, sql.children, [parentId]).map(labelOf);
}

/** All labels as a tree, in their order, with image counts. */
export function labelTree(db: Reader): LabelNode[] {
  interface GrowingNode extends LabelNode {
    totalImageCount: number;
    readonly children: GrowingNode[];
  }
  const nodes = new Map<number, GrowingNode>();
  for (const row of all(db, sql.withCounts)) {
    const { id, name, parentId } = labelOf(row);
    const imageCount = count("labels", row, "image_count");
    nodes.set(id, { label: { id, name, parentId }, imageCount, totalImageCount: imageCount, children: [] });
  }
  const roots: GrowingNode[] = [];
  for (const node of nodes.values()) siblingsOf(node).push(node);

  // Parents before children; whatever is not reached from the top hangs in a circle.
  const order = [...roots];
  for (const node of order) order.push(...node.children);
  const lost = order.length < nodes.size ? [...nodes.values()].find((node) => !order.includes(node)) : undefined;
  if (lost !== undefined) throw corruptRow("labels", { id: lost.label.id }, "the label is above itself");
  for (const node of order.toReversed()) {
    const parent = node.label.parentId === null ? undefined : nodes.get(node.label.parentId);
    if (parent !== undefined) parent.totalImageCount += node.totalImageCount;
  }
  return roots;

  function siblingsOf({ label }: LabelNode): GrowingNode[] {
    if (label.parentId === null) return roots;
    const parent = nodes.get(label.parentId);
    if (parent === undefined) throw corruptRow("labels", { id: label.id }, `its parent ${label.parentId} is gone`);
    return parent.children;
  }
}

/** All labels without their tree; siblings follow each other in their order. */
export function listLabels(db: Reader): PlacedLabel[] {
  return all(db, sql.all).map(labelOf);
}
