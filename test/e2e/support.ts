/** A real core, the built page, and Debian's browser. */
import { existsSync, globSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import axe, { type AxeResults } from "axe-core";
import { chromium, type Browser, type Page } from "playwright-core";
import { build } from "vite";
import { openService } from "../../core/app.ts";
import { builtPage } from "../../core/server/files.ts";
import { startServer, type Server } from "../../core/server/http.ts";

const root = resolve(import.meta.dirname, "../..");
const browserPath = "/usr/bin/chromium";

/** The built page: in a folder of one's own, so that two can test at once, or where `npm run build` puts it. */
const pageFolder = resolve(process.env["DINOSCOPE_PAGE"] ?? builtPage);

/** Milliseconds in which a page does what it is asked for, many times over: a busy machine is no fault of its. */
export const patienceMs = 60_000;

/** Whether there is a browser to test with. */
export const hasBrowser = existsSync(browserPath);

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
}

/** Builds the page unless the built one is newer than everything that it is made of. */
export async function buildPage(): Promise<void> {
  const built = join(pageFolder, "index.html");
  const sources = globSync("{renderer,core/rpc}/**/*.*", { cwd: root }).map(
    (path) => statSync(join(root, path)).mtimeMs,
  );
  if (existsSync(built) && statSync(built).mtimeMs > Math.max(...sources)) return;
  await build({
    configFile: join(root, "vite.config.ts"),
    root: join(root, "renderer"),
    build: { outDir: pageFolder },
    logLevel: "warn",
  });
}

/** A core with its server; `close` ends both, `cut` only the server. */
export interface Running {
  readonly server: Server;
  cut(): Promise<void>;
  /** Serves again under the same address. */
  mend(): Promise<void>;
  /** Lets the page in again, as Dinoscope's own window does after a restart. */
  admit(page: Page): Promise<void>;
  close(): Promise<void>;
}

export async function startCore(folder: string, roots: readonly string[]): Promise<Running> {
  const service = openService({ folder, holder: "a test", roots });
  const token = "5".repeat(64);
  let server = await startServer(service, { token, page: pageFolder });
  const { port } = server;
  return {
    get server() {
      return server;
    },
    cut: () => server.close(),
    mend: async () => {
      server = await startServer(service, { token, port, page: pageFolder });
    },
    admit: (page) => page.context().addCookies([{ name: server.cookieName, value: token, url: server.origin }]),
    close: async () => {
      await server.close();
      await service.close();
    },
  };
}

export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly theme?: "light" | "dark";
}

/**
 * The page in a window of its own, with what it said on the console that it should not have. `scale` is the pixels of the
 * screen for each of the page: 2 in a window of half the size is what zooming to 200 % gives.
 */
export async function openPage(
  browser: Browser,
  url: string,
  { width = 1440, height = 900, theme = "dark", scale = 1 }: Look & { readonly scale?: number } = {},
): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({
    viewport: { width, height },
    deviceScaleFactor: scale,
    colorScheme: theme,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(patienceMs);
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning")
      complaints.push(`${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(url);
  return { page, complaints };
}

/**
 * What axe-core finds serious or critical, one line each: by all its rules, or by those named. Run as a script of the
 * test, which the page's policy lets through.
 */
export async function accessibilityFaults(page: Page, rules: string[] = []): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(
    (runOnly) =>
      (globalThis as unknown as { axe: { run: (options: object) => Promise<AxeResults> } }).axe.run({
        resultTypes: ["violations"],
        ...(runOnly.length === 0 ? {} : { runOnly }),
      }),
    rules,
  );
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.slice(0, 3).map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ""}`),
    );
}
