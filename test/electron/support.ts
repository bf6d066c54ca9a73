import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { onTestFinished } from "vitest";

export const root = resolve(import.meta.dirname, "../..");

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-electron-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A checkout whose core is the fake one, and folders for what main keeps. */
export function fakeCheckout(): { appPath: string; paths: Record<string, string> } {
  const appPath = temporaryFolder();
  mkdirSync(join(appPath, "core"));
  const core = JSON.stringify(join(import.meta.dirname, "fake-core.ts"));
  writeFileSync(join(appPath, "core/main.ts"), `await import(${core});\n`);
  writeFileSync(join(appPath, "package.json"), '{ "type": "module" }');
  const paths = Object.fromEntries(["userData", "logs", "documents"].map((name) => [name, join(appPath, name)]));
  return { appPath, paths };
}

/** What the fake core tells of itself. */
export interface CoreSelf {
  readonly lines: readonly Record<string, unknown>[];
  readonly messages: readonly { readonly method: string; readonly params: unknown }[];
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly pid: number;
}

/** Asks the fake core about itself, and makes it send an event or know of jobs. */
export async function askCore(origin: string, say: { event?: unknown; jobs?: unknown } = {}): Promise<CoreSelf> {
  const query = Object.entries(say).map(([name, value]) => `${name}=${encodeURIComponent(JSON.stringify(value))}`);
  return (await (await fetch(`${origin}/?${query.join("&")}`)).json()) as CoreSelf;
}

/** Waits until something is there; the test's own time limit ends it. */
export async function until<Value>(look: () => Value | undefined | null | false): Promise<Value> {
  for (;;) {
    const value = look();
    if (value !== undefined && value !== null && value !== false) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The same for what has to be asked for. */
export async function untilAsync(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Whether a process runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
