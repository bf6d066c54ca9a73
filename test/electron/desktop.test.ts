import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { channels } from "../../electron/channels.ts";
import { startDesktop } from "../../electron/desktop.ts";
import { externalPages } from "../../electron/lockdown.ts";
import { plainFiles } from "../../electron/plain-files.ts";
import { waitingPage } from "../../electron/waiting.ts";
import { pagePreferences } from "../../electron/window.ts";
import { desktopGlobal, type Desktop } from "../../core/rpc/desktop.ts";
import { createFakeElectron, refuseUnknown, type FakeElectron, type FakeOptions } from "./fake-electron.ts";
import { askCore, fakeCheckout, until, untilAsync, type CoreSelf } from "./support.ts";

type Happened<Kind> = Extract<FakeElectron["happenings"][number], { kind: Kind }>;

/** What happened of one kind, oldest first. */
function all<Kind extends FakeElectron["happenings"][number]["kind"]>(fake: FakeElectron, kind: Kind) {
  return fake.happenings.filter((happening): happening is Happened<Kind> => happening.kind === kind);
}

async function started(options: Partial<FakeOptions> = {}) {
  const checkout = fakeCheckout();
  const fake = createFakeElectron({ ...checkout, ...options });
  const { electron } = fake;
  startDesktop(electron, plainFiles());
  onTestFinished(async () => {
    electron.app.quit();
    await until(() => all(fake, "quit")[0]);
  });
  const { url } = await until(() => all(fake, "load")[0]);
  const origin = new URL(url).origin;
  const page = { url, parent: null };
  return { fake, electron, origin, page, ...checkout };
}

/** Settings in which a library was open last; returns their file. */
function remember({ paths }: Pick<FakeOptions, "paths">, library: string): string {
  mkdirSync(paths["userData"] ?? "");
  const file = join(paths["userData"] ?? "", "desktop.json");
  writeFileSync(file, JSON.stringify({ recent: [library], window: null }));
  return file;
}

/** What the page finds. Imported by a name that tsc does not follow: the page's code needs the types of browsers. */
async function foundByPage(): Promise<Desktop | null> {
  const module: string = "../../renderer/lib/desktop.ts";
  const { pageDesktop } = (await import(module)) as { pageDesktop: () => Desktop | null };
  return pageDesktop();
}

/** The functions that the preload script gives to the page. */
async function desktopOf(fake: FakeElectron): Promise<Desktop> {
  vi.resetModules();
  vi.doMock("electron", () => fake.electron);
  await import("../../electron/preload.ts");
  return fake.exposed[desktopGlobal] as Desktop;
}

const job = (state: string, more: object = {}) => ({
  job: { id: 4, kind: "pretrain", state, done: 0, total: 0, problem: null, createdAt: 0, finishedAt: null, ...more },
  progress: null,
  halting: null,
  result: null,
});

test("the fake refuses what it does not know", () => {
  const fake = createFakeElectron(fakeCheckout());
  expect(() => fake.electron.app.getLocale()).toThrow("The fake has no app.getLocale.");
  expect(() => refuseUnknown<{ a: number }>("thing", {}).a).toThrow("The fake has no thing.a.");
});

test("the page is loaded from the core's own origin, after its cookie was set", async () => {
  const { fake, origin } = await started();
  const [cookie] = all(fake, "cookie");
  expect(cookie?.cookie).toMatchObject({ url: origin, name: "dinoscope-test", httpOnly: true, sameSite: "strict" });
  const order = fake.happenings.map(({ kind }) => kind).filter((kind) => kind === "cookie" || kind === "load");
  expect(order).toEqual(["cookie", "load"]);
  expect(all(fake, "load")[0]?.url).toBe(`${origin}/`);
});

