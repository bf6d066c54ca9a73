import { stdout } from "node:process";
import { errorRecord } from "../util/errors.ts";
import type { Progress } from "../rpc/api.ts";

/** Where a command's results and progress go. */
export interface Output {
  readonly json: boolean;
  /** A line for people; nothing with --json. */
  line(text?: string): void;
  /** An object for scripts; nothing without --json. */
  data(type: string, value: object): void;
  progress(progress: Progress): void;
  /** Ends the progress line, so that other text can follow. */
  settle(): void;
  error(error: unknown): void;
}

/** Progress objects with --json come no more often than this. */
const progressEveryMs = 1000;

/** Output on a terminal, in a pipe, or as JSON lines. Results go to standard output, progress and errors beside them. */
export function createOutput(json: boolean): Output {
  const live = process.stderr.isTTY && !json;
  let shown = false;
  let last = { at: 0, phase: "" };
  const write = (value: object): void => void stdout.write(`${JSON.stringify(value)}\n`);
  const settle = (): void => {
    if (shown) process.stderr.write("\n");
    shown = false;
  };
  return {
    json,
    settle,
    line: (text = "") => {
      if (json) return;
      settle();
      stdout.write(`${text}\n`);
    },
    data: (type, value) => {
      if (json) write({ type, ...value });
    },
    progress: (progress) => {
      const now = Date.now();
      const ends = progress.total > 0 && progress.done >= progress.total;
      const due = json ? progressEveryMs : 100;
      if (!ends && progress.phase === last.phase && now - last.at < due) return;
      if (live && progress.phase !== last.phase) settle();
      last = { at: now, phase: progress.phase };
      if (json) write({ type: "progress", ...progress });
      if (!live) return;
      // Back to the start of the line, and clear what a longer text left behind.
      process.stderr.write(`\r\x1b[2K${progressLine(progress, process.stderr.columns ?? 80)}`);
      shown = true;
    },
    error: (error) => {
      settle();
      const { code, message, hint } = errorRecord(error);
      if (json) write({ type: "error", code, message, ...(hint === undefined ? {} : { hint }) });
      else process.stderr.write(`error (${code}): ${message}\n${hint === undefined ? "" : `  ${hint}\n`}`);
    },
  };
}

/** `embedding on cpu  [#####.....]  1,024 / 5,000  31/s  2 min 8 s left`. */
export function progressLine({ phase, done, total, perSecond, remainingMs }: Progress, columns: number): string {
  const count = total > 0 ? `${number(done)} / ${number(total)}` : number(done);
  const speed = perSecond === null ? "" : `  ${perSecond >= 10 ? perSecond.toFixed(0) : perSecond.toFixed(1)}/s`;
  const left = remainingMs === null || done >= total ? "" : `  ${duration(remainingMs)} left`;
  const width = Math.min(24, columns - phase.length - count.length - speed.length - left.length - 8);
  const filled = total > 0 ? Math.round((Math.min(done, total) / total) * width) : 0;
  const bar = total > 0 && width >= 8 ? `[${"#".repeat(filled)}${".".repeat(width - filled)}]  ` : "";
  return `${phase}  ${bar}${count}${speed}${left}`.slice(0, columns - 1);
}

/** `1,234`. */
export function number(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** `12 s`, `2 min 8 s`, `3 h 5 min`. */
export function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** `97.3 %`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** `1 image`, `3 images`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/**
 * Rows as text in columns: the first column to the left, the others to the right. Control characters in names from files
 * could move the cursor or change colours, so they are shown as spaces.
 */
export function table(rows: readonly (readonly string[])[]): string[] {
  const clean = rows.map((row) => row.map((cell) => cell.replace(/\p{C}/gu, " ")));
  const widths = (clean[0] ?? []).map((_, column) => Math.max(...clean.map((row) => row[column]?.length ?? 0)));
  return clean.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
