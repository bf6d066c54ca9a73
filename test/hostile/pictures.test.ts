import { execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { drawPicture } from "../helpers/pictures.ts";
import { leaveNothingBehind, until } from "../helpers/processes.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { expectUnharmed, imagesIn, markerIn, pictureSize, prepareHome, startCore, workIn, type Core } from "./core.ts";
import { hostilePictures, maskBomb, vastMask } from "./pictures.ts";

leaveNothingBehind();

/**
 * Megabytes. A core holds SQLite's caches and what it was sent: a dropped picture may have 64 MB, in a few copies. An
 * engine holds onnxruntime and sharp, some 250 MB, and decodes within a budget of 1 GiB, of which these files, which
 * declare more than they may or are small, should get next to nothing.
 */
const bounds = { core: 400, engine: 600 };

const posix = process.platform !== "win32";
const isRoot = process.getuid?.() === 0;
const home = sharedFolder();
let core: Core;
let work: ReturnType<typeof workIn>;
let rows: Awaited<ReturnType<typeof hostilePictures>>;

beforeAll(async () => {
  await prepareHome(home);
  work = workIn(join(home, "library"));
  core = await startCore(home);
  rows = await hostilePictures(markerIn(home));
});

afterAll(async () => {
  await core.close();
  expect(core.peak().core).toBeLessThan(bounds.core);
  expect(core.peak().engine).toBeLessThan(bounds.engine);
});

/** A new folder in the home folder. */
function folder(name: string): string {
  const path = join(home, name);
  mkdirSync(path);
  return path;
}

test("a folder of picture bombs, cut files and disguises is taken in: each bad one is kept with the code of its reason", async () => {
  const bad = folder("bad");
  for (const [name, [, bytes]] of Object.entries(rows)) writeFileSync(join(bad, name), bytes);
  const { job } = await core.job({ kind: "ingest", parameters: { folder: bad } });
  expect(job.state).toBe("done");
  const expected = Object.entries(rows).map(([name, [code]]) => [name, code === "taken" ? "ready" : code] as const);
  expect(Object.fromEntries(imagesIn(core.library, bad))).toEqual(Object.fromEntries(expected));
  await expectUnharmed(core, work);
});

test("the same files dropped on the page to search by are refused with the same codes", async () => {
  const found: [string, string][] = [];
  for (const [name, [, bytes]] of Object.entries(rows)) found.push([name, await core.search(bytes)]);
  expect(Object.fromEntries(found)).toEqual(
    Object.fromEntries(Object.entries(rows).map(([name, [code]]) => [name, code])),
  );
  await expectUnharmed(core, work);
});

test("as masks they are left out with a reason, by both readers", async () => {
  const masks = folder("masks");
  const [bomb, ...others] = [maskBomb(), vastMask(), rows["drawing.png"]?.[1] ?? Buffer.alloc(0)];
  others.forEach((bytes, i) => writeFileSync(join(masks, `00${i}.png`), bytes));
  const pictures = await core.job({ kind: "import", parameters: { format: "masks-folder", path: masks } });
  expect(pictures).toMatchObject({ job: { state: "done" }, result: { imported: 0, operation: null } });
  expect(pictures.result).toMatchObject({
    unmatched: [
      { reason: expect.stringMatching("60000 x 60000") as string },
      { reason: expect.stringMatching("SVG") as string },
    ],
  });
  // Sharp reads the pixels that a header declares and no more; the strict reader of data sets refuses the rest of them.
  writeFileSync(join(masks, "002.png"), bomb);
  const dataset = await core.job({ kind: "import", parameters: { format: "masks", path: masks } });
  expect(dataset).toMatchObject({ job: { state: "done" }, result: { masked: 0, unmatchedCount: 3 } });
  const reasons = [/60000 x 60000 pixels/, /does not start as one/, /cannot be unpacked/];
  expect(dataset.result).toMatchObject({
    unmatched: reasons.map((reason) => ({ reason: expect.stringMatching(reason) as string })),
  });
  await expectUnharmed(core, work);
});

describe.runIf(posix)("a folder with what is no file", () => {
  test("is looked through without waiting, and no link is followed", async () => {
    const odd = folder("odd");
    await drawPicture(join(odd, "good.jpg"), { seed: 5 });
    execFileSync("mkfifo", [join(odd, "pipe.jpg")]);
    const listener = createServer().listen(join(odd, "socket.jpg"));
    onTestFinished(() => void listener.close());
    if (isRoot) execFileSync("mknod", [join(odd, "device.jpg"), "c", "1", "5"]);
    symlinkSync("/etc/hostname", join(odd, "outside.jpg"));
    symlinkSync(odd, join(odd, "loop"));
    symlinkSync("self.jpg", join(odd, "self.jpg"));
    const view = await core.job({ kind: "ingest", parameters: { folder: odd } });
    expect(view).toMatchObject({ job: { state: "done" }, result: { added: 1, failed: 0 } });
    expect([...imagesIn(core.library, odd).keys()]).toEqual(["good.jpg"]);
    await expectUnharmed(core, work);
  });

  // The superuser may read everything.
  test.skipIf(isRoot)("keeps a file that may not be read with the system's own code", async () => {
    const locked = folder("locked");
    writeFileSync(join(locked, "secret.jpg"), "x");
    chmodSync(join(locked, "secret.jpg"), 0);
    await core.job({ kind: "ingest", parameters: { folder: locked } });
    expect(imagesIn(core.library, locked).get("secret.jpg")).toBe("eacces");
  });

  test("keeps names of any spelling apart, and leaves out those that are no text", async () => {
    const named = folder("named");
    const names = [
      "two\nlines.jpg",
      "bell\x07 and escape\x1b[31m.jpg",
      "right to left \u202egpj.exe.jpg",
      "<img src=x onerror=alert(1)>.jpg",
      `${"long".repeat(62)}abc.jpg`,
      `${Array.from({ length: 20 }, (_, i) => `${i}${"deep".repeat(30)}`).join("/")}/x.jpg`,
    ];
    for (const [i, name] of names.entries()) await drawPicture(join(named, name), { seed: 20 + i });
    writeFileSync(Buffer.concat([Buffer.from(`${named}/`), Buffer.from("no \xff text.jpg", "latin1")]), "x");
    const { result } = await core.job({ kind: "ingest", parameters: { folder: named } });
    expect(result).toMatchObject({
      added: names.length,
      failed: 0,
      skipped: [{ reason: "The name is not valid Unicode." }],
    });
    expect([...imagesIn(core.library, named).keys()].sort()).toEqual([...names].sort());
    await expectUnharmed(core, work);
  });
});

test("a file that grows while it is read is read to the length it had, and nothing waits for its end", async () => {
  const growing = folder("growing");
  await drawPicture(join(growing, "grows.jpg"), { seed: 6, ...pictureSize });
  const grow = (): void => appendFileSync(join(growing, "grows.jpg"), Buffer.alloc(100_000));
  const timer = setInterval(grow, 1);
  onTestFinished(() => clearInterval(timer));
  await until(() => true);
  const view = await core.job({ kind: "ingest", parameters: { folder: growing } });
  // Bytes behind the end of a picture do no harm.
  expect(view).toMatchObject({ job: { state: "done" }, result: { added: 1, failed: 0 } });
  await expectUnharmed(core, work);
});