test("whoever takes the port of a core that died is told no secret by main, nor may the page ask there", async () => {
  const checkout = fakeCheckout();
  const library = join(checkout.appPath, "once");
  remember(checkout, library);
  const { fake, origin } = await started(checkout);
  await untilAsync(async () => (await askCore(origin)).messages.length > 0);
  process.kill((await askCore(origin)).pid, "SIGKILL");
  await until(() => all(fake, "cookie-removed")[0]);
  expect(all(fake, "cookie-removed")).toEqual([
    { kind: "cookie-removed", url: origin, name: all(fake, "cookie")[0]?.cookie.name },
  ]);
  const asked: (string | undefined)[] = [];
  const other = createServer((request) => void asked.push(request.url));
  other.on("upgrade", (request) => void asked.push(request.headers.authorization));
  onTestFinished(() => void other.close());
  await new Promise<void>((resolve) => other.listen(Number(new URL(origin).port), "127.0.0.1", resolve));
  // Twice as long as a connection that broke rests before it is tried again.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(asked).toEqual([]);
  let cancelled: boolean | undefined;
  fake.locks.beforeRequest?.({ url: `${origin}/` } as never, ({ cancel }) => (cancelled = cancel));
  expect(cancelled).toBe(true);
});

test("windows have every lock of Electron's checklist", async () => {
  const { fake } = await started();
  const preferences = fake.windows[0]?.options.webPreferences;
  expect(preferences).toMatchObject(pagePreferences);
  expect(preferences).toMatchObject({
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webSecurity: true,
    allowRunningInsecureContent: false,
    experimentalFeatures: false,
    webviewTag: false,
  });
  expect(preferences).not.toHaveProperty("enableBlinkFeatures");
  expect(fake.locks.sandboxed).toBe(true);
});

test("every permission is denied, asked for or checked", async () => {
  const { fake } = await started();
  let answer: boolean | undefined;
  fake.locks.request?.({} as never, "media", (granted) => (answer = granted), {} as never);
  expect(answer).toBe(false);
  expect(fake.locks.check?.(null, "geolocation", "", {} as never)).toBe(false);
  expect(fake.locks.device?.({} as never)).toBe(false);
});

test("pages stay on their origin, open nothing, attach nothing and download nothing", async () => {
  const { fake, origin } = await started();
  const [window] = fake.windows;
  const prevented = (event: string, url: string): boolean => {
    let stopped = false;
    window?.contents.emit(event, { url, preventDefault: () => (stopped = true) });
    return stopped;
  };
  for (const event of ["will-navigate", "will-frame-navigate", "will-redirect"]) {
    expect(prevented(event, `${origin}/grid`)).toBe(false);
    for (const url of [
      "https://evil.example/",
      "file:///etc/passwd",
      `${origin}0/`,
      `${origin}@evil.example/`,
      "data:,x",
    ])
      expect(prevented(event, url), `${event} ${url}`).toBe(true);
  }
  expect(prevented("will-attach-webview", origin)).toBe(true);
  let refused = false;
  fake.locks.downloads.emit("will-download", { preventDefault: () => (refused = true) });
  expect(refused).toBe(true);
  const opened = ["https://evil.example/", `${externalPages[0]}.evil.example`, "file:///bin/sh", `${origin}/`];
  for (const url of [...opened, externalPages[0] ?? ""])
    expect(window?.openHandler?.({ url } as never)).toEqual({ action: "deny" });
  expect(all(fake, "opened-outside").map(({ url }) => url)).toEqual([externalPages[0]]);
});

test("pages can ask nobody but the core", async () => {
  const { fake, origin } = await started();
  const cancelled = (url: string): boolean | undefined => {
    let answer: boolean | undefined;
    fake.locks.beforeRequest?.({ url } as never, ({ cancel }) => (answer = cancel));
    return answer;
  };
  const socket = origin.replace("http", "ws");
  for (const url of [`${origin}/a`, `${socket}/socket`, "data:,x", `blob:${origin}/1`])
    expect(cancelled(url)).toBe(false);
  for (const url of ["https://evil.example/", "http://localhost:80/", "file:///etc/passwd", "nonsense"])
    expect(cancelled(url), url).toBe(true);
});

