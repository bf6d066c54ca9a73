/** `npm run app` where Electron cannot be had, as a person uses it. Needs the built page, as built-main.test.ts does. */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { isAlive, root, temporaryFolder, until } from "../electron/support.ts";

const hasElectron = existsSync(join(root, "node_modules/electron/path.txt"));
/** xdg-open asks the variable BROWSER; the other systems' ways would open a real browser. */
const canPlayBrowser = process.platform === "linux" && existsSync("/usr/bin/xdg-open");

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
    opened: () => (existsSync(opened) ? readFileSync(opened, "utf8").trim() || null : null),
  };
}

test.skipIf(hasElectron || !canPlayBrowser)(
  "without Electron it says so, opens the page in the browser, and ends with Ctrl-C, leaving nothing",
  async () => {
    const home = temporaryFolder();
    const app = openApp(home);
    const url = await until(app.opened);
    expect(app.said()).toContain("Electron cannot be had here; the same page opens in your browser instead.");
    const printed = /Dinoscope is at (http:\S+)\nPress Ctrl-C to end it/.exec(app.said())?.[1] ?? "";
    // What a browser is started with stands in the list of processes: not the token.
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?ticket=[0-9a-f]{64}$/);
    expect(url).not.toContain(new URL(printed).searchParams.get("token"));
    // As a browser does it: the ticket becomes a cookie, and the page comes without it in its address.
    const first = await fetch(url, { redirect: "manual" });
    expect(first.status).toBe(303);
    const cookie = first.headers.get("set-cookie")?.split(";")[0] ?? "";
    const page = await fetch(new URL(first.headers.get("location") ?? "", url), { headers: { cookie } });
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("<script")]);
    expect([(await fetch(url)).status, (await fetch(printed, { redirect: "manual" })).status]).toEqual([401, 303]);

    const second = openApp(home);
    await until(() => second.child.exitCode !== null);
    expect([second.child.exitCode, second.opened()]).toEqual([1, url]);
    expect(second.said()).toContain("is being written by process");

    const core = Number(/by process (\d+)/.exec(second.said())?.[1]);
    expect(isAlive(core)).toBe(true);
    app.child.kill("SIGINT");
    await until(() => app.child.exitCode !== null);
    expect(app.child.exitCode).toBe(0);
    expect(isAlive(core)).toBe(false);
  },
);
