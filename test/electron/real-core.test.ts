import { existsSync, mkdirSync, renameSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createCoreProcess, type CoreFailure, type CoreReady } from "../../electron/core-process.ts";
import { openCoreSocket } from "../../electron/core-socket.ts";
import { isAlive, root, temporaryFolder, until } from "./support.ts";

async function realCore() {
  const home = temporaryFolder();
  const ready: CoreReady[] = [];
  const failures: CoreFailure[] = [];
  const core = createCoreProcess({
    node: process.execPath,
    entry: join(root, "core/main.ts"),
    root,
    environment: { ...process.env, HOME: home },
    checkFiles: () => Promise.resolve(),
    onReady: (line) => void ready.push(line),
    onLost: () => {},
    onGivenUp: (failure) => void failures.push(failure),
    onLog: () => {},
    delaysMs: [1],
  });
  onTestFinished(() => core.stop());
  const library = join(home, "library");
  await core.start(library);
  return { core, ready, failures, library, first: await until(() => ready[0]) };
}

test("a folder outside the home folder may be used once a person chose it, also by a core that was started again", async () => {
  const { core, ready, first } = await realCore();
  const chosen = temporaryFolder();
  const list = async (at: CoreReady): Promise<unknown> => {
    let open = false;
    const socket = openCoreSocket(
      at,
      () => {},
      () => (open = true),
    );
    onTestFinished(() => socket.close());
    await until(() => open);
    return socket.call("files.list", { path: chosen });
  };
  await expect(list(first)).rejects.toThrow("outside the folders");
  core.allow(chosen);
  await expect(list(first)).resolves.toMatchObject({ path: chosen });
  if (core.pid !== undefined) process.kill(core.pid, "SIGKILL");
  const second = await until(() => ready[1]);
  expect(second.origin).toBe(first.origin);
  await expect(list(second)).resolves.toMatchObject({ path: chosen });
});

test("a library that is open elsewhere is refused with its reason, and the core ends", async () => {
  const { library } = await realCore();
  const failures: CoreFailure[] = [];
  const second = createCoreProcess({
    node: process.execPath,
    entry: join(root, "core/main.ts"),
    root,
    environment: process.env,
    checkFiles: () => Promise.resolve(),
    onReady: () => {},
    onLost: () => {},
    onGivenUp: (failure) => void failures.push(failure),
    onLog: () => {},
  });
  onTestFinished(() => second.stop());
  await second.start(library);
  const { pid } = second;
  expect((await until(() => failures[0])).reason).toContain("is being written by process");
  if (pid !== undefined) await until(() => !isAlive(pid));
});

test("a library that must be there is not made anew where it is gone", async () => {
  const { core, failures, library } = await realCore();
  await core.stop();
  renameSync(library, `${library}-elsewhere`);
  await core.start(library, { mustExist: true });
  expect(await until(() => failures[0])).toMatchObject({ code: "library-missing" });
  expect(existsSync(library)).toBe(false);
});

test("a core whose port was taken meanwhile listens on another", async () => {
  const { core, ready, first } = await realCore();
  const { port } = new URL(first.origin);
  await core.stop();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(Number(port), "127.0.0.1", resolve));
  onTestFinished(() => void other.close());
  expect((other.address() as AddressInfo).port).toBe(Number(port));
  const library = join(temporaryFolder(), "library");
  mkdirSync(library);
  await core.start(library);
  const second = await until(() => ready[1]);
  expect(second.origin).not.toBe(first.origin);
});
