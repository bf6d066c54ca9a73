/**
 * Opens Dinoscope on this machine: `npm run app`. In Electron where its binary can be had; otherwise the
 * same page in the browser.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ticketPath } from "../core/rpc/paths.ts";
import { createCoreProcess } from "../electron/core-process.ts";

const root = resolve(import.meta.dirname, "..");
/** Where the desktop program has its first library, too, unless the system calls the folder something else. */
const library = join(homedir(), "Documents", "Dinoscope");

/** Electron's program, fetched by its own script if it is not there; null where that fails. */
function electronProgram(): string | null {
  const folder = join(root, "node_modules/electron");
  const path = join(folder, "path.txt");
  if (!existsSync(path)) {
    console.error("Fetching Electron, once …");
    spawnSync(process.execPath, [join(folder, "install.js")], { stdio: "ignore", timeout: 120_000 });
  }
  if (!existsSync(path)) return null;
  const program = join(folder, "dist", readFileSync(path, "utf8").trim());
  return existsSync(program) ? program : null;
}

function npmRun(script: string): void {
  const { status } = spawnSync("npm", ["run", "--silent", script], {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) process.exit(status ?? 1);
}

/**
 * Opens an address in the system's browser, by a page of this user's alone that leads there: what a program is started
 * with can be read by everybody on this machine, who would use up the ticket. Where there is no browser, the address that
 * was printed is for the user. Returns the page's folder.
 */
function openBrowser(address: string): string {
  // Beside the library: there are browsers that see nothing of the temporary folder, nor of hidden ones.
  const folder = mkdtempSync(join(library, "open-"));
  const page = join(folder, "open.html");
  writeFileSync(page, `<!doctype html><meta http-equiv="refresh" content="0; url=${address}">\n`, { mode: 0o600 });
  const { href: url } = pathToFileURL(page);
  const [program, args]: [string, string[]] =
    process.platform === "win32"
      ? ["rundll32", ["url.dll,FileProtocolHandler", url]]
      : [process.platform === "darwin" ? "open" : "xdg-open", [url]];
  spawn(program, args, { stdio: "ignore", detached: true })
    .on("error", () => {})
    .unref();
  return folder;
}

/** An address that opens the page once, and not for long. */
async function ticketUrl(origin: string, token: string): Promise<string> {
  const answer = await fetch(origin + ticketPath, { method: "POST", headers: { authorization: `Bearer ${token}` } });
  return `${origin}/?ticket=${await answer.text()}`;
}

/** The core and a browser tab, until Ctrl-C. */
async function openInBrowser(): Promise<void> {
  let opened = false;
  let folder: string | undefined;
  const core = createCoreProcess({
    node: process.execPath,
    entry: join(root, "core/main.ts"),
    root,
    environment: process.env,
    checkFiles: () => Promise.resolve(),
    onReady: ({ origin, token }) => {
      console.log(
        `Dinoscope is at ${origin}/?token=${token}\nPress Ctrl-C to end it; a job that runs can go on next time.`,
      );
      if (!opened)
        void ticketUrl(origin, token).then(
          (address) => (folder = openBrowser(address)),
          () => {},
        );
      opened = true;
    },
    onLost: () => console.error("The core ended and is started again."),
    onGivenUp: ({ reason, logTail }) => {
      console.error([reason, logTail].join("\n"));
      process.exitCode = 1;
    },
    onLog: (text) => process.stderr.write(text),
  });
  const stop = (): void => void core.stop();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  process.once("exit", () => folder !== undefined && rmSync(folder, { recursive: true, force: true }));
  await core.start(library);
}

if (!existsSync(join(root, "dist/renderer/index.html"))) npmRun("build");
const electron = electronProgram();
if (electron === null) {
  console.error("Electron cannot be had here; the same page opens in your browser instead.");
  await openInBrowser();
} else {
  npmRun("build:desktop");
  const child = spawn(electron, [root], { cwd: root, stdio: "inherit" });
  process.on("SIGINT", () => {});
  child.on("exit", (code) => process.exit(code ?? 1));
}
