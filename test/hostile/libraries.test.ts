import Database from "better-sqlite3";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { endCore, expectUnharmed, firstLine, prepareHome, startCore, workIn } from "./core.ts";

leaveNothingBehind();

const home = sharedFolder();
let made = 0;

beforeAll(() => prepareHome(home));

/** A home folder with a copy of the library, with something done to its files. */
function spoiledHome(spoil: (library: string) => void): string {
  const copy = join(home, `copy-${++made}`);
  cpSync(join(home, "library"), join(copy, "library"), { recursive: true });
  spoil(join(copy, "library"));
  return copy;
}

/** SQL that somebody ran in the library with another program. */
function planted(sql: string): (library: string) => void {
  return (library) => {
    const database = new Database(join(library, "library.sqlite"));
    database.exec(sql);
    database.close();
  };
}

const sqlite = (library: string): string => join(library, "library.sqlite");

function instead(put: (path: string) => void): (library: string) => void {
  return (library) => {
    rmSync(sqlite(library));
    put(sqlite(library));
  };
}

describe("a library folder", () => {
  test.each<[string, string, (library: string) => void]>([
    [
      "whose file is no database",
      "library-corrupt",
      instead((path) => writeFileSync(path, "no database ".repeat(5000))),
    ],
    ["whose file is cut", "library-corrupt", (library) => truncateSync(sqlite(library), 20_000)],
    ["whose file is a folder", "library-cannot-open", instead((path) => mkdirSync(path))],
    ["whose file is a pipe", "disk-failed", instead((path) => void execFileSync("mkfifo", [path]))],
    ["of a newer program", "library-newer", planted("PRAGMA user_version = 99999")],
    ["of another program", "library-foreign", planted("PRAGMA application_id = 1")],
    [
      "with a trigger that deletes labels",
      "library-corrupt",
      planted("CREATE TRIGGER loss AFTER INSERT ON jobs BEGIN DELETE FROM annotations; END"),
    ],
    [
      "with a view in the place of a table",
      "library-corrupt",
      planted("ALTER TABLE settings RENAME TO old; CREATE VIEW settings AS SELECT * FROM old"),
    ],
    ["with a column more", "library-corrupt", planted("ALTER TABLE images ADD COLUMN more TEXT")],
  ])("%s is not opened: %s, and stays as it was", async (_, code, spoil) => {
    const copy = spoiledHome(spoil);
    const before = contentOf(sqlite(join(copy, "library")));
    const { line, child } = await firstLine(copy, join(copy, "library"));
    expect(line).toMatchObject({ type: "error", code });
    await endCore(child);
    expect(contentOf(sqlite(join(copy, "library")))).toBe(before);
  });

  test("whose thumbnails are no database gets them anew", async () => {
    const copy = spoiledHome((library) => writeFileSync(join(library, "thumbnails.sqlite"), "none"));
    const core = await startCore(copy);
    await expectUnharmed(core, workIn(join(home, "library")));
    await core.close();
  });

  test.each([
    "../../victim.txt",
    "/etc/hostname",
    "library.sqlite",
    "models/../library.sqlite",
    "models/../../victim.txt",
  ])("whose model lies at %s gives an error at every use, and nothing is deleted", async (path) => {
    const copy = spoiledHome(planted(`UPDATE models SET file = '${path}'`));
    writeFileSync(join(copy, "victim.txt"), "mine");
    const core = await startCore(copy);
    expect(await core.client.refusal("models.delete", { modelId: 1 })).toBe("library-corrupt");
    expect(await core.client.refusal("models.export", { modelId: 1, format: "timm", path: join(copy, "out") })).toBe(
      "library-corrupt",
    );
    expect((await core.job({ kind: "embed", parameters: {} })).job.problem?.code).toBe("library-corrupt");
    expect(await core.client.call("labels.list", {})).toMatchObject({ tree: [{}] });
    expect(readFileSync(join(copy, "victim.txt"), "utf8")).toBe("mine");
    expect(existsSync(sqlite(core.library))).toBe(true);
    await core.close();
  });

  test("whose settings name paths and programs elsewhere is served with the usual ones", async () => {
    const copy = spoiledHome(
      planted(`INSERT INTO settings (key, value) VALUES ('device', '"/bin/sh"'), ('currentModelId', '"../../x"'),
        ('labelKeys', '{"__proto__":"x","1":["a"]}'), ('root', '"/"')`),
    );
    const core = await startCore(copy);
    const work = workIn(core.library);
    expect(await core.client.call("library.overview", {})).toMatchObject({ currentModelId: 1 });
    expect(await core.client.refusal("files.list", { path: "/etc" })).toBe("path-outside");
    expect((await core.client.call("labels.list", {})).tree).toHaveLength(1);
    expect((await core.job({ kind: "embed", parameters: {} })).job.state).toBe("done");
    await expectUnharmed(core, work);
    await core.close();
  });

  test("whose picture's path leads out of its source does not give that file", async () => {
    const copy = spoiledHome(planted("UPDATE images SET path = '../../../../../etc/hostname' WHERE id = 1"));
    const core = await startCore(copy);
    expect(await core.client.refusal("images.detail", { imageId: 1 })).toBe("library-corrupt");
    expect(await core.client.call("images.records", { ids: [2] })).toHaveLength(1);
    await core.close();
  });
});

/** The bytes of a file, or that it is none. */
function contentOf(path: string): string {
  return lstatSync(path).isFile() ? readFileSync(path, "latin1") : "no file";
}
