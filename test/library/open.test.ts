import Database from "better-sqlite3";
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, expectTypeOf, test } from "vitest";
import { findDamage } from "../../core/library/check.ts";
import { connectionOf } from "../../core/library/database.ts";
import type { Reader, Writer } from "../../core/library/database.ts";
import { latestVersion, migrations } from "../../core/library/migrations/index.ts";
import { openLibrary } from "../../core/library/open.ts";
import { ensureSource, listSources } from "../../core/library/sources.ts";
import { getThumbnail, putThumbnails } from "../../core/library/thumbnails.ts";
import { errorOf, hashOf, temporaryFolder, temporaryLibrary } from "./support.ts";

const thumbnail = { contentHash: hashOf(1), webp: new Uint8Array([1, 2, 3]) };

/** A library with one source and one thumbnail, closed again. */
function closedLibrary(): string {
  const folder = join(temporaryFolder(), "library");
  const library = openLibrary(folder, { mode: "write" });
  ensureSource(library.db, "/pictures", 1);
  putThumbnails(library.thumbnails, [thumbnail]);
  library.close();
  return folder;
}

/** Changes `library.sqlite` from outside, as another program would. */
function tamper(folder: string, sql: string, file = "library.sqlite"): void {
  const connection = new Database(join(folder, file));
  connection.unsafeMode(true);
  connection.exec(sql);
  connection.close();
}

describe("opening for writing", () => {
  test("makes the folder, its parents and the files", () => {
    const folder = join(temporaryFolder(), "deep", "library");
    const library = temporaryLibrary(folder);
    expect(library.folder).toBe(folder);
    for (const file of ["library.sqlite", "thumbnails.sqlite", "writer.lock", "writer.json"]) {
      expect(statSync(join(folder, file)).isFile()).toBe(true);
    }
  });

  test("sets the file up as the design says", () => {
    const pragma = (name: string): unknown => connectionOf(temporaryLibrary().db).pragma(name, { simple: true });
    expect(pragma("page_size")).toBe(8192);
    expect(pragma("journal_mode")).toBe("wal");
    expect(pragma("foreign_keys")).toBe(1);
    expect(pragma("synchronous")).toBe(1); // NORMAL
    expect(pragma("busy_timeout")).toBe(5000);
    expect(pragma("trusted_schema")).toBe(0);
    expect(pragma("cell_size_check")).toBe(1);
    expect(pragma("application_id")).toBe(0x44494e4f);
    expect(pragma("user_version")).toBe(latestVersion(migrations));
  });

  test("writes the application id where other programs look for it: header offset 68", () => {
    expect(readFileSync(join(closedLibrary(), "library.sqlite")).toString("latin1", 68, 72)).toBe("DINO");
  });

  test("does not let SQL rewrite the schema", () => {
    const connection = connectionOf(temporaryLibrary().db);
    connection.pragma("writable_schema = ON");
    expect(() => connection.exec("UPDATE sqlite_schema SET sql = 'x'")).toThrow(/may not be modified/);
  });

  test("finds again what was written before", () => {
    const { db, thumbnails } = temporaryLibrary(closedLibrary());
    expect(listSources(db)).toEqual([{ id: 1, folder: "/pictures", createdAt: 1 }]);
    expect(getThumbnail(thumbnails, thumbnail.contentHash)).toEqual(Buffer.from(thumbnail.webp));
  });

  test("leaves no log files behind when closed, so that one file can be copied away", () => {
    const folder = closedLibrary();
    expect(() => statSync(join(folder, "library.sqlite-wal"))).toThrow("ENOENT");
  });

  test("goes on where a process was killed between making the file and making its tables", () => {
    const folder = temporaryFolder();
    tamper(folder, `PRAGMA application_id = ${0x44494e4f}`);
    expect(findDamage(temporaryLibrary(folder).db)).toEqual([]);
  });

  // Permissions do not bind root, and Windows has others.
  test.skipIf(process.platform === "win32" || process.getuid?.() === 0)("says so where the folder is read-only", () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o555);
    expect(errorOf(() => openLibrary(folder, { mode: "write" })).code).toBe("library-read-only");
    expect(errorOf(() => openLibrary(join(folder, "library"), { mode: "write" })).code).toBe("library-read-only");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("says so where a file is in the way of the folder", () => {
    const folder = join(temporaryFolder(), "library");
    writeFileSync(folder, "a file");
    expect(errorOf(() => openLibrary(folder, { mode: "write" })).code).toBe("library-cannot-open");
  });
});

describe("opening for reading", () => {
  test("gives handles that the types and SQLite keep from writing", () => {
    const folder = closedLibrary();
    const library = openLibrary(folder, { mode: "read" });
    expectTypeOf(library.db).toEqualTypeOf<Reader>();
    expectTypeOf<Reader>().not.toExtend<Writer>();
    expectTypeOf<Writer>().toExtend<Reader>();
    expect(listSources(library.db)).toHaveLength(1);
    const error = errorOf(() => ensureSource(library.db as Writer, "/other"));
    expect(error.code).toBe("library-read-only");
    expect(error.hint).toContain("--library");
    library.close();
  });

  test("finds no library in an empty folder, a missing folder, or one where creation was cut short", () => {
    const folder = temporaryFolder();
    const cutShort = temporaryFolder();
    writeFileSync(join(cutShort, "library.sqlite"), "");
    for (const place of [folder, join(folder, "missing"), cutShort]) {
      const error = errorOf(() => openLibrary(place, { mode: "read" }));
      expect(error.code).toBe("library-missing");
      expect(error.message).toContain(place);
    }
  });

  test("makes do without thumbnails", () => {
    const folder = closedLibrary();
    rmSync(join(folder, "thumbnails.sqlite"));
    const library = openLibrary(folder, { mode: "read" });
    expect(getThumbnail(library.thumbnails, thumbnail.contentHash)).toBeNull();
    library.close();
  });

  test("asks for a writer where the schema is older than the program's", () => {
    const folder = closedLibrary();
    tamper(folder, "PRAGMA user_version = 5");
    expect(errorOf(() => openLibrary(folder, { mode: "read" })).code).toBe("library-older");
  });
});

