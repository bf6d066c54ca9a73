/** What main remembers between starts: where the window was, and which libraries were open. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import * as v from "valibot";
import type { RecentLibrary } from "../core/rpc/desktop.ts";

const whole = v.pipe(v.number(), v.safeInteger());

const windowState = v.object({ x: whole, y: whole, width: whole, height: whole, maximized: v.boolean() });

const settings = v.object({
  /** Folders of libraries, newest first. */
  recent: v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(4096))),
  window: v.nullable(windowState),
});

export type SettingsValue = v.InferOutput<typeof settings>;

export interface SettingsFile {
  readonly value: SettingsValue;
  /** Changes and keeps it. A disk that cannot be written to only costs the memory of it. */
  update(change: Partial<SettingsValue>): void;
}

/** Libraries that are remembered. */
const recentCount = 10;

/** Reads the file; one that is missing or makes no sense counts as empty. */
export function openSettings(file: string): SettingsFile {
  let value: SettingsValue = { recent: [], window: null };
  try {
    value = v.parse(settings, JSON.parse(readFileSync(file, "utf8")));
  } catch {
    // First start, or a file that was damaged: both begin anew.
  }
  return {
    get value() {
      return value;
    },
    update: (change) => {
      value = { ...value, ...change };
      try {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(`${file}.new`, JSON.stringify(value, null, 2));
        renameSync(`${file}.new`, file);
      } catch {
        // Kept for as long as this program runs.
      }
    },
  };
}

/** The list with this library at its front. */
export function withRecent(recent: readonly string[], folder: string): string[] {
  return [folder, ...recent.filter((other) => other !== folder)].slice(0, recentCount);
}

/** How a library is shown in a menu or a list. */
export function recentLibrary(folder: string): RecentLibrary {
  return { folder, name: basename(folder) || folder };
}
