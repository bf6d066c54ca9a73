/**
 * The built main process with the real core, in plain Node under a fake Electron; Debian's Chromium plays the window.
 * Needs the built page (`npm run build`, which `npm test` does first). How long things took is printed, and judged only
 * by what a busy machine can hold too; docs/packaging.md has the figures of an idle one.
 */
import { execFileSync, fork } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openCoreSocket } from "../../electron/core-socket.ts";
import { drawLabelled, tinyRun } from "../helpers/pretraining.ts";
import type { Happening } from "./fake-electron.ts";
import { isAlive, root, temporaryFolder, until, untilAsync } from "./support.ts";

const browserPath = "/usr/bin/chromium";

const builtFolder = mkdtempSync(join(tmpdir(), "dinoscope-main-"));

beforeAll(async () => {
  const configFile = join(root, "packaging/main.config.ts");
  await build({ configFile, logLevel: "warn", build: { outDir: builtFolder } });
  if (!existsSync(join(root, "dist/renderer/index.html")))
    throw new Error("The page is not built: run `npm run build` first.");
});
afterAll(() => rmSync(builtFolder, { recursive: true, force: true }));

interface Memory {
  readonly kind: "memory";
  readonly bytes: number;
}

/** Starts main for a person whose home is this folder. */
function startMain(home = temporaryFolder()) {
  const paths = Object.fromEntries(["userData", "logs", "documents"].map((name) => [name, join(home, name)]));
  const happenings: (Happening | Memory)[] = [];
  const child = fork(join(builtFolder, "main.js"), {
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

/** Process ids of everything that a process started, and what that started. */
function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

function childrenOf(pid: number): number[] {
  const lines = execFileSync("ps", ["-A", "-o", "ppid=,pid="], { encoding: "utf8" }).trim().split("\n");
  return lines.flatMap((line) => {
    const [parent, child] = line.trim().split(/\s+/).map(Number);
    return parent === pid && child !== undefined ? [child] : [];
  });
}

test.skipIf(!existsSync(browserPath))(
  "main starts the core and loads its page; a killed core is back and the page with it; quitting leaves no process",
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
    expect(new Set(hellos).size).toBe(2);
    // Two seconds are promised where a core is ready in half a second, as on an idle machine, which takes less than one.
    // One that has other tests to do may be slower by as much as the first start was.
    expect(reconnectedMs).toBeLessThan(Math.max(2000, 4 * readyMs));
    // The same address: the page was not loaded anew.
    expect(main.all("load")).toHaveLength(1);

    main.child.send({ act: "memory" });
    const { bytes } = await until(() => main.all("memory")[0]);
    const descendants = descendantsOf(main.pid);
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

/** Main with a training that has come as far as its first iterations: the engine and its loading threads work. */
async function training(home = temporaryFolder()) {
  const main = startMain(home);
  const { cookie } = await until(() => main.all("cookie")[0]);
  const socket = await connect(cookie);
  const folder = await drawLabelled(join(home, "photos"));
  await socket.call("jobs.start", { kind: "ingest", parameters: { folder } });
  const job = async (kind: string) => {
    const views = await socket.call("jobs.list", { limit: 50 });
    return views.find((view) => view.job.kind === kind);
  };
  await untilAsync(async () => (await job("ingest"))?.job.state === "done");
  // Far more iterations than any test waits for.
  const { probeEvery: _, ...choice } = tinyRun;
  await socket.call("jobs.start", { kind: "pretrain", parameters: { ...choice, iterations: 1_000_000 } });
  await untilAsync(async () => {
    const view = await job("pretrain");
    if (view?.job.state === "failed") expect.fail(view.job.problem?.message);
    return (view?.progress?.done ?? 0) > 2;
  });
  const descendants = descendantsOf(main.pid);
  expect(descendants.length, "the core and its engine run").toBeGreaterThan(1);
  return { main, socket, job, descendants, home };
}

async function connect({ url, name = "", value = "" }: { url: string; name?: string; value?: string }) {
  let open = false;
  const socket = openCoreSocket(
    { origin: url, cookie: name, token: value },
    () => {},
    () => (open = true),
  );
  onTestFinished(() => socket.close());
  await until(() => open);
  return socket;
}

test("quitting while a training runs asks, stops it so that it can go on, and leaves no process", async () => {
  const { main, descendants, home } = await training();
  main.child.send({ act: "quit" });
  await until(() => main.child.exitCode !== null);
  expect(main.child.exitCode).toBe(0);
  expect(main.all("message-box").map(({ options }) => options.message)).toEqual([
    "A job is running. Stop it and quit?",
  ]);
  await until(() => !descendants.some(isAlive));

  const again = startMain(home);
  const socket = await connect((await until(() => again.all("cookie")[0])).cookie);
  const [stopped] = await socket.call("jobs.list", { limit: 1 });
  expect(stopped?.job).toMatchObject({ kind: "pretrain", state: "stopped" });
  await socket.call("jobs.resume", { jobId: stopped?.job.id ?? 0 });
  const before = stopped?.job.done ?? 0;
  await untilAsync(async () => ((await socket.call("jobs.list", { limit: 1 }))[0]?.progress?.done ?? 0) > before);
});

test("a main that is killed while a training runs takes core and engine with it", async () => {
  const { main, descendants } = await training();
  main.child.kill("SIGKILL");
  await until(() => !descendants.some(isAlive));
});

test("a core that is killed while a training runs takes its engine with it, and comes back to a job that can go on", async () => {
  const { main, descendants } = await training();
  const [core = 0] = childrenOf(main.pid);
  process.kill(core, "SIGKILL");
  await until(() => !descendants.some(isAlive));
  const socket = await connect((await until(() => main.all("cookie")[1])).cookie);
  const [halted] = await socket.call("jobs.list", { limit: 1 });
  expect(halted?.job.kind).toBe("pretrain");
  expect(["queued", "running"]).not.toContain(halted?.job.state);
  await socket.call("jobs.resume", { jobId: halted?.job.id ?? 0 });
  await untilAsync(async () => ((await socket.call("jobs.list", { limit: 1 }))[0]?.progress?.done ?? 0) > 0);
});

function residentBytes(pid: number): number {
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
}
