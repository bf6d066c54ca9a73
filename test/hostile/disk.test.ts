import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findDamage } from "../../core/library/check.ts";
import { openLibrary } from "../../core/library/open.ts";
import { canMount, smallDisk } from "../helpers/disks.ts";
import { drawPicture } from "../helpers/pictures.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { ProblemError } from "../server/support.ts";
import { expectUnharmed, prepareHome, startCore, workIn } from "./core.ts";

leaveNothingBehind();

const { width, height } = { width: 1000, height: 1000 };

// Without the right to mount a disk there is none to fill. The checkpoint of a run: test/jobs/pretrain-kill.test.ts.
describe.skipIf(!canMount)("a disk that fills up (skipped without the right to mount one)", () => {
  test("ends an export, a label import and the saving of a mask with disk-full, and loses nothing", async () => {
    const disk = smallDisk(24);
    await prepareHome(disk.folder);
    const core = await startCore(disk.folder);
    const photos = join(disk.folder, "large");
    await drawPicture(join(photos, "large.png"), { seed: 1, width, height });
    await core.job({ kind: "ingest", parameters: { folder: photos } });
    await core.client.call("labels.assign", { target: { ids: [4] }, label: { path: ["Large"] } });
    const labels = join(disk.folder, "labels.csv");
    writeFileSync(labels, "path,label\n000.jpg,One\n001.jpg,Two\n002.jpg,Three\n");
    mkdirSync(join(disk.folder, "exports"));
    const folder = join(disk.folder, "exports", "folders");
    const exporting = { kind: "export", parameters: { format: "folders", folder } } as const;
    // Every second pixel: the most runs that a mask can have, some megabytes of them.
    const runs = Array.from({ length: width * height }, () => 1);
    const work = workIn(core.library);
    const importing = { kind: "import", parameters: { format: "csv", path: labels } } as const;
    const problemOf = async (wanted: Parameters<typeof core.job>[0]): Promise<string | undefined> =>
      (await core.job(wanted)).job.problem?.code;
    const acts: readonly (readonly [name: string, room: number, act: () => Promise<string | undefined>])[] = [
      ["export", 200_000, () => problemOf(exporting)],
      ["import", 30_000, () => problemOf(importing)],
      // Not even room for a row that says what is wrong.
      ["import, at once", 0, () => problemOf(importing)],
      ["mask", 50_000, () => core.client.refusal("masks.save", { imageId: 4, width, height, runs })],
    ];
    for (const [name, room, act] of acts) {
      disk.leave(room);
      const code = await act().catch((error: unknown) => (error instanceof ProblemError ? error.problem.code : error));
      disk.clear();
      expect({ name, code }).toEqual({ name, code: "disk-full" });
      await expectUnharmed(core, work);
      // No half of an export.
      expect(readdirSync(join(disk.folder, "exports"))).toEqual([]);
    }
    // With room again the same acts succeed.
    expect((await core.job(exporting)).job.state).toBe("done");
    expect(existsSync(join(folder, "manifest.json"))).toBe(true);
    await core.client.call("masks.save", { imageId: 4, width, height, runs });
    await core.close();
    const library = openLibrary(core.library, { mode: "read" });
    expect(findDamage(library.db)).toEqual([]);
    library.close();
  });
});
