/** `electron` for the built main process: the fake, whose happenings go to the parent, and whose user is the parent. */
import { dirname } from "node:path";
import { createFakeElectron } from "./fake-electron.ts";

/** What the parent does to main. */
export type Act = { readonly act: "quit" } | { readonly act: "memory" };

const options = JSON.parse(process.env["FAKE_ELECTRON"] ?? "{}") as {
  appPath: string;
  paths: Record<string, string>;
  isPackaged?: boolean;
};

// Electron says where the resources of a packed program are; plain Node has no such place.
if (options.isPackaged === true) Object.assign(process, { resourcesPath: dirname(options.appPath) });

const fake = createFakeElectron({
  ...options,
  onHappening: (happening) => {
    process.send?.(happening);
    // As Electron does: whatever still runs in main ends with it.
    if (happening.kind === "quit") setImmediate(() => process.exit());
  },
});

process.on("message", ({ act }: Act) => {
  if (act === "quit") fake.electron.app.quit();
  else process.send?.({ kind: "memory", bytes: process.memoryUsage.rss() });
});

export const {
  app,
  BrowserWindow,
  dialog,
  ipcMain,
  Menu,
  nativeTheme,
  Notification,
  powerSaveBlocker,
  screen,
  session,
  shell,
} = fake.electron;