describe.each(["read", "write"] as const)("opening to %s", (mode) => {
  const open = (folder: string): unknown =>
    mode === "read" ? openLibrary(folder, { mode }) : openLibrary(folder, { mode });

  test("refuses a library of a newer version, and leaves it as it is", () => {
    const folder = closedLibrary();
    const newest = latestVersion(migrations);
    tamper(folder, `PRAGMA user_version = ${newest + 1}`);
    const before = readFileSync(join(folder, "library.sqlite"));
    const error = errorOf(() => open(folder));
    expect(error.code).toBe("library-newer");
    expect(error.message).toContain(`its version is ${newest + 1}, this program knows up to ${newest}`);
    expect(readFileSync(join(folder, "library.sqlite"))).toEqual(before);
  });

  test("refuses another program's SQLite file, and leaves it as it is", () => {
    const folder = temporaryFolder();
    tamper(folder, "CREATE TABLE photos (id INTEGER PRIMARY KEY); PRAGMA application_id = 7");
    const before = readFileSync(join(folder, "library.sqlite"));
    expect(errorOf(() => open(folder)).code).toBe("library-foreign");
    expect(readFileSync(join(folder, "library.sqlite"))).toEqual(before);
  });

  test("refuses a file that is no SQLite database", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "library.sqlite"), "JPEG, perhaps".repeat(1000));
    expect(errorOf(() => open(folder)).code).toBe("library-corrupt");
  });

  test.each([
    "CREATE TRIGGER spy AFTER INSERT ON annotations BEGIN DELETE FROM labels; END",
    "CREATE VIEW pictures AS SELECT * FROM images",
    "DROP INDEX images_path",
    "ALTER TABLE images ADD COLUMN extra TEXT",
  ])("refuses a library whose schema was changed: %s", (sql) => {
    const folder = closedLibrary();
    tamper(folder, sql);
    expect(errorOf(() => open(folder)).code).toBe("library-corrupt");
  });

  test("accepts the statistics that another program's ANALYZE left", () => {
    const folder = closedLibrary();
    tamper(folder, "ANALYZE");
    expect(() => (open(folder) as { close: () => void }).close()).not.toThrow();
  });
});

describe("the thumbnail cache", () => {
  const spoiled: Record<string, (file: string) => void> = {
    missing: (file) => rmSync(file),
    empty: (file) => truncateSync(file),
    "cut short": (file) => truncateSync(file, 8192 + 100),
    "no database": (file) => writeFileSync(file, "not a database at all".repeat(500)),
    "another version": (file) => {
      const connection = new Database(file);
      connection.pragma("user_version = 3");
      connection.close();
    },
  };

  test.each(Object.keys(spoiled))("is made anew when it is %s", (name) => {
    const folder = closedLibrary();
    spoiled[name]?.(join(folder, "thumbnails.sqlite"));
    const { thumbnails } = temporaryLibrary(folder);
    expect(getThumbnail(thumbnails, thumbnail.contentHash)).toBeNull();
    putThumbnails(thumbnails, [thumbnail]);
    expect(getThumbnail(thumbnails, thumbnail.contentHash)).toEqual(Buffer.from(thumbnail.webp));
  });

  test("is not thrown away because it could not be opened for another reason", () => {
    const folder = closedLibrary();
    const file = join(folder, "thumbnails.sqlite");
    rmSync(file);
    mkdirSync(file);
    expect(errorOf(() => openLibrary(folder, { mode: "write" })).code).toBe("library-cannot-open");
  });
});

describe("a full disk", () => {
  test("fails with words, takes the step back whole, and leaves the library sound", () => {
    const library = temporaryLibrary();
    const connection = connectionOf(library.db);
    const pages = Number(connection.pragma("page_count", { simple: true }));
    connection.pragma(`max_page_count = ${pages + 5}`);
    let taken = 0;
    const error = errorOf(() => {
      for (;;) {
        ensureSource(library.db, `/pictures/${"long".repeat(1000)}/${taken}`);
        taken += 1;
      }
    });
    expect(error.code).toBe("disk-full");
    expect(error.message).toContain("the disk is full");
    expect(error.hint).toContain("Free some space");
    expect(connection.inTransaction).toBe(false);
    expect(taken).toBeGreaterThan(0);
    expect(listSources(library.db)).toHaveLength(taken);
    expect(findDamage(library.db)).toEqual([]);
    // With space again, work goes on.
    connection.pragma("max_page_count = 1000000");
    ensureSource(library.db, "/more");
    expect(listSources(library.db)).toHaveLength(taken + 1);
  });
});