test("the preload script gives named functions, and each finds its handler", async () => {
  const { fake, paths, origin } = await started({
    choose: ({ properties }) => (properties?.includes("openFile") === true ? "/chosen/file.pth" : "/chosen"),
  });
  const desktop = await desktopOf(fake);
  expect(Object.keys(fake.exposed)).toEqual([desktopGlobal]);
  // The page finds what is exposed, whatever its name.
  expect(await foundByPage()).toBeNull();
  for (const [name, exposed] of Object.entries(fake.exposed)) vi.stubGlobal(name, exposed);
  onTestFinished(() => void vi.unstubAllGlobals());
  expect(await foundByPage()).toBe(desktop);
  expect(Object.values(desktop).filter((value) => typeof value !== "function")).toEqual([process.platform]);
  expect([...fake.channels.keys()].sort()).toEqual(Object.keys(channels).sort());

  await expect(desktop.chooseFolder("pictures")).resolves.toBe("/chosen");
  await expect(desktop.chooseFile("model")).resolves.toBe("/chosen/file.pth");
  await expect(desktop.pathOfDropped(new File([], "/dropped"))).resolves.toBe("/dropped");
  await expect(desktop.pathOfDropped(new File([], "made by a page"))).resolves.toBeNull();
  const documents = paths["documents"] ?? "";
  mkdirSync(documents);
  await expect(desktop.reveal(documents)).resolves.toBeUndefined();
  await expect(desktop.recentLibraries()).resolves.toEqual([
    { folder: join(documents, "Dinoscope"), name: "Dinoscope" },
  ]);
  await desktop.openRecentLibrary(join(documents, "Dinoscope"));
  await until(() => all(fake, "load")[1]);
  // What was chosen is allowed by the core, the next one included.
  const { lines } = await askCore(origin);
  expect(lines[0]?.["allow"]).toEqual(["/chosen", "/chosen/file.pth", "/dropped"]);
  const commands: unknown[] = [];
  desktop.onCommand((...told: unknown[]) => void commands.push(told));
  const items = (all(fake, "menu").at(-1)?.template ?? []).flatMap(({ submenu }) =>
    Array.isArray(submenu) ? submenu : [],
  );
  for (const label of ["Undo", "Add Pictures…"])
    (items.find((item) => item.label === label)?.click as (() => void) | undefined)?.();
  // The command alone: not the event, by which the page could send to any channel.
  expect(commands).toEqual([["undo"], ["add-folder"]]);
  await expect(desktop.chooseLibrary()).resolves.toBe(true);
  await until(() => all(fake, "load")[2]);
  expect((await askCore(origin)).lines[0]?.["library"]).toBe("/chosen");
});

test("frames of others, frames in frames and frames that are gone are refused on every channel", async () => {
  const { fake, origin, page } = await started();
  const wrong = [
    null,
    { url: "https://evil.example/", parent: null },
    { url: `${origin}0/`, parent: null },
    { url: "about:blank", parent: null },
    { ...page, parent: {} as never },
  ];
  for (const channel of Object.keys(channels))
    for (const frame of wrong) await expect(fake.invoke(frame, channel), channel).rejects.toThrow("a page of others");
});

test("arguments that no channel takes are refused", async () => {
  const { fake, page } = await started();
  const wrong: [string, ...unknown[]][] = [
    ["choose-folder"],
    ["choose-folder", "library"],
    ["choose-folder", "pictures", "more"],
    ["choose-file", { toString: () => "model" }.toString],
    ["dropped", 4],
    ["reveal", ""],
    ["reveal", "x".repeat(5000)],
    ["reveal", ["/"]],
    ["recent-libraries", 1],
    ["open-recent-library", null],
  ].map(([channel, ...args]) => [
    channel as string,
    ...args.map((value) => (typeof value === "function" ? {} : value)),
  ]);
  for (const [channel, ...args] of wrong)
    await expect(fake.invoke(page, channel, ...args), channel).rejects.toThrow("arguments that it does not take");
  for (const path of ["relative", "//evil.example/share", "\\\\evil.example\\share", "/no\0", "/not/there"])
    await expect(fake.invoke(page, "reveal", path), path).rejects.toThrow(/Expected the full path|not there/);
  await expect(fake.invoke(page, "open-recent-library", "/etc")).rejects.toThrow("none of the recent libraries");
  expect(all(fake, "shown-in-folder")).toEqual([]);
});

