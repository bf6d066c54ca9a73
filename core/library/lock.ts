/**
 * One process at a time may write a library. The lock is a RESERVED lock on the empty SQLite file `writer.lock`, held
 * open by a transaction that never ends: the operating system lets go of it when the process dies, however it dies, so
 * there is nothing to clean up after a crash. Who holds it is told by `writer.json` beside it, which is only
 * information: a file left over by a killed process blocks nobody.
 */
import Database from "better-sqlite3";
import { closeSync, openSync, readSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { CoreError } from "../util/errors.ts";
import { errorCode, libraryError } from "./errors.ts";
import { isObject } from "./rows.ts";

/** The process that writes a library. */
export interface Holder {
  readonly pid: number;
  /** What it was started as, such as `dinoscope embed`. */
  readonly command: string;
  readonly host: string;
  readonly since: number;
}

/** A lock that is held until `release`, or until the process ends. */
export interface WriterLock {
  release(): void;
}

/** Takes the writer's lock of a library folder. Throws `library-locked`, naming the holder, where another process has it. */
export function holdWriterLock(folder: string, command: string): WriterLock {
  const holderFile = join(folder, "writer.json");
  // No waiting: whoever holds the lock holds it for as long as it runs.
  const connection = new Database(join(folder, "writer.lock"), { timeout: 0 });
  try {
    connection.exec("BEGIN IMMEDIATE");
    const holder: Holder = { pid: process.pid, command, host: hostname(), since: Date.now() };
    // Renamed into place, so that the loser of a race never reads half of it.
    writeFileSync(`${holderFile}.new`, JSON.stringify(holder));
    renameSync(`${holderFile}.new`, holderFile);
  } catch (error) {
    connection.close();
    if (errorCode(error)?.startsWith("SQLITE_BUSY") === true) throw lockedError(folder, readHolder(holderFile));
    throw libraryError(error);
  }
  return {
    release: () => {
      if (!connection.open) return;
      rmSync(holderFile, { force: true });
      connection.close();
    },
  };
}

/** Who holds the writer's lock according to `writer.json`; null where that file is absent or makes no sense. */
export function readHolder(holderFile: string): Holder | null {
  try {
    const bytes = Buffer.alloc(4096);
    const descriptor = openSync(holderFile, "r");
    let length: number;
    try {
      length = readSync(descriptor, bytes);
    } finally {
      closeSync(descriptor);
    }
    const value: unknown = JSON.parse(bytes.toString("utf8", 0, length));
    if (!isObject(value)) return null;
    const { pid, command, host, since } = value;
    if (typeof pid !== "number" || typeof command !== "string" || typeof host !== "string") return null;
    if (typeof since !== "number" || Number.isNaN(new Date(since).getTime())) return null;
    return { pid, command, host, since };
  } catch {
    // The lock is held either way; without a name the message says "another process".
    return null;
  }
}

function lockedError(folder: string, holder: Holder | null): CoreError {
  const who = holder === null ? "another process" : describeHolder(holder, hostname(), Date.now());
  return new CoreError("library-locked", `The library ${folder} is being written by ${who}.`, {
    hint: "Close that program or wait until it has finished, then try again. Reading (export, search) works meanwhile.",
  });
}

/** "process 1234, `dinoscope embed`, since 14:02", in local time; the day and the host are named where they differ. */
export function describeHolder(holder: Holder, localHost: string, now: number): string {
  const since = new Date(holder.since);
  const time = since.toTimeString().slice(0, 5);
  const day = since.toDateString() === new Date(now).toDateString() ? "" : `${since.toDateString()}, `;
  const place = holder.host === localHost ? "" : ` on ${plain(holder.host)}`;
  return `process ${holder.pid}${place}, \`${plain(holder.command)}\`, since ${day}${time}`;
}

/** Text from a file that is shown on a terminal: no control characters, no more than a line. */
function plain(text: string): string {
  return text.replace(/\p{C}/gu, " ").slice(0, 200);
}
