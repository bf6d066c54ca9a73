import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { checkedVersion, latestVersion, migrate, migrations } from "../../core/library/migrations/index.ts";
import { errorOf } from "./support.ts";

const one = { version: 10, sql: "CREATE TABLE one (id INTEGER)" };
const two = { version: 20, sql: "CREATE TABLE two (id INTEGER); INSERT INTO one VALUES (2)" };
const broken = { version: 20, sql: "CREATE TABLE two (id INTEGER); INSERT INTO nowhere VALUES (2)" };

function tables(connection: Database.Database): unknown[] {
  return connection.prepare("SELECT name FROM sqlite_schema ORDER BY name").pluck().all();
}

describe("migrations", () => {
  test("lead to the version of the last, in steps of 10", () => {
    expect(latestVersion(migrations)).toBe(migrations.at(-1)?.version);
    expect(migrations.map(({ version }) => version % 10)).toEqual(migrations.map(() => 0));
  });

  test("run in order from wherever the file is, once", () => {
    const connection = new Database(":memory:");
    expect(migrate(connection, [one])).toEqual([10]);
    expect(migrate(connection, [one, two])).toEqual([20]);
    expect(migrate(connection, [one, two])).toEqual([]);
    expect(connection.pragma("user_version", { simple: true })).toBe(20);
    expect(connection.prepare("SELECT id FROM one").pluck().all()).toEqual([2]);
  });

  test("that fail leave tables and version as they were before", () => {
    const connection = new Database(":memory:");
    expect(() => migrate(connection, [one, broken])).toThrow("no such table: nowhere");
    expect(tables(connection)).toEqual(["one"]);
    expect(checkedVersion(connection, [one, two])).toBe(10);
    expect(migrate(connection, [one, two])).toEqual([20]);
  });

  test("are refused as a list where they do not increase, or where there are none", () => {
    expect(errorOf(() => latestVersion([two, one])).message).toContain("10 follows 20");
    expect(errorOf(() => latestVersion([one, one])).code).toBe("internal");
    expect(errorOf(() => latestVersion([])).code).toBe("internal");
  });

  test("do not touch a file from the future", () => {
    const connection = new Database(":memory:");
    connection.pragma("user_version = 30");
    expect(errorOf(() => migrate(connection, [one, two])).code).toBe("library-newer");
    expect(tables(connection)).toEqual([]);
  });
});