test("progress is shown, training keeps the machine awake, and a long job that ends gives a notice", async () => {
  const { fake, origin } = await started();
  const [window] = fake.windows;
  await untilAsync(async () => (await askCore(origin)).messages.some(({ method }) => method === "jobs.list"));
  const tell = async (data: unknown): Promise<CoreSelf> => askCore(origin, { event: { event: "job", data } });
  await tell({ ...job("running"), progress: { done: 3, total: 4 } });
  await until(() => all(fake, "progress").some(({ value }) => value === 0.75));
  expect(all(fake, "blocker").map(({ on }) => on)).toEqual([true]);
  await tell(job("running"));
  await until(() => all(fake, "progress").some(({ value }) => value === 2));
  if (window !== undefined) window.focused = false;
  await tell(job("done", { finishedAt: 31_000 }));
  await until(() => all(fake, "notice")[0]);
  expect(all(fake, "notice")[0]?.options.title).toBe("Training is done");
  expect(all(fake, "progress").at(-1)?.value).toBe(-1);
  expect(all(fake, "blocker").map(({ on }) => on)).toEqual([true, false]);
  // One that is paused has not ended, however long it ran, and the machine may sleep.
  await tell(job("running"));
  await tell(job("paused"));
  await until(() => all(fake, "blocker").length === 4);
  expect(all(fake, "blocker").at(-1)?.on).toBe(false);
  expect(all(fake, "notice")).toHaveLength(1);
});

