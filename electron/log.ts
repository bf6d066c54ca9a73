/** The log of one start: what the core and main had to say, in a file that the Help menu shows. The one before is kept. */
import { createWriteStream, mkdirSync, renameSync } from "node:fs";
import { dirname } from "node:path";

export interface Log {
  readonly file: string;
  add(text: string): void;
}

/** More than this in one start repeats itself. */
const maximalBytes = 4 * 2 ** 20;

/** Begins the file anew, with that of the last start beside it: whoever starts again after a crash wants to read it. A disk that cannot be written to costs the log and nothing else. */
export function openLog(file: string): Log {
  let left = maximalBytes;
  try {
    mkdirSync(dirname(file), { recursive: true });
  } catch {
    left = 0;
  }
  try {
    renameSync(file, file.replace(/(\.\w+)?$/, ".old$1"));
  } catch {
    // The first start.
  }
  const stream = left > 0 ? createWriteStream(file).on("error", () => (left = 0)) : undefined;
  return {
    file,
    add: (text) => {
      if (left <= 0) return;
      left -= Buffer.byteLength(text);
      stream?.write(text);
    },
  };
}
