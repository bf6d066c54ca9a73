/** Entry of the desktop program: gives the parts of Electron to `startDesktop`. */
import {
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
} from "electron";
import { plainFiles } from "./plain-files.ts";
import { startDesktop } from "./desktop.ts";

startDesktop(
  {
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
  },
  plainFiles(),
);
