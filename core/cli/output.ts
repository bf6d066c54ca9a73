import type { Progress } from "../rpc/api.ts";
import { errorRecord } from "../util/errors.ts";
import { duration, jsonLine, number, plain, rate, table, wrap, type Column } from "./text.ts";

/** Where a command's results and progress go. */
export interface Output {
  readonly json: boolean;
  /** A line for people; nothing with --json. */
  line(text?: string): void;
  /** The same, broken between words to fit the terminal; lines after the first start with `indent` spaces. */
  paragraph(text: string, indent?: number): void;
  /** Rows for people, under titles and cut to fit the terminal; nothing with --json. */
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void;
  /** An object for scripts; nothing without --json. */
  data(type: string, value: object): void;
  readonly progress: (progress: Progress) => void;
  /** Ends the progress line, so that other text can follow. */
  settle(): void;
  error(error: unknown): void;
}

/** What is written to: standard output and standard error, or a test's own. */
export interface Streams {
  readonly stdout: Stream;
  readonly stderr: Stream;
}

interface Stream {
  /** Set on a terminal. */
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Progress objects with --json come no more often than this. */
const progressEveryMs = 1000;

/** The progress line is drawn no more often than this. */
const drawEveryMs = 100;

/** Columns of a terminal that does not say how many it has. */
const usualColumns = 80;

/**
 * Output on a terminal, in a pipe, or as JSON lines. Results go to standard output, progress and errors beside them;
 * with --json everything goes to standard output, an object a line.
 */
export function createOutput(json: boolean, { stdout, stderr }: Streams = process): Output {
  const live = stderr.isTTY === true && !json;
  // In a pipe lines stay whole: other programs read them.
  const widthOf = ({ isTTY, columns = 0 }: Stream): number =>
    isTTY === true ? (columns > 0 ? columns : usualColumns) : Infinity;
  let shown = false;
  let last = { at: 0, phase: "" };
  const write = (value: object): void => void stdout.write(`${jsonLine(value)}\n`);
  const settle = (): void => {
    if (shown) stderr.write("\n");
    shown = false;
  };
  const lines = (texts: readonly string[]): void => {
    if (json) return;
    settle();
    for (const text of texts) stdout.write(`${plain(text)}\n`);
  };
  return {
    json,
    settle,
    line: (text = "") => lines([text]),
    paragraph: (text, indent = 0) => lines(wrap(text, widthOf(stdout), indent)),
    table: (columns, rows) => lines(table(columns, rows, widthOf(stdout))),
    data: (type, value) => {
      if (json) write({ type, ...value });
    },
    progress: (progress) => {
      const now = Date.now();
      const ends = progress.total > 0 && progress.done >= progress.total;
      if (!ends && progress.phase === last.phase && now - last.at < (json ? progressEveryMs : drawEveryMs)) return;
      if (live && progress.phase !== last.phase) settle();
      last = { at: now, phase: progress.phase };
      if (json) write({ type: "progress", ...progress });
      if (!live) return;
      // Back to the start of the line, and clear what a longer text left behind.
      stderr.write(`\r\x1b[2K${plain(progressLine(progress, widthOf(stderr)))}`);
      shown = true;
    },
    error: (error) => {
      settle();
      const { code, message, hint } = errorRecord(error);
      if (json) {
        write({ type: "error", code, message, ...(hint === undefined ? {} : { hint }) });
        return;
      }
      const texts = [
        ...wrap(plain(code === "stopped" ? message : `error (${code}): ${message}`), widthOf(stderr), 2),
        ...(hint === undefined ? [] : wrap(`  ${plain(hint)}`, widthOf(stderr), 2)),
      ];
      for (const text of texts) stderr.write(`${text}\n`);
    },
  };
}

/** `embedding on cpu  [#####.....]  1,024 / 5,000  31/s  2 min 8 s left`, in less than `columns`. */
export function progressLine(
  { phase, done, total, perSecond, remainingMs, detail }: Progress,
  columns: number,
): string {
  const count = total > 0 ? `${number(done)} / ${number(total)}` : number(done);
  const speed = perSecond === null ? "" : `  ${rate(perSecond)}/s`;
  const left = remainingMs === null || done >= total ? "" : `  ${duration(remainingMs)} left`;
  const more = detail === undefined ? "" : `  ${detail}`;
  const width = Math.min(24, columns - phase.length - count.length - speed.length - left.length - more.length - 8);
  const filled = total > 0 ? Math.round((Math.min(done, total) / total) * width) : 0;
  const bar = total > 0 && width >= 8 ? `[${"#".repeat(filled)}${".".repeat(width - filled)}]  ` : "";
  // A line that fills the terminal would wrap, and then could not be drawn over.
  return `${phase}  ${bar}${count}${speed}${left}${more}`.slice(0, columns - 1);
}
