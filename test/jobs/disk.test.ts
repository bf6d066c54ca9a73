import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { canMount, smallDisk } from "../helpers/disks.ts";
import { drawPicture, drawPictures } from "../helpers/pictures.ts";
import { leaveNothingBehind, outputOf, runCommand } from "../helpers/processes.ts";
import { contentsOf, expectSameContents, prepareLibrary } from "../helpers/workplace.ts";
import { temporaryFolder } from "../library/support.ts";

leaveNothingBehind();

// Without the right to mount a disk there is none to fill.
describe.skipIf(!canMount)("a full disk", () => {
  test("ends add and embed with disk-full and all that was there before; with room again they finish", async () => {
    const disk = smallDisk(8);
    const [first, photos] = [join(temporaryFolder(), "first"), join(temporaryFolder(), "photos")];
    await drawPictures(first, 10, { seed: 1, width: 256, height: 256 });
    await drawPictures(photos, 100, { seed: 2, width: 256, height: 256 });
    const expected = await prepareLibrary();
    const folder = await prepareLibrary(join(disk.folder, "library"));
    for (const at of [expected, folder]) expect(await runCommand(at, "add", first)).toMatchObject({ code: 0 });
    await runCommand(expected, "add", photos);
    const afterAdd = contentsOf(expected);
    await runCommand(expected, "embed", "--device", "cpu");
    const afterEmbed = contentsOf(expected);

    const before = contentsOf(folder);
    for (const [parameters, room, after] of [
      [["add", photos], 400_000, afterAdd],
      [["embed", "--device", "cpu"], 130_000, afterEmbed],
    ] as const) {
      disk.leave(room);
      const failed = await runCommand(folder, ...parameters);
      expect(failed.code).toBe(1);
      const error = outputOf(failed, "error");
      expect(error["code"]).toBe("disk-full");
      expect(error["hint"]).toMatch(/^Free some space/);
      // Not even one page is left: a command that cannot begin says the same.
      disk.clear();
      disk.leave(0);
      const refused = await runCommand(folder, ...parameters);
      expect(refused.code).toBe(1);
      expect(outputOf(refused, "error")).toMatchObject({ code: "disk-full" });
      disk.clear();
      const { images, vectors } = contentsOf(folder);
      expect(images).toEqual(expect.arrayContaining([...before.images]));
      expect(images.length).toBeLessThanOrEqual(after.images.length);
      expect(images.length + vectors.size).toBeLessThan(after.images.length + after.vectors.size);
      expect(await runCommand(folder, ...parameters)).toMatchObject({ code: 0, errors: "" });
      expectSameContents(contentsOf(folder), after);
    }
  });

  test("keeps a new library from being made, and leaves nothing that would be in its way later", async () => {
    const disk = smallDisk(4);
    const photos = join(temporaryFolder(), "photos");
    await drawPictures(photos, 3, { seed: 1 });
    const folder = join(disk.folder, "library");
    for (const room of [0, 20_000, 120_000, 300_000]) {
      disk.leave(room);
      const failed = await runCommand(folder, "add", photos);
      expect(failed.code, `with ${room} bytes`).toBe(1);
      expect(outputOf(failed, "error"), `with ${room} bytes`).toMatchObject({ code: "disk-full" });
      disk.clear();
      // Half of the times from nothing, half with what the try before has left there.
      if (room === 20_000) rmSync(folder, { recursive: true, force: true });
    }
    expect(await runCommand(folder, "add", photos)).toMatchObject({ code: 0, errors: "" });
    expect(contentsOf(folder).images).toHaveLength(3);
  });
});

describe.skipIf(!canMount)("a read-only disk", () => {
  test("with a library on it is named as what it is", async () => {
    const disk = smallDisk(8);
    const photos = join(temporaryFolder(), "photos");
    await drawPictures(photos, 3, { seed: 1 });
    const folder = await prepareLibrary(join(disk.folder, "library"));
    await runCommand(folder, "add", photos);
    const before = contentsOf(folder);
    disk.makeReadOnly();
    const failed = await runCommand(folder, "add", photos);
    expect(failed.code).toBe(1);
    expect(outputOf(failed, "error")).toMatchObject({ code: "library-read-only" });
    const refused = await runCommand(join(disk.folder, "new"), "add", photos);
    expect(refused.code).toBe(1);
    // Node says ENOENT where it cannot make a folder with those above it on such a disk, EROFS as soon as it knows better.
    expect(outputOf(refused, "error")["code"]).toMatch(/^library-(read-only|cannot-open)$/);
    disk.makeWritable();
    expect(contentsOf(folder)).toEqual(before);
  });

  test("with pictures on it is as good as any", async () => {
    const disk = smallDisk(8);
    const photos = join(disk.folder, "photos");
    await drawPictures(photos, 5, { seed: 1 });
    await drawPicture(join(photos, "sub/deeper.png"), { seed: 9 });
    disk.makeReadOnly();
    const folder = await prepareLibrary();
    expect(outputOf(await runCommand(folder, "add", photos), "ingest")).toMatchObject({ added: 6, failed: 0 });
    expect(outputOf(await runCommand(folder, "embed"), "embed")).toMatchObject({ embedded: 6, failed: [] });
    expect(outputOf(await runCommand(folder, "add", photos), "ingest")).toMatchObject({ unchanged: 6 });
    // As does a copy elsewhere: nothing was left behind on the disk.
    const copy = join(temporaryFolder(), "copy");
    cpSync(photos, copy, { recursive: true });
    expect(outputOf(await runCommand(folder, "add", copy), "ingest")).toMatchObject({ added: 6, ignored: 0 });
  });
});
