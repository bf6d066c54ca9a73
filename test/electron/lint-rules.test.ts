import { Linter } from "eslint";
import { expect, test } from "vitest";
import config from "../../eslint.config.js";

/** The rules that hold for main and preload alone, as the project's own configuration has them. */
const block = (config as Linter.Config[]).find(({ files }) => files?.length === 1 && files[0] === "electron/**/*.ts");

function faults(code: string): string[] {
  const rules = block?.rules ?? expect.fail("There is no block for electron/.");
  return new Linter()
    .verify(code, [{ files: ["**/*.js"], languageOptions: { sourceType: "module" }, rules }], "a.js")
    .map(({ ruleId }) => ruleId ?? "syntax");
}

test.each([
  "new BrowserWindow({ webPreferences: { nodeIntegration: true } })",
  "new BrowserWindow({ webPreferences: { nodeIntegrationInWorker: on } })",
  "new BrowserWindow({ webPreferences: { sandbox: false } })",
  "new BrowserWindow({ webPreferences: { contextIsolation: !1 } })",
  "new BrowserWindow({ webPreferences: { webSecurity: false } })",
  "new BrowserWindow({ webPreferences: { allowRunningInsecureContent: true } })",
  "new BrowserWindow({ webPreferences: { experimentalFeatures: true } })",
  'new BrowserWindow({ webPreferences: { enableBlinkFeatures: "x" } })',
  "new BrowserWindow({ webPreferences: { webviewTag: true } })",
  'window.loadFile("index.html")',
  "shell.openPath(path)",
  "contents.executeJavaScript(code)",
  'eval("1")',
  'new Function("return 1")',
  'contextBridge.exposeInMainWorld("desktop", { ipcRenderer })',
  'contextBridge.exposeInMainWorld("desktop", ipcRenderer)',
  'ipcMain.on("channel", act)',
])("lint refuses %s", (code) => {
  expect(faults(code)).toHaveLength(1);
});

test("lint takes what is meant", () => {
  const code = `new BrowserWindow({ webPreferences: { sandbox: true, nodeIntegration: false, webviewTag: false } });
    contextBridge.exposeInMainWorld("desktop", { reveal: (path) => ipcRenderer.invoke("reveal", path) });`;
  expect(faults(code)).toEqual([]);
});
