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

/** A row of `clusters`, in the words of the table but for `centre`, whose bytes are in hexadecimal capitals. */
export interface ClusterRow {
  readonly id: number;
  readonly model_id: number;
  readonly centre: string;
}

/** A row of `memberships`, in the words of the table. */
export interface MembershipRow {
  readonly id: number;
  readonly model_id: number;
  readonly image_id: number;
  readonly cluster_id: number;
  readonly similarity: number;
  readonly margin: number;
}

/** For each table, a whole row, and a row to add: a new label gets its id from the table. */
export interface UndoableRows {
  labels: { row: LabelRow; new: Omit<LabelRow, "id"> };
  annotations: { row: AnnotationRow; new: AnnotationRow };
  masks: { row: MaskRow; new: MaskRow };
  check_dismissals: { row: CheckDismissalRow; new: Omit<CheckDismissalRow, "id"> };
  suggestion_rejections: { row: SuggestionRejectionRow; new: Omit<SuggestionRejectionRow, "id"> };
  clusters: { row: ClusterRow; new: Omit<ClusterRow, "id"> };
  memberships: { row: MembershipRow; new: MembershipRow };
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
  /**
   * For rows that go with the files they were computed from: the columns that say what a row is of. Undo passes over a row
   * that is gone, or whose key is another's by now.
   */
  readonly goesWith: readonly string[] | null;
}

interface Peculiarities {
  /** Columns of bytes: the log keeps text. */
  readonly bytes?: readonly string[];
  readonly goesWith?: readonly string[];
}

function sqlFor(
  table: UndoableTable,
  key: string,
  others: readonly string[],
  { bytes = [], goesWith }: Peculiarities = {},
): UndoableSql {
  const columns = [key, ...others];
  const read = columns.map((column) => (bytes.includes(column) ? `hex(${column}) AS ${column}` : column));
  const written = (column: string): string => (bytes.includes(column) ? "unhex(?)" : "?");
  return {
    columns,
    select: `SELECT ${read.join(", ")} FROM ${table} WHERE ${key} = ?`,
    insert: `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(written).join(", ")})`,
    update: `UPDATE ${table} SET ${others.map((column) => `${column} = ${written(column)}`).join(", ")} WHERE ${key} = ?`,
    delete: `DELETE FROM ${table} WHERE ${key} = ?`,
    goesWith: goesWith ?? null,
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
  clusters: sqlFor("clusters", "id", ["model_id", "centre"], { bytes: ["centre"] }),
  memberships: sqlFor("memberships", "id", ["model_id", "image_id", "cluster_id", "similarity", "margin"], {
    goesWith: ["model_id", "image_id"],
  }),
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
