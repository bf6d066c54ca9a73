/**
 * The operation log: what the user can undo and redo. An operation keeps each row that it changed, before and after, as
 * a JSON list of cells; undo puts the rows before in place, redo the rows after, and both refuse when a row is not what
 * the log says it is, but for rows that went with the file they were computed from. Undone operations are always the newest
 * ones, and a new operation discards them.
 */
import type { Operation } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { all, get, run, transaction } from "./database.ts";
import type { Reader, Row, Value, Writer } from "./database.ts";
import { errorCode } from "./errors.ts";
import { corruptRow, count, integer, json, oneOf, text } from "./rows.ts";
import { cellsOf, undoableSql } from "./undoable.ts";
import type { UndoableRows, UndoableTable } from "./undoable.ts";

export const operationStatements = {
  byId: "SELECT * FROM operations WHERE id = ?",
  history: "SELECT * FROM operations ORDER BY id DESC LIMIT ?",
  newestDone: "SELECT * FROM operations WHERE state = 'done' ORDER BY id DESC LIMIT 1",
  oldestUndone: "SELECT * FROM operations WHERE state = 'undone' ORDER BY id LIMIT 1",
  insert: "INSERT INTO operations (kind, summary, state, change_count, created_at) VALUES (?, ?, 'done', 0, ?)",
  setCount: "UPDATE operations SET change_count = ? WHERE id = ?",
  setState: "UPDATE operations SET state = ? WHERE id = ?",
  delete: "DELETE FROM operations WHERE id = ?",
  discardUndone: "DELETE FROM operations WHERE state = 'undone'",
  insertChange:
    "INSERT INTO operation_changes (operation_id, position, table_name, before, after) VALUES (?, ?, ?, ?, ?)",
  changes: "SELECT * FROM operation_changes WHERE operation_id = ? ORDER BY position",
  changesBackwards: "SELECT * FROM operation_changes WHERE operation_id = ? ORDER BY position DESC",
} as const;

const sql = operationStatements;
const stateCell = oneOf<Operation["state"]>(["done", "undone"]);
const tableCell = oneOf<UndoableTable>([
  "labels",
  "annotations",
  "masks",
  "check_dismissals",
  "suggestion_rejections",
  "clusters",
  "memberships",
]);

/** Changes rows, and writes each change to the log of the operation that is being recorded. */
export interface Change {
  readonly db: Writer;
  readonly operationId: number;
  /** When the operation was started, in milliseconds since 1970. */
  readonly at: number;
  /** Adds a row and returns its key. */
  insert<Table extends UndoableTable>(table: Table, row: UndoableRows[Table]["new"]): number;
  /** Writes a whole row over the one with the same key, which must be there. */
  update<Table extends UndoableTable>(table: Table, row: UndoableRows[Table]["row"]): void;
  /** Deletes the row with this key, which must be there. */
  delete(table: UndoableTable, key: number): void;
}

/** What came of an operation: null where it turned out to change nothing, and was not kept. */
export interface Recorded<Result> {
  readonly operation: Operation | null;
  readonly result: Result;
}

/**
 * Runs `work` as one step that the user can undo: everything that it does through `change` happens and is logged, or,
 * where it throws, nothing. A step that changed nothing leaves no trace; any other discards what was undone before.
 * `kind` is a kebab-case word, `summary` one line for the history.
 */
export function recordOperation<Result>(
  db: Writer,
  { kind, summary }: Pick<Operation, "kind" | "summary">,
  work: (change: Change) => Result,
): Recorded<Result> {
  return transaction(db, () => {
    const at = Date.now();
    const operationId = run(db, sql.insert, [kind, summary, at]).rowId;
    let changeCount = 0;
    const log = (table: UndoableTable, before: Value[] | null, after: Value[] | null): void => {
      const textOf = (cells: Value[] | null): string | null => (cells === null ? null : JSON.stringify(cells));
      run(db, sql.insertChange, [operationId, changeCount, table, textOf(before), textOf(after)]);
      changeCount += 1;
    };
    const result = work({
      db,
      operationId,
      at,
      insert: (table, row) => {
        const cells = knownCells(table, { id: null, ...row });
        const key = run(db, undoableSql[table].insert, cells).rowId;
        log(table, null, [key, ...cells.slice(1)]);
        return key;
      },
      update: (table, row) => {
        const cells = knownCells(table, { ...row });
        const [key, ...others] = cells;
        const before = currentCells(db, table, key);
        if (before === null) throw absentRow(table, key);
        if (JSON.stringify(before) === JSON.stringify(cells)) return;
        run(db, undoableSql[table].update, [...others, key ?? null]);
        log(table, before, cells);
      },
      delete: (table, key) => {
        const before = currentCells(db, table, key);
        if (before === null) throw absentRow(table, key);
        run(db, undoableSql[table].delete, [key]);
        log(table, before, null);
      },
    });
    if (changeCount === 0) {
      run(db, sql.delete, [operationId]);
      return { operation: null, result };
    }
    run(db, sql.discardUndone);
    run(db, sql.setCount, [changeCount, operationId]);
    return { operation: { id: operationId, kind, summary, state: "done", changeCount, createdAt: at }, result };
  });
}

