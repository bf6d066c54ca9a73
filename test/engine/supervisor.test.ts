import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { drawPictures } from "../helpers/pictures.ts";
import { environmentOf, isAlive, leaveNothingBehind, until } from "../helpers/processes.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { temporaryEngine } from "../helpers/workplace.ts";
import { temporaryFolder } from "../library/support.ts";

leaveNothingBehind();

const ask = { device: "cpu" } as const;

describe("the engine", () => {
  test("starts with the first call, answers several at a time, and keeps its process", async () => {
    const engine = temporaryEngine();
    expect(engine.pid).toBeUndefined();
    const folder = temporaryFolder();
    const names = await drawPictures(folder, 3, { seed: 1 });
    const paths = names.map((name) => join(folder, name));
    const [choice, prepared, nothing] = await Promise.all([
      engine.call("chooseDevice", ask),
      engine.call("preparePictures", { paths, thumbnailSize: 32 }),
      engine.call("preparePictures", { paths: [], thumbnailSize: 32 }),
    ]);
    expect(choice).toEqual({ device: "cpu", refused: [] });
    expect(prepared.map((outcome) => outcome.ok)).toEqual([true, true, true]);
    expect(nothing).toEqual([]);
    const { pid } = engine;
    await engine.call("chooseDevice", ask);
    expect(engine.pid).toBe(pid);
  });

  test("ends when it has nothing to do, but not while it keeps something for later calls", async () => {
    const engine = temporaryEngine({ idleMs: 50 });
    const short = { bank: "short", rows: 1, width: 2, offset: 7, values: new Float32Array(2) };
    await expect(engine.call("loadBank", short)).rejects.toThrow();
    const bank = { bank: "kept", rows: 1, width: 2, offset: 0, values: new Float32Array([1, 0]) };
    await engine.call("loadBank", bank);
    const first = engine.pid ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(engine.pid).toBe(first);
    const asked = { bank: "kept", queries: new Float32Array([1, 0]), count: 1, device: "cpu" } as const;
    expect((await engine.call("nearest", asked)).similarities[0]).toBeCloseTo(1, 5);
    await engine.call("dropBank", { bank: "kept" });
    await until(() => engine.pid === undefined && !isAlive(first));
    expect(await engine.call("chooseDevice", ask)).toMatchObject({ device: "cpu" });
    expect(engine.pid).not.toBe(first);
  });

  test("hands on an error with its code and sentence, and lives on", async () => {
    const engine = temporaryEngine();
    const request = { path: "/nowhere/model.pth", destination: join(temporaryFolder(), "model") };
    expect(await refusalOfAsync(() => engine.call("importModel", request))).toMatch(
      /^file-unreadable: .*nowhere\/model\.pth/,
    );
    expect(await refusalOfAsync(() => engine.call("nope" as "chooseDevice", ask))).toMatch(/^internal: /);
    expect(await engine.call("chooseDevice", ask)).toMatchObject({ device: "cpu" });
  });

  test("that crashes refuses what was asked of it, and the next call has a fresh one", async () => {
    const engine = temporaryEngine();
    await engine.call("chooseDevice", ask);
    const first = engine.pid ?? 0;
    const pending = [engine.call("chooseDevice", ask), engine.call("preparePictures", { paths: [], thumbnailSize: 8 })];
    process.kill(first, "SIGKILL");
    for (const result of await Promise.allSettled(pending)) {
      // An answer that was on its way already may still come.
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "engine-crashed" });
    }
    await until(() => engine.pid !== first);
    expect(
      await refusalOfAsync(async () => {
        const lost = engine.call("chooseDevice", ask);
        process.kill(engine.pid ?? 0, "SIGSEGV");
        await lost;
      }),
    ).toBe("engine-crashed: The engine ended (SIGSEGV).");
    expect(await engine.call("chooseDevice", ask)).toMatchObject({ device: "cpu" });
    expect(isAlive(first)).toBe(false);
  });

  test("that crashes again and again leaves nothing behind", async () => {
    const engine = temporaryEngine();
    const pids: number[] = [];
    for (let i = 0; i < 4; i++) {
      const lost = engine.call("chooseDevice", ask);
      pids.push(engine.pid ?? 0);
      // Killed as it starts, before it has said anything.
      process.kill(engine.pid ?? 0, "SIGKILL");
      await expect(lost).rejects.toMatchObject({ code: "engine-crashed" });
    }
    expect(new Set(pids).size).toBe(4);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test("ends when it is closed, refuses what was under way, and is not started again", async () => {
    const engine = temporaryEngine();
    await engine.call("chooseDevice", ask);
    const pid = engine.pid ?? 0;
    const pending = refusalOfAsync(() => engine.call("chooseDevice", ask));
    await engine.close();
    expect(isAlive(pid)).toBe(false);
    expect(engine.pid).toBeUndefined();
    expect(await pending).toBe("engine-closed: The engine was closed.");
    expect(await refusalOfAsync(() => engine.call("chooseDevice", ask))).toBe("engine-closed: The engine was closed.");
    await engine.close();
  });

  test("ends when it is closed in the moment in which it dies, or as it starts", async () => {
    const dying = temporaryEngine();
    await dying.call("chooseDevice", ask);
    const pid = dying.pid ?? 0;
    process.kill(pid, "SIGKILL");
    await until(() => !isAlive(pid));
    await dying.close();
    const young = temporaryEngine();
    const pending = refusalOfAsync(() => young.call("chooseDevice", ask));
    const youngPid = young.pid ?? 0;
    await young.close();
    expect(await pending).toBe("engine-closed: The engine was closed.");
    expect(isAlive(youngPid)).toBe(false);
  });

  test("does not end by Ctrl-C, which a terminal sends to it as well", async () => {
    const engine = temporaryEngine();
    await engine.call("chooseDevice", ask);
    const { pid } = engine;
    process.kill(pid ?? 0, "SIGINT");
    expect(await engine.call("chooseDevice", ask)).toMatchObject({ device: "cpu" });
    expect(engine.pid).toBe(pid);
  });
});