test.each([
  ["the window is closed", (fake: FakeElectron) => fake.windows[0]?.events.emit("close", { preventDefault: () => {} })],
  ["the program is quit", (fake: FakeElectron) => fake.electron.app.quit()],
])("when %s while a job runs, it is asked, stopped so that it can go on, and then ended", async (_what, leave) => {
  const answers = [1, 0];
  const { fake, origin } = await started({ answer: () => answers.shift() ?? 0 });
  await askCore(origin, { jobs: [job("running")], event: { event: "job", data: job("running") } });
  await until(() => all(fake, "blocker")[0]);
  leave(fake);
  await until(() => all(fake, "message-box")[0]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(all(fake, "quit")).toEqual([]);
  const { pid } = await askCore(origin);
  leave(fake);
  await until(() => all(fake, "quit")[0]);
  expect(all(fake, "message-box").map(({ options }) => options.message)).toEqual(
    Array(2).fill("A job is running. Stop it and quit?"),
  );
  expect(all(fake, "title").at(-1)?.title).toBe("Dinoscope: saving and stopping …");
  // The watch saw it stop before the core ended.
  expect(all(fake, "blocker").at(-1)?.on).toBe(false);
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

test("a library that cannot be opened is told, and another one can be", async () => {
  const checkout = fakeCheckout();
  const settings = remember(checkout, "/lib/locked");
  const fake = createFakeElectron({ ...checkout, answer: () => 1, choose: () => "/lib/good" });
  startDesktop(fake.electron, plainFiles());
  await until(() => all(fake, "load")[0]);
  expect(all(fake, "message-box")[0]?.options).toMatchObject({
    message: "“locked” cannot be opened.",
    detail: "It is open elsewhere.\nClose it there.\n\nopening locked",
  });
  expect(JSON.parse(readFileSync(settings, "utf8"))).toMatchObject({ recent: ["/lib/good", "/lib/locked"] });
  fake.electron.app.quit();
  await until(() => all(fake, "quit")[0]);
  expect(existsSync(join(checkout.paths["logs"] ?? "", "dinoscope.log"))).toBe(true);
});

test("a core that opens for long is waited for in a window that says so", async () => {
  const checkout = fakeCheckout();
  remember(checkout, join(checkout.appPath, "<silent>", "silent"));
  const fake = createFakeElectron(checkout);
  startDesktop(fake.electron, plainFiles());
  const { url } = await until(() => all(fake, "waiting")[0]);
  expect(decodeURIComponent(url)).toContain("Opening “silent”");
  expect(decodeURIComponent(waitingPage("<b>&"))).toContain("“&#60;b&#62;&#38;”");
  fake.electron.app.quit();
  await until(() => all(fake, "quit")[0]);
});

test("a library that was open and is gone is told as that; the log is shown and its last lines are", async () => {
  const checkout = fakeCheckout();
  remember(checkout, join(checkout.appPath, "gone"));
  const logs = checkout.paths["logs"] ?? "";
  mkdirSync(logs);
  writeFileSync(join(logs, "dinoscope.log"), "what the last start said");
  const answers = [2, 3];
  const fake = createFakeElectron({ ...checkout, answer: () => answers.shift() ?? 3 });
  startDesktop(fake.electron, plainFiles());
  await until(() => all(fake, "quit")[0]);
  const [first, second] = all(fake, "message-box").map(({ options }) => options);
  expect(first).toEqual(second);
  expect(first?.message).toBe("“gone” is not there any more.");
  expect(first?.buttons).toEqual(["Try again", "Open or make another library…", "Show Log", "Quit"]);
  const lines = (first?.detail ?? "").split("\n");
  expect(lines[0]).toBe("There is no library.");
  expect(lines.slice(2)).toHaveLength(12);
  expect(lines.at(-1)).toBe("line 49");
  expect(all(fake, "shown-in-folder")).toEqual([{ kind: "shown-in-folder", path: join(logs, "dinoscope.log") }]);
  expect(readFileSync(join(logs, "dinoscope.old.log"), "utf8")).toBe("what the last start said");
});

test("a field has the menu that its text needs", async () => {
  const { fake } = await started();
  const place = { isEditable: true, selectionText: "", editFlags: { canCut: false, canCopy: false, canPaste: true } };
  fake.windows[0]?.contents.emit("context-menu", {}, place);
  fake.windows[0]?.contents.emit("context-menu", {}, { ...place, isEditable: false });
  expect(all(fake, "context-menu").map(({ template }) => template.map(({ role }) => role))).toEqual([
    ["cut", "copy", "paste", undefined, "selectAll"],
  ]);
});

test("a second start ends at once and shows the window of the first", async () => {
  const second = createFakeElectron({ ...fakeCheckout(), second: true });
  startDesktop(second.electron, plainFiles());
  expect(second.happenings).toEqual([{ kind: "quit" }]);
  const { fake } = await started();
  const [window] = fake.windows;
  if (window !== undefined) window.minimized = true;
  fake.appEvents.emit("second-instance");
  expect(fake.windows).toHaveLength(1);
  expect(all(fake, "window").map(({ act }) => act)).toEqual(["restore", "show", "focus"]);
});

test("the about box says what this is, and whose work is in it", async () => {
  const { fake } = await started();
  const [about] = all(fake, "about");
  expect(about?.options).toMatchObject({ applicationName: "Dinoscope", applicationVersion: "0.0.0" });
  expect(about?.options.copyright).toContain("Apache-2.0");
});

test("settings that make no sense count as none", async () => {
  const checkout = fakeCheckout();
  mkdirSync(checkout.paths["userData"] ?? "");
  writeFileSync(join(checkout.paths["userData"] ?? "", "desktop.json"), '{"recent":[1],"window":"wide"}');
  const { fake } = await started(checkout);
  expect(fake.windows[0]?.options).toMatchObject({ width: 1440, height: 900 });
});