/** Takes back the newest operation that is done. Returns it, or null where there is none. Throws `undo-conflict`. */
export function undo(db: Writer): Operation | null {
  return step(db, "undo");
}

/** Does the operation again that was undone last. Returns it, or null where there is none. Throws `undo-conflict`. */
export function redo(db: Writer): Operation | null {
  return step(db, "redo");
}

/** One operation, or null. */
export function operationById(db: Reader, id: number): Operation | null {
  const row = get(db, sql.byId, [id]);
  return row === undefined ? null : operationOf(row);
}

/** The newest operations, newest first; the undone ones come before the done ones. */
export function history(db: Reader, limit: number): Operation[] {
  return all(db, sql.history, [limit]).map(operationOf);
}

function step(db: Writer, direction: "undo" | "redo"): Operation | null {
  return transaction(db, () => {
    const row = get(db, direction === "undo" ? sql.newestDone : sql.oldestUndone);
    if (row === undefined) return null;
    const operation = operationOf(row);
    for (const change of all(db, direction === "undo" ? sql.changesBackwards : sql.changes, [operation.id])) {
      const table = tableCell("operation_changes", change, "table_name");
      const before = loggedCells(table, change, "before");
      const after = loggedCells(table, change, "after");
      if (direction === "undo") replaceRow(db, operation, table, after, before);
      else replaceRow(db, operation, table, before, after);
    }
    const state = direction === "undo" ? "undone" : "done";
    run(db, sql.setState, [state, operation.id]);
    return { ...operation, state };
  });
}

/** Puts the row `target` in the place of `expected`; null stands for no row. */
function replaceRow(
  db: Writer,
  operation: Operation,
  table: UndoableTable,
  expected: Value[] | null,
  target: Value[] | null,
): void {
  const [key] = expected ?? target ?? [];
  const current = currentCells(db, table, key);
  if (isGone(table, current, expected)) return;
  if (JSON.stringify(current) !== JSON.stringify(expected)) throw conflict(operation, table, key);
  const statements = undoableSql[table];
  try {
    if (target === null) run(db, statements.delete, [key ?? null]);
    else if (current === null) run(db, statements.insert, target);
    else run(db, statements.update, [...target.slice(1), key ?? null]);
  } catch (error) {
    // Another row refers to this one, or has its name: the library is not as the operation left it.
    throw errorCode(error)?.startsWith("SQLITE_CONSTRAINT") === true ? conflict(operation, table, key, error) : error;
  }
}

/** Whether a computed row went with its file: there is none now, or another one has its key. */
function isGone(table: UndoableTable, current: Value[] | null, expected: Value[] | null): boolean {
  const { columns, goesWith } = undoableSql[table];
  if (goesWith === null || expected === null) return false;
  return (
    current === null ||
    goesWith.some((column) => current[columns.indexOf(column)] !== expected[columns.indexOf(column)])
  );
}

function currentCells(db: Reader, table: UndoableTable, key: Value | undefined): Value[] | null {
  const row = get(db, undoableSql[table].select, [key ?? null]);
  return row === undefined ? null : knownCells(table, row);
}

function knownCells(table: UndoableTable, row: Row): Value[] {
  const cells = cellsOf(table, row);
  if (cells === null) throw corruptRow(table, row, "a cell is absent or of the wrong kind");
  return cells;
}

/** The row before or after a logged change. */
function loggedCells(table: UndoableTable, change: Row, column: "before" | "after"): Value[] | null {
  if (change[column] === null) return null;
  const list = json("operation_changes", change, column);
  const { columns } = undoableSql[table];
  if (!Array.isArray(list) || list.length !== columns.length) {
    throw corruptRow("operation_changes", change, `${column} should be a list of ${columns.length} cells`);
  }
  return knownCells(table, Object.fromEntries(columns.map((name, index) => [name, list[index] as unknown])));
}

function absentRow(table: UndoableTable, key: Value | undefined): CoreError {
  return new CoreError("row-unknown", `The table ${table} has no row ${String(key)}.`);
}

function conflict(operation: Operation, table: UndoableTable, key: Value | undefined, cause?: unknown): CoreError {
  return new CoreError(
    "undo-conflict",
    `"${operation.summary}" cannot be undone or redone: row ${String(key)} of ${table} has changed since.`,
    { hint: "Nothing was changed. Make the change by hand instead.", cause },
  );
}

function operationOf(row: Row): Operation {
  return {
    id: integer("operations", row, "id"),
    kind: text("operations", row, "kind"),
    summary: text("operations", row, "summary"),
    state: stateCell("operations", row, "state"),
    changeCount: count("operations", row, "change_count"),
    createdAt: integer("operations", row, "created_at"),
  };
}
