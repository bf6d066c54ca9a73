import { connectionOf, guarded } from "./database.ts";
import type { Reader } from "./database.ts";
import { isObject } from "./rows.ts";

/**
 * What SQLite finds wrong with the library's file, in its own words; empty when all is well. Reads the whole file, which
 * takes seconds for a large library, so it is for the doctor and not for every start.
 */
export function findDamage(db: Reader): string[] {
  return guarded(() => {
    const connection = connectionOf(db);
    const problems = connection.prepare("PRAGMA integrity_check(20)").pluck().all();
    const orphans = connection.prepare("PRAGMA foreign_key_check").all();
    return [
      ...problems.map(String).filter((problem) => problem !== "ok"),
      ...orphans
        .filter(isObject)
        .map((row) => `row ${String(row["rowid"])} of ${String(row["table"])} refers to a row that is gone`),
    ].slice(0, 20);
  });
}
