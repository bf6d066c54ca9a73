import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import {
  coreEnvironment,
  createCoreProcess,
  type CoreFailure,
  type CoreOptions,
  type CoreReady,
} from "../../electron/core-process.ts";
import { childrenOf } from "../helpers/processes.ts";
import { askCore, isAlive, root, temporaryFolder, until } from "./support.ts";

function core(options: Partial<Omit<CoreOptions, "checkFiles">> & { readonly check?: string } = {}) {
  const seen = { ready: [] as CoreReady[], lost: 0, failures: [] as CoreFailure[], log: "" };
  const process_ = createCoreProcess({
    node: process.execPath,
    entry: join(root, "test/electron/fake-core.ts"),
    root,
    environment: {
      ...process.env,
      NODE_OPTIONS: "--max-http-header-size=1000",
      ELECTRON_RUN_AS_NODE: "1",
      SECRET: "s",
    },
    checkFiles: () => (options.check === undefined ? Promise.resolve() : Promise.reject(new Error(options.check))),
    onReady: (ready) => void seen.ready.push(ready),
    onLost: () => void seen.lost++,
    onGivenUp: (failure) => void seen.failures.push(failure),
    onLog: (text) => void (seen.log += text),
    ...options,
  });
  onTestFinished(() => process_.stop());
  return { core: process_, seen };
}

test("the token goes by stdin, never by arguments or environment, and only listed variables are passed", async () => {
  const { core: started, seen } = core();
  const library = temporaryFolder();
  await started.start(library);
  const { origin, token } = await until(() => seen.ready[0]);
  const self = await askCore(origin);
  expect(self.lines).toEqual([{ token, library, mustExist: false, allow: [] }]);
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  expect(JSON.stringify([self.argv, self.env])).not.toContain(token);
  expect(Object.keys(self.env)).toContain("PATH");
  for (const name of ["NODE_OPTIONS", "ELECTRON_RUN_AS_NODE", "SECRET"]) expect(self.env).not.toHaveProperty(name);
});

test("only variables of the list pass, in either case", () => {
  const given = {
    Path: "p",
    LC_TIME: "de",
    http_proxy: "x",
    NODE_PATH: "n",
    LD_PRELOAD: "e",
    ELECTRON_X: "e",
    HOME: undefined,
  };
  expect(coreEnvironment(given)).toEqual({ Path: "p", LC_TIME: "de", http_proxy: "x" });
});

