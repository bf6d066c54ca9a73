import { expect, test } from "vitest";
import { columns } from "../../core/library/columns.ts";
import { all } from "../../core/library/database.ts";
import { addImages, temporaryLibrary } from "./support.ts";

test("columns hold the same numbers as rows, however many; hex is read as a number, and NULL is 0", () => {
  const { db } = temporaryLibrary();
  // More than the room that columns begin with, twice over.
  addImages(db, 2500);
  const sql =
    "SELECT id, width / 3.0 AS third, substr(content_hash, 57) AS hash, missing_since FROM images ORDER BY id DESC";
  const found = columns(db, sql, [], ["id", "third", "hash", "missing"]);
  const rows = all(db, sql);
  expect(rows).toHaveLength(2500);
  expect([...found.id]).toEqual(rows.map((row) => row["id"]));
  expect([...found.third]).toEqual(rows.map((row) => row["third"]));
  expect([...found.hash]).toEqual(rows.map((row) => Number(`0x${String(row["hash"])}`)));
  expect(new Set(found.missing)).toEqual(new Set([0]));
});

test("a query without rows gives columns without numbers", () => {
  expect(columns(temporaryLibrary().db, "SELECT id FROM images", [], ["id"])).toEqual({ id: new Float64Array() });
});
