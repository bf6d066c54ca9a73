import { CoreError } from "../util/errors.ts";
import { all, run } from "./database.ts";
import type { Reader, Writer } from "./database.ts";
import { json, text } from "./rows.ts";

export const settingStatements = {
  all: "SELECT key, value FROM settings ORDER BY key",
  put: "INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  delete: "DELETE FROM settings WHERE key = ?",
} as const;

const sql = settingStatements;

/** JSON text that one setting may have. */
const longest = 65_536;

/** All settings by key, as JSON data. */
export function listSettings(db: Reader): Record<string, unknown> {
  return Object.fromEntries(
    all(db, sql.all).map((row) => [text("settings", row, "key"), json("settings", row, "value")]),
  );
}

/** Keeps a setting; null forgets it. Throws `setting-too-large` beyond 64 kB of JSON. */
export function putSetting(db: Writer, key: string, value: unknown): void {
  if (value === null || value === undefined) {
    run(db, sql.delete, [key]);
    return;
  }
  const stored = JSON.stringify(value);
  if (stored.length > longest) {
    throw new CoreError("setting-too-large", `The setting ${key} has ${stored.length} characters, ${longest} fit.`);
  }
  run(db, sql.put, [key, stored]);
}
