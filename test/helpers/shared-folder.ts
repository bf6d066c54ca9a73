import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** An empty folder for all tests of a file, deleted after them. Call it at the top of the file. */
export function sharedFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-shared-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
