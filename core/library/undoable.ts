/** The tables whose rows the operation log may change: a closed list, with the statements to read and write one row. */
import type { Provenance } from "../rpc/records.ts";
import type { Row, Value } from "./database.ts";

/** A row of `labels`, in the words of the table. */
export interface LabelRow {
  readonly id: number;
  readonly name: string;
  readonly parent_id: number | null;
  readonly position: number;
}

/** A row of `annotations`, in the words of the table. */
export interface AnnotationRow {
  readonly image_id: number;
  readonly label_id: number;
  readonly provenance: Provenance;
  readonly confidence: number | null;
  readonly operation_id: number;
  readonly created_at: number;
}

/** A row of `check_dismissals`, in the words of the table. */
export interface CheckDismissalRow {
  readonly id: number;
  readonly kind: string;
  readonly subject: string;
  readonly created_at: number;
}

/** A row of `suggestion_rejections`, in the words of the table. */
export interface SuggestionRejectionRow {
  readonly id: number;
  readonly image_id: number;
  readonly label_id: number;
  readonly created_at: number;
}

/** A row of `masks`, in the words of the table. */
export interface MaskRow {
  readonly image_id: number;
  readonly width: number;
  readonly height: number;
  readonly runs: string;
  readonly model_hash: string | null;
  readonly recipe: string | null;
  readonly edited: 0 | 1;
  readonly created_at: number;
}

/** For each table, a whole row, and a row to add: a new label gets its id from the table. */
export interface UndoableRows {
  labels: { row: LabelRow; new: Omit<LabelRow, "id"> };
  annotations: { row: AnnotationRow; new: AnnotationRow };
  masks: { row: MaskRow; new: MaskRow };
  check_dismissals: { row: CheckDismissalRow; new: Omit<CheckDismissalRow, "id"> };
  suggestion_rejections: { row: SuggestionRejectionRow; new: Omit<SuggestionRejectionRow, "id"> };
}

export type UndoableTable = keyof UndoableRows;

/** How to read and write rows of one table. The first column is the key; values go in the order of the columns. */
export interface UndoableSql {
  readonly columns: readonly string[];
  readonly select: string;
  readonly insert: string;
  /** Parameters: all columns but the key, then the key. */
  readonly update: string;
  readonly delete: string;
}

function sqlFor(table: UndoableTable, key: string, others: readonly string[]): UndoableSql {
  const columns = [key, ...others];
  return {
    columns,
    select: `SELECT ${columns.join(", ")} FROM ${table} WHERE ${key} = ?`,
    insert: `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
    update: `UPDATE ${table} SET ${others.map((column) => `${column} = ?`).join(", ")} WHERE ${key} = ?`,
    delete: `DELETE FROM ${table} WHERE ${key} = ?`,
  };
}

export const undoableSql: Readonly<Record<UndoableTable, UndoableSql>> = {
  labels: sqlFor("labels", "id", ["name", "parent_id", "position"]),
  annotations: sqlFor("annotations", "image_id", [
    "label_id",
    "provenance",
    "confidence",
    "operation_id",
    "created_at",
  ]),
  masks: sqlFor("masks", "image_id", ["width", "height", "runs", "model_hash", "recipe", "edited", "created_at"]),
  check_dismissals: sqlFor("check_dismissals", "id", ["kind", "subject", "created_at"]),
  suggestion_rejections: sqlFor("suggestion_rejections", "id", ["image_id", "label_id", "created_at"]),
};

/** The cells of a row in the order of the table's columns; null where a cell is absent or no value that SQLite stores. */
export function cellsOf(table: UndoableTable, row: Row): Value[] | null {
  const cells: Value[] = [];
  for (const column of undoableSql[table].columns) {
    const cell = row[column];
    if (typeof cell !== "string" && typeof cell !== "number" && cell !== null) return null;
    cells.push(cell);
  }
  return cells;
}
