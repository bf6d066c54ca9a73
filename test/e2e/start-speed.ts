/**
 * From starting the program to its first picture, and what its processes hold at rest: `dinoscope serve`, and the built
 * main process under the fake Electron. Debian's chromium, which runs already, plays the window.
 * `node test/e2e/start-speed.ts [--images N] [--library FOLDER] [--page FOLDER]`, after `npm run build` and
 * `npm run build:desktop`.
 */
import { fork } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { calmBrowser, emptyTab, memoryBelow, serve, speedOptions } from "./speed.ts";

const root = resolve(import.meta.dirname, "../..");
const options = await speedOptions({ images: 240 });
const browser = await calmBrowser();
const rounds = 2;
/** After so long a program that nobody uses is at rest. */
const restMs = 4000;

/** Waits for the first picture of a page, and says how long after `start` it was painted. */
async function firstPictureAfter(start: number, cookie: Cookie | undefined, url: string, pid: number): Promise<string> {
  const page = await emptyTab(browser);
  if (cookie !== undefined) {
    const { url: at, name, value } = cookie;
    await page.context().addCookies([{ url: at, name, value, httpOnly: true, sameSite: "Strict" }]);
  }
  const readyMs = performance.now() - start;
  await page.goto(url);
  await page.waitForFunction(() => performance.getEntriesByName("first-picture").length > 0, null, { polling: "raf" });
  const ms = performance.now() - start;
  await page.waitForTimeout(restMs);
  const told = [...memoryBelow(pid), ...memoryBelow(process.pid).filter(({ name }) => !/\.[mj]?[jt]s$/.test(name))];
  await page.context().close();
  return (
    `core ready after ${readyMs.toFixed(0)} ms, first picture after ${ms.toFixed(0)} ms; at rest ` +
    told.map(({ name, megabytes }) => `${name} ${megabytes.toFixed(0)} MB`).join(", ")
  );
}

interface Cookie {
  readonly url: string;
  readonly name: string;
  readonly value: string;
}

/** What the fake tells (test/electron/fake-electron.ts), as far as it is of use here. */
interface Happening {
  readonly cookie?: Cookie;
  /** Of the page to load. */
  readonly url?: string;
}

for (let round = 0; round < rounds; round++) {
  const start = performance.now();
  const core = await serve(options);
  console.log(`dinoscope serve: ${await firstPictureAfter(start, undefined, core.url, core.process.pid ?? 0)}`);
  await core.close();
}

for (let round = 0; round < rounds; round++) {
  const home = mkdtempSync(join(tmpdir(), "dinoscope-start-"));
  const paths = Object.fromEntries(["userData", "logs", "documents"].map((name) => [name, join(home, name)]));
  mkdirSync(paths["userData"] ?? home);
  writeFileSync(
    join(paths["userData"] ?? home, "desktop.json"),
    JSON.stringify({ recent: [resolve(options.library)], window: null }),
  );
  const start = performance.now();
  const main = fork(join(root, "dist/electron/main.js"), {
    execArgv: ["--import", join(root, "test/electron/built-electron.mjs")],
    env: { ...process.env, HOME: home, FAKE_ELECTRON: JSON.stringify({ appPath: root, paths }) },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  let cookie: Cookie | undefined;
  const url = await new Promise<string>((resolve, reject) => {
    main.on("message", (happening: Happening) => {
      if (happening.cookie !== undefined) ({ cookie } = happening);
      else if (happening.url !== undefined) resolve(happening.url);
    });
    main.once("exit", () => reject(new Error("Main ended before it loaded its page.")));
  });
  console.log(`main under the fake Electron: ${await firstPictureAfter(start, cookie, url, main.pid ?? 0)}`);
  const ended = new Promise((resolve) => main.once("exit", resolve));
  main.send({ act: "quit" });
  await ended;
  rmSync(home, { recursive: true, force: true });
}
await browser.close();
options.done();
