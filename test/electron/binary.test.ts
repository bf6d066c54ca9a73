/** The real Electron, where its binary is: everything else is tested without it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { _electron } from "playwright-core";
import { build } from "vite";
import { expect, onTestFinished, test } from "vitest";
import { desktopGlobal } from "../../core/rpc/desktop.ts";
import { root, temporaryFolder } from "./support.ts";

/** Electron's program; undefined where nothing fetched it. Asking the package itself would try to. */
function electronProgram(): string | undefined {
  const folder = join(root, "node_modules/electron");
  if (!existsSync(join(folder, "path.txt"))) return undefined;
  const program = join(folder, "dist", readFileSync(join(folder, "path.txt"), "utf8").trim());
  return existsSync(program) ? program : undefined;
}

const program = electronProgram();
if (program === undefined) console.log("Electron's binary is not here: its own test is skipped.");

test.skipIf(program === undefined)("Electron opens the page in a sandbox, with the desktop's functions", async () => {
  for (const name of ["main", "preload"])
    await build({ configFile: join(root, `packaging/${name}.config.ts`), logLevel: "warn" });
  const home = temporaryFolder();
  const app = await _electron.launch({
    ...(program === undefined ? {} : { executablePath: program }),
    args: [root, `--user-data-dir=${home}`],
    env: { ...process.env, HOME: home },
  });
  onTestFinished(() => app.close());
  const page = await app.firstWindow();
  await page.waitForURL(/^http:\/\/127\.0\.0\.1:\d+\//);
  expect(await page.evaluate("typeof require")).toBe("undefined");
  expect(await page.evaluate(`Object.keys(window.${desktopGlobal}).length`)).toBeGreaterThan(5);
  await expect(page.evaluate(`window.${desktopGlobal}.reveal("relative")`)).rejects.toThrow();
});
