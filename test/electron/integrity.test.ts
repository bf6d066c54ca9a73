import { createPackageWithOptions } from "@electron/asar";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { findTampering, unpackedHashes } from "../../electron/integrity.ts";
import { temporaryFolder } from "./support.ts";

/** An archive as a packer makes it, with the core and a native library beside it. */
async function packed(): Promise<{ archive: string; beside: string }> {
  const folder = temporaryFolder();
  const files = {
    "package.json": "{}",
    "dist/electron/main.js": "main",
    "dist/core/main.js": "core",
    "node/node": "node",
    "node_modules/a/a.node": "native",
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, "app", path)), { recursive: true });
    writeFileSync(join(folder, "app", path), text);
  }
  const archive = join(folder, "app.asar");
  await createPackageWithOptions(join(folder, "app"), archive, { unpackDir: "{dist/core,node,node_modules}" });
  return { archive, beside: `${archive}.unpacked` };
}

test("files as they were packed are in order, and only those beside the archive are asked for", async () => {
  const { archive } = await packed();
  expect([...unpackedHashes(archive, fs).keys()].sort()).toEqual([
    "dist/core/main.js",
    "node/node",
    "node_modules/a/a.node",
  ]);
  expect(await findTampering(archive, fs)).toEqual([]);
});

test("a changed, a missing and an added file are each found", async () => {
  const { archive, beside } = await packed();
  writeFileSync(join(beside, "dist/core/main.js"), "c0re");
  rmSync(join(beside, "node/node"));
  writeFileSync(join(beside, "node_modules/a/b.node"), "more");
  expect(await findTampering(archive, fs, "linux")).toEqual([
    "dist/core/main.js was changed",
    "node/node is missing",
    "node_modules/a/b.node does not belong there",
  ]);
});

test("on macOS signed programs may differ, scripts may not", async () => {
  const { archive, beside } = await packed();
  writeFileSync(join(beside, "node_modules/a/a.node"), "signed");
  expect(await findTampering(archive, fs, "darwin")).toEqual([]);
  writeFileSync(join(beside, "dist/core/main.js"), "c0re");
  expect(await findTampering(archive, fs, "darwin")).toEqual(["dist/core/main.js was changed"]);
});

test("an archive that lies about its header is refused before its length is believed", async () => {
  const { archive } = await packed();
  const bytes = readFileSync(archive);
  for (const damage of [
    (copy: Buffer) => copy.writeUInt32LE(2 ** 31, 12),
    (copy: Buffer) => copy.fill(0, 16, 24),
    (copy: Buffer) => copy.write("files", 18),
  ]) {
    const copy = Buffer.from(bytes);
    damage(copy);
    writeFileSync(archive, copy);
    if (copy.equals(bytes)) continue;
    await expect(findTampering(archive, fs)).rejects.toThrow();
  }
  writeFileSync(archive, bytes.subarray(0, 100));
  await expect(findTampering(archive, fs)).rejects.toThrow("cut short");
});
