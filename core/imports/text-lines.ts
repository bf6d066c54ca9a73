/** One line of a text file, without its end; `text` is null where the line was refused. Lines count from 1. */
export type TextLine =
  | { readonly line: number; readonly text: string; readonly problem: null }
  | { readonly line: number; readonly text: null; readonly problem: "too-long" | "not-utf-8" };

/** Cuts chunks of bytes into lines. */
export interface LineSplitter {
  /** The lines that end in this chunk. */
  push(chunk: Uint8Array): Iterable<TextLine>;
  /** The last line, where the file does not end with a line end. */
  end(): Iterable<TextLine>;
}

const lineFeed = 10;
const carriageReturn = 13;

/**
 * Cuts UTF-8 bytes into lines at LF, CR LF or CR. It holds `maxLineBytes` at most: the rest of a longer line is
 * dropped as it comes, and the line reported once its end is found. A byte order mark is left to the reader.
 */
export function createLineSplitter(maxLineBytes: number): LineSplitter {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let line = 1;
  let pieces: Uint8Array[] = [];
  let byteCount = 0;
  let afterCarriageReturn = false;

  const keep = (bytes: Uint8Array): void => {
    byteCount += bytes.length;
    // Copied, because a stream may use its buffer again.
    if (byteCount <= maxLineBytes && bytes.length > 0) pieces.push(bytes.slice());
    else if (byteCount > maxLineBytes) pieces = [];
  };
  const finish = (): TextLine => {
    const number = line++;
    const bytes = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
    const tooLong = byteCount > maxLineBytes;
    pieces = [];
    byteCount = 0;
    if (tooLong) return { line: number, text: null, problem: "too-long" };
    try {
      return { line: number, text: decoder.decode(bytes), problem: null };
    } catch {
      return { line: number, text: null, problem: "not-utf-8" };
    }
  };

  return {
    *push(chunk) {
      // A line feed at once after a carriage return, even one at the end of the last chunk, belongs to it.
      let start = afterCarriageReturn && chunk[0] === lineFeed ? 1 : 0;
      let nextLineFeed = chunk.indexOf(lineFeed, start);
      let nextCarriageReturn = chunk.indexOf(carriageReturn, start);
      while (nextLineFeed >= 0 || nextCarriageReturn >= 0) {
        const isLineFeed = nextCarriageReturn < 0 || (nextLineFeed >= 0 && nextLineFeed < nextCarriageReturn);
        const end = isLineFeed ? nextLineFeed : nextCarriageReturn;
        keep(chunk.subarray(start, end));
        start = end + (!isLineFeed && chunk[end + 1] === lineFeed ? 2 : 1);
        if (nextLineFeed >= 0 && nextLineFeed < start) nextLineFeed = chunk.indexOf(lineFeed, start);
        if (!isLineFeed) nextCarriageReturn = chunk.indexOf(carriageReturn, start);
        yield finish();
      }
      if (chunk.length > 0) afterCarriageReturn = chunk.at(-1) === carriageReturn;
      keep(chunk.subarray(start));
    },
    *end() {
      if (byteCount > 0) yield finish();
    },
  };
}
