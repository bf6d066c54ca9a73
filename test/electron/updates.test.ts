import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as Electron from "electron";
import { expect, onTestFinished, test, vi } from "vitest";
import { lookForUpdate } from "../../electron/updates.ts";
import { createFakeElectron } from "./fake-electron.ts";
import { temporaryFolder } from "./support.ts";

interface Setting {
  readonly isPackaged?: boolean;
  readonly feed?: boolean;
  readonly newer?: boolean;
  /** Which button is pressed. */
  readonly answer?: number;
  readonly broken?: boolean;
}

/** Looks for updates once, with electron-updater played, and says what came of it. */
async function look({ isPackaged = true, feed = true, newer = true, answer = 0, broken = false }: Setting) {
  const resources = temporaryFolder();
  if (feed) writeFileSync(join(resources, "app-update.yml"), "provider: generic\n");
  Object.assign(process, { resourcesPath: resources });
  const updater = {
    autoDownload: true,
    autoInstallOnAppQuit: false,
    checkForUpdates: vi.fn(() =>
      broken
        ? Promise.reject(new Error("no network"))
        : Promise.resolve({ isUpdateAvailable: newer, updateInfo: { version: "9.9.9" } }),
    ),
    downloadUpdate: vi.fn(() => Promise.resolve([])),
  };
  vi.doMock("electron-updater", () => ({ autoUpdater: updater }));
  onTestFinished(() => vi.doUnmock("electron-updater"));
  const asked: Electron.MessageBoxOptions[] = [];
  const { electron } = createFakeElectron({
    appPath: resources,
    paths: {},
    isPackaged,
    answer: (options) => {
      asked.push(options);
      return answer;
    },
  });
  let log = "";
  const looked = await lookForUpdate(electron, (text) => (log += text));
  const { checkForUpdates, downloadUpdate } = updater;
  return { looked, log, asked, updater, checks: checkForUpdates.mock.calls, downloads: downloadUpdate.mock.calls };
}

test.each<Setting>([{ feed: false }, { isPackaged: false }])("nobody is asked for updates: %o", async (setting) => {
  const { looked, checks } = await look(setting);
  expect([looked, checks]).toEqual([false, []]);
});

test("a newer version is fetched after a yes, and put in place when the program is quit", async () => {
  const { looked, asked, updater, downloads } = await look({});
  expect(looked).toBe(true);
  expect(asked[0]?.message).toBe("Dinoscope 9.9.9 is there. Download it?");
  expect([updater.autoDownload, updater.autoInstallOnAppQuit]).toEqual([false, true]);
  expect(downloads).toHaveLength(1);
});

test("without a yes, without a newer version and without a network nothing is fetched", async () => {
  expect((await look({ answer: 1 })).downloads).toEqual([]);
  const same = await look({ newer: false });
  expect([same.asked, same.downloads]).toEqual([[], []]);
  const offline = await look({ broken: true });
  expect([offline.looked, offline.downloads]).toEqual([true, []]);
  expect(offline.log).toContain("no network");
});