test("a core that was killed is back at the same address with a new token, and knows what was allowed", async () => {
  const { core: started, seen } = core({ delaysMs: [10] });
  await started.start(temporaryFolder());
  const before = await until(() => seen.ready[0]);
  started.allow("/chosen");
  started.allow("/chosen");
  const { pid, lines } = await askCore(before.origin);
  expect(lines.slice(1)).toEqual([{ allow: ["/chosen"] }]);
  process.kill(pid, "SIGKILL");
  const after = await until(() => seen.ready[1]);
  expect(after).toEqual({ ...before, token: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
  // Whoever took its port meanwhile may know the old one.
  expect(after.token).not.toBe(before.token);
  expect(seen.lost).toBe(1);
  const self = await askCore(after.origin);
  expect(self.pid).not.toBe(pid);
  // A library that was there is not made anew.
  expect([lines[0], self.lines[0]]).toMatchObject([{ mustExist: false }, { mustExist: true }]);
  expect(self.lines[0]).toMatchObject({ allow: ["/chosen"], port: Number(new URL(before.origin).port) });
});

test("a core that dies again and again is started five times and then given up with its log", async () => {
  const { core: started, seen } = core({ delaysMs: [1, 1, 1, 1, 1] });
  await started.start(join(temporaryFolder(), "dies"));
  const failure = await until(() => seen.failures[0]);
  expect(failure.reason).toContain("ended 6 times before it was ready (exit code 3)");
  expect(failure.logTail).toBe("opening dies");
  expect(seen.lost).toBe(5);
  await started.start(temporaryFolder());
  await until(() => seen.ready[0]);
});

test("a library that cannot be opened is told at once and not tried again", async () => {
  const { core: started, seen } = core();
  await started.start(join(temporaryFolder(), "locked"));
  const failure = await until(() => seen.failures[0]);
  expect(failure).toMatchObject({ reason: "It is open elsewhere.\nClose it there.", code: "library-locked" });
  expect(seen.lost).toBe(0);
});

test("a core that never becomes ready is ended, and given up when it is not ready the second time either", async () => {
  const { core: started, seen } = core({ readyMs: 300, delaysMs: [1, 1, 1, 1, 1] });
  await started.start(join(temporaryFolder(), "silent"));
  const failure = await until(() => seen.failures[0]);
  expect(failure.reason).toBe("Dinoscope's core did not become ready in 2 starts.");
  expect(seen.lost).toBe(1);
});

test("a core that dies before it is ready is given up, however long each start takes", async () => {
  let now = 0;
  vi.spyOn(Date, "now").mockImplementation(() => (now += 59_000));
  onTestFinished(() => void vi.restoreAllMocks());
  const { core: started, seen } = core({ delaysMs: [1, 1] });
  await started.start(join(temporaryFolder(), "dies"));
  expect((await until(() => seen.failures[0])).reason).toContain("3 times before it was ready");
});

test("a core that says that it opens its library has more time", async () => {
  // Less than it opens for, and more than a busy machine needs to start it.
  const { core: started, seen } = core({ readyMs: 8000, openMs: 60_000, delaysMs: [] });
  await started.start(join(temporaryFolder(), "slow"));
  await until(() => seen.ready[0] ?? seen.failures[0]);
  expect([seen.ready.length, seen.failures]).toEqual([1, []]);
});

test("a Node that cannot be started is told once", async () => {
  const { core: started, seen } = core({ node: "/not/there/node", delaysMs: [1] });
  await started.start(temporaryFolder());
  const failure = await until(() => seen.failures[0]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(failure.reason).toContain("ended 2 times before it was ready (spawn /not/there/node ENOENT)");
  expect([seen.lost, seen.failures.length]).toEqual([1, 1]);
});

test("of libraries that are opened at the same time the last one has the only core", async () => {
  const { core: started, seen } = core();
  await started.start(temporaryFolder());
  await until(() => seen.ready[0]);
  const before = started.pid ?? 0;
  const libraries = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
  await Promise.all(libraries.map((library) => started.start(library)));
  const { origin } = await until(() => seen.ready[1]);
  expect((await askCore(origin)).lines[0]).toMatchObject({ library: libraries[2] });
  expect([isAlive(before), childrenOf(process.pid).length]).toEqual([false, 1]);
  await started.stop();
  expect([seen.ready.length, childrenOf(process.pid)]).toEqual([2, []]);
});

test("files that were tampered with are never run", async () => {
  const { core: started, seen } = core({ check: "core.js was changed" });
  await started.start(temporaryFolder());
  expect(seen.failures).toEqual([{ reason: "core.js was changed", code: null, logTail: "" }]);
  expect(started.pid).toBeUndefined();
});

test.each(["quiet", "deaf"])("stopping leaves no process behind, also of a %s core", async (behaviour) => {
  const { core: started, seen } = core({ endMs: 200 });
  await started.start(join(temporaryFolder(), behaviour));
  await until(() => seen.ready[0]);
  const pid = started.pid ?? expect.fail("It runs.");
  await started.stop();
  expect(isAlive(pid)).toBe(false);
  expect([seen.lost, seen.failures]).toEqual([0, []]);
});

test("a core that says that it is still ending is waited for", async () => {
  const { core: started, seen } = core({ endMs: 300 });
  await started.start(join(temporaryFolder(), "saving"));
  await until(() => seen.ready[0]);
  const before = performance.now();
  await started.stop();
  expect(performance.now() - before).toBeGreaterThan(450);
});

test("another library is opened at the same address", async () => {
  const { core: started, seen } = core();
  await started.start(temporaryFolder());
  const first = await until(() => seen.ready[0]);
  const other = temporaryFolder();
  await started.start(other);
  const second = await until(() => seen.ready[1]);
  expect(second.origin).toBe(first.origin);
  expect((await askCore(second.origin)).lines[0]).toMatchObject({ library: other });
  expect(seen.lost).toBe(0);
});

test("the address is on this machine only", async () => {
  const { core: started, seen } = core();
  await started.start(temporaryFolder());
  const { origin } = await until(() => seen.ready[0]);
  expect(origin).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  // The port is taken, by the core and nobody else.
  const server = createServer();
  await expect(
    new Promise((resolve, reject) =>
      server.on("error", reject).listen(Number(new URL(origin).port), "127.0.0.1", () => resolve(null)),
    ),
  ).rejects.toThrow("EADDRINUSE");
});
