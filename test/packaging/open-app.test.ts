/** `npm run app` where Electron cannot be had, as a person uses it. Needs the built page, as built-main.test.ts does. */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { isAlive, root, temporaryFolder, until } from "../electron/support.ts";

const hasElectron = existsSync(join(root, "node_modules/electron/path.txt"));
/** xdg-open asks the variable BROWSER; the other systems' ways would open a real browser. */
const canPlayBrowser = process.platform === "linux" && existsSync("/usr/bin/xdg-open");

const browserPath = "/usr/bin/chromium";

function openApp(home: string) {
  const opened = join(home, "opened");
  const browser = join(home, "browser.sh");
  writeFileSync(browser, `#!/bin/sh\necho "$1" > '${opened}'\n`);
  chmodSync(browser, 0o755);
  const child = spawn(process.execPath, ["packaging/open-app.ts"], {
    cwd: root,
    // The last keeps Electron's package from fetching its binary, as where there is no network.
    env: { ...process.env, HOME: home, BROWSER: browser, DISPLAY: "", ELECTRON_SKIP_BINARY_DOWNLOAD: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (text += part.toString()));
  return {
    child,
    said: () => text,
    /** The path of the page that the browser was to open: the system says it as an address, or as it is. */
    opened: () => {
      const said = existsSync(opened) ? readFileSync(opened, "utf8").trim() : "";
      return said.startsWith("file:") ? fileURLToPath(said) : said || null;
    },
  };
}

test.skipIf(hasElectron || !canPlayBrowser || !existsSync(browserPath))(
  "without Electron it says so, opens the page in the browser, and ends with Ctrl-C, leaving nothing",
  async () => {
    const home = temporaryFolder();
    const app = openApp(home);
    const page = await until(app.opened);
    // What a browser is started with stands in the list of processes: neither the token nor the ticket, but a page that
    // nobody else may read.
    expect([statSync(page).mode & 0o777, statSync(dirname(page)).mode & 0o777]).toEqual([0o600, 0o700]);
    const url = /url=(.+)"/.exec(readFileSync(page, "utf8"))?.[1] ?? "";
    expect(app.said()).toContain("Electron cannot be had here; the same page opens in your browser instead.");
    const printed = /Dinoscope is at (http:\S+)\nPress Ctrl-C to end it/.exec(app.said())?.[1] ?? "";
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?ticket=[0-9a-f]{64}$/);
    expect(url).not.toContain(new URL(printed).searchParams.get("token"));
    const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
    onTestFinished(() => browser.close());
    const tab = await browser.newPage();
    await tab.goto(pathToFileURL(page).href);
    await tab.waitForURL(/^http:\/\/127\.0\.0\.1:\d+\/(?!\?)/);
    await tab.getByRole("main", { name: "Start" }).waitFor();
    expect([(await fetch(url)).status, (await fetch(printed, { redirect: "manual" })).status]).toEqual([401, 303]);

    const second = openApp(home);
    await until(() => second.child.exitCode !== null);
    expect([second.child.exitCode, second.opened()]).toEqual([1, page]);
    expect(second.said()).toContain("is being written by process");

    const core = Number(/by process (\d+)/.exec(second.said())?.[1]);
    expect(isAlive(core)).toBe(true);
    app.child.kill("SIGINT");
    await until(() => app.child.exitCode !== null);
    expect(app.child.exitCode).toBe(0);
    expect([isAlive(core), existsSync(dirname(page))]).toEqual([false, false]);
  },
);