const onLinux = test.skipIf(process.platform !== "linux");

onLinux("the engine sees only those variables of the environment that it needs", async () => {
  const secrets = { DINOSCOPE_TOKEN: "secret", AWS_SECRET_ACCESS_KEY: "secret", NODE_OPTIONS: "--no-warnings" };
  const before = { ...process.env };
  Object.assign(process.env, secrets, { CUDA_VISIBLE_DEVICES: "", XPATH: "secret" });
  onTestFinished(() => {
    for (const name of [...Object.keys(secrets), "CUDA_VISIBLE_DEVICES", "XPATH"]) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });
  const engine = temporaryEngine();
  await engine.call("chooseDevice", ask);
  const names = environmentOf(engine.pid ?? 0).map((line) => line.slice(0, line.indexOf("=")));
  expect(names).toContain("PATH");
  expect(names).toContain("CUDA_VISIBLE_DEVICES");
  // glibc cuts its own variable at the colons, and leaves what follows them as lines of their own.
  const allowed =
    /^(PATH|HOME|TMPDIR|TEMP|TMP|LANG|LC_ALL|LD_LIBRARY_PATH|XDG_RUNTIME_DIR|VK_.*|CUDA_.*|DISPLAY|UV_THREADPOOL_SIZE|NVIDIA_TF32_OVERRIDE|NODE_CHANNEL_.*|GLIBC_TUNABLES|glibc\.malloc\..*)$/;
  expect(names.filter((name) => !allowed.test(name))).toEqual([]);
});

describe("an engine whose parent is killed", () => {
  // On Windows the job object of the parent would have to be asked; what is tested here are pipes.
  onLinux.each(["starting", "idle", "searching"])("while it is %s ends by itself", async (task) => {
    const script = fileURLToPath(new URL("parent-process.ts", import.meta.url));
    const parent = spawn(process.execPath, [script, task], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void parent.kill("SIGKILL"));
    const engine = await new Promise<number>((resolve) => {
      parent.stdout.once("data", (text: Buffer) => resolve(Number(text.toString())));
    });
    expect(isAlive(engine)).toBe(true);
    parent.kill("SIGKILL");
    await until(() => !isAlive(engine), 10);
  });
});
