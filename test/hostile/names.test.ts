import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { csvName, csvPath } from "../../core/exports/rows.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { prepareHome, startCore, workIn, type Core } from "./core.ts";
import { hostileNames } from "./labels.ts";

leaveNothingBehind();

const home = sharedFolder();
let core: Core;

beforeAll(async () => {
  await prepareHome(home);
  core = await startCore(home);
});

afterAll(() => core.close());

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

test("label names that are programs elsewhere come in, go out as text for a spreadsheet, and come back as they were", async () => {
  for (const [i, name] of hostileNames.entries()) {
    const [given, exported] = [join(home, `given-${i}.csv`), join(home, `export-${i}`)];
    writeFileSync(given, `path,label\n000.jpg,${quoted(csvName(name))}\n`);
    await core.job({ kind: "import", parameters: { format: "csv", path: given } });
    const labels = await core.client.call("labels.list", {});
    expect(labels.tree.map(({ label }) => label.name)).toContain(name);
    const { job } = await core.job({ kind: "export", parameters: { format: "csv", folder: exported } });
    expect(job.state).toBe("done");
    const file = join(exported, "labels.csv");
    const cells = cellsOf(readFileSync(file, "utf8"));
    // What a spreadsheet takes for a formula (OWASP, "CSV injection").
    expect(cells.filter((cell) => /^[=+\-@\t\r]/.test(cell))).toEqual([]);
    const work = workIn(core.library);
    // By the column `label` alone, as files of others are read, and by the whole path.
    const short = join(home, `short-${i}.csv`);
    writeFileSync(
      short,
      `path,label\n${csvPath("000.jpg")},${quoted(cells.find((cell) => cell.includes(name)) ?? "")}\n`,
    );
    for (const path of [file, short]) {
      const again = await core.job({ kind: "import", parameters: { format: "csv", path } });
      expect(again.result).toMatchObject({ operation: null, labelled: 0, unmatchedCount: 0 });
    }
    expect(workIn(core.library)).toEqual(work);
  }
  // All of it can be undone.
  for (let steps = hostileNames.length; steps > 0; steps--) await core.client.call("history.undo", {});
  const { tree } = await core.client.call("labels.list", {});
  expect(tree.map(({ label }) => label.name)).toEqual(["Drinks"]);
});

/** The cells of a CSV file without line ends in its fields, read by another rule than ours: by its quotes. */
function cellsOf(text: string): string[] {
  return Array.from(text.matchAll(/(?:^|,|\r\n)(?:"((?:[^"]|"")*)"|([^",\r\n]*))/g), ([, inQuotes, plain]) =>
    inQuotes === undefined ? (plain ?? "") : inQuotes.replaceAll('""', '"'),
  );
}
