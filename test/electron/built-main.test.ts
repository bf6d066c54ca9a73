/**
 * The built main process with the real core, in plain Node under a fake Electron; Debian's Chromium plays the window.
 * Needs the built page (`npm run build`, which `npm test` does first).
 */
import { execFileSync, fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { build } from "vite";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import type { Happening } from "./fake-electron.ts";
import { isAlive, root, temporaryFolder, until } from "./support.ts";

const browserPath = "/usr/bin/chromium";

beforeAll(async () => {
  for (const name of ["main", "preload"])
    await build({ configFile: join(root, `packaging/${name}.config.ts`), logLevel: "warn" });
  if (!existsSync(join(root, "dist/renderer/index.html")))
    throw new Error("The page is not built: run `npm run build` first.");
});

interface Memory {
  readonly kind: "memory";
  readonly bytes: number;
}

function startMain() {
  const home = temporaryFolder();
  const paths = Object.fromEntries(["userData", "logs", "documents"].map((name) => [name, join(home, name)]));
  const happenings: (Happening | Memory)[] = [];
  const child = fork(join(root, "dist/electron/main.js"), {
    execArgv: ["--import", join(root, "test/electron/built-electron.mjs")],
    env: { ...process.env, HOME: home, FAKE_ELECTRON: JSON.stringify({ appPath: root, paths }) },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  child.on("message", (happening: Happening | Memory) => void happenings.push(happening));
  onTestFinished(() => void child.kill("SIGKILL"));
  const all = <Kind extends (Happening | Memory)["kind"]>(kind: Kind) =>
    happenings.filter((one): one is Extract<Happening | Memory, { kind: Kind }> => one.kind === kind);
  return { child, all, pid: child.pid ?? expect.fail("Main did not start.") };
}

/** Process ids of the children of a process. */
function childrenOf(pid: number): number[] {
  const lines = execFileSync("ps", ["-A", "-o", "ppid=,pid="], { encoding: "utf8" }).trim().split("\n");
  return lines.flatMap((line) => {
    const [parent, child] = line.trim().split(/\s+/).map(Number);
    return parent === pid && child !== undefined ? [child] : [];
  });
}

test.skipIf(!existsSync(browserPath))(
  "main starts the core and loads its page; a killed core is back within 2 s; quitting leaves no process",
  async () => {
    const start = performance.now();
    const main = startMain();
    const { cookie } = await until(() => main.all("cookie")[0]);
    const { url } = await until(() => main.all("load")[0]);
    const readyMs = performance.now() - start;

    const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
    onTestFinished(() => browser.close());
    const context = await browser.newContext();
    const take = ({ url: at, name = "", value = "" }: { url: string; name?: string; value?: string }) =>
      context.addCookies([{ url: at, name, value, httpOnly: true, sameSite: "Strict" }]);
    // Without the cookie, nothing.
    expect((await context.request.get(url)).status()).toBe(401);
    await take(cookie);
    const page = await context.newPage();
    const hellos: string[] = [];
    page.on("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => {
        const text = payload.toString();
        if (text.includes('"hello"')) hellos.push((JSON.parse(text) as { data: { instance: string } }).data.instance);
      });
    });
    expect((await page.goto(url))?.status()).toBe(200);
    await until(() => hellos[0]);
    const pageMs = performance.now() - start;

    const [core] = childrenOf(main.pid);
    if (core === undefined) expect.fail("Main has no core.");
    const killed = performance.now();
    process.kill(core, "SIGKILL");
    const again = await until(() => main.all("cookie")[1]);
    const backMs = performance.now() - killed;
    await take(again.cookie);
    await until(() => hellos.length > 1);
    const reconnectedMs = performance.now() - killed;
    expect(backMs).toBeLessThan(2000);
    // The page's own pauses between tries add up to 2.1 s at the third.
    expect(reconnectedMs).toBeLessThan(4000);
    expect(new Set(hellos).size).toBe(2);
    // The same address: the page was not loaded anew.
    expect(main.all("load")).toHaveLength(1);

    main.child.send({ act: "memory" });
    const { bytes } = await until(() => main.all("memory")[0]);
    const descendants = childrenOf(main.pid).flatMap((pid) => [pid, ...childrenOf(pid)]);
    const megabytes = (value: number): string => `${(value / 1e6).toFixed(0)} MB`;
    console.log(
      `core ready after ${readyMs.toFixed(0)} ms, page connected after ${pageMs.toFixed(0)} ms; killed: back after ` +
        `${backMs.toFixed(0)} ms, page after ${reconnectedMs.toFixed(0)} ms; at rest main (in Node) ${megabytes(bytes)}, ` +
        `core ${descendants.map((pid) => megabytes(residentBytes(pid))).join(" and ")}`,
    );
    main.child.send({ act: "quit" });
    await until(() => main.child.exitCode !== null);
    expect(main.child.exitCode).toBe(0);
    expect(main.all("quit")).toHaveLength(1);
    expect(descendants.filter(isAlive)).toEqual([]);
  },
);

test("a main that is killed takes its core with it", async () => {
  const main = startMain();
  await until(() => main.all("load")[0]);
  const [core] = childrenOf(main.pid);
  if (core === undefined) expect.fail("Main has no core.");
  main.child.kill("SIGKILL");
  await until(() => !isAlive(core));
});

function residentBytes(pid: number): number {
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
}
