/** How numbers, times, names and tables look on a terminal. */

/**
 * Text as a terminal may show it: names from files and errors could move the cursor, change colours or turn the reading
 * direction, so control characters become spaces.
 */
export function plain(text: string): string {
  return text.replace(unsafe, " ");
}

/** An object as one line of JSON. Control characters that JSON leaves raw are escaped, since people look at it too. */
export function jsonLine(value: object): string {
  return JSON.stringify(value).replace(
    unsafe,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}

/** Control characters, lone halves of characters, marks of reading direction, and Unicode's own line ends. */
const unsafe = /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/gu;

/** `1,234`. */
export function number(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** `1,234`, `12`, `3.4`, `0.056`: whole from 10 up, else two digits that count. */
export function rate(value: number): string {
  if (value >= 10 || value === 0) return number(value);
  return value >= 1 ? value.toFixed(1) : String(Number(value.toPrecision(2)));
}

/** `0.3 s`, `12 s`, `2 min 8 s`, `3 h 5 min`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 9950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${number(Math.floor(seconds / 3600))} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** `97.3 %`; a dash for a share of nothing. */
export function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : "-";
}

/** `97.3 % (95-99)`: a share with its interval. */
export function percentBetween(share: number, low: number, high: number): string {
  return `${percent(share)} (${(100 * low).toFixed(0)}-${(100 * high).toFixed(0)})`;
}

/** `1 image`, `3 images`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** `2026-03-09 14:05`, in local time. */
export function moment(milliseconds: number): string {
  // Swedish writes dates as ISO 8601 does.
  return new Date(milliseconds).toLocaleString("sv").slice(0, 16);
}

const noColumn = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const twoColumns =
  /^[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]$/u;

function columnsOfCharacter(character: string): number {
  if (noColumn.test(character)) return 0;
  return twoColumns.test(character) ? 2 : 1;
}

/** Columns that a text takes on a terminal: two for wide scripts and pictographs, none for combining marks. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += columnsOfCharacter(character);
  return columns;
}

/** At most `columns` of a text, with `…` for what is left out: the end of it, or the start (paths tell more by their end). */
export function shorten(text: string, columns: number, leaveOut: "start" | "end" = "end"): string {
  if (columnsOf(text) <= columns) return text;
  const characters = leaveOut === "end" ? [...text] : [...text].reverse();
  let used = 1;
  const kept: string[] = [];
  for (const character of characters) {
    used += columnsOfCharacter(character);
    if (used > columns) break;
    kept.push(character);
  }
  return leaveOut === "end" ? `${kept.join("")}…` : `…${kept.reverse().join("")}`;
}

/**
 * A text in lines of at most `columns`, broken between words. The first keeps the spaces it starts with, the others start
 * with `indent` of them.
 */
export function wrap(text: string, columns: number, indent = 0): string[] {
  const lead = /^ */.exec(text)?.[0] ?? "";
  const [first = "", ...words] = text.slice(lead.length).split(" ");
  const lines: string[] = [];
  let line = lead + first;
  for (const word of words) {
    if (columnsOf(`${line} ${word}`) <= columns) line += ` ${word}`;
    else {
      lines.push(line.trimEnd());
      line = " ".repeat(indent) + word;
    }
  }
  return [...lines, line.trimEnd()];
}

/** Where a column's text stands, and what may be cut from it when the table is too wide. */
export interface Column {
  readonly title: string;
  readonly align?: "right";
  /** For one column at most. */
  readonly leaveOut?: "start" | "end";
}

/** Rows as text in columns below their titles, cut to `width` where a column allows it. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], width = Infinity): string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => row.map(plain))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => columnsOf(row[i] ?? ""))));
  const tooWide = widths.reduce((sum, columnWidth) => sum + columnWidth + 2, -2) - width;
  const flexible = columns.findIndex(({ leaveOut }) => leaveOut !== undefined);
  // Less than this says nothing any more: then the terminal may as well break the line.
  if (tooWide > 0 && flexible >= 0) widths[flexible] = Math.max(12, (widths[flexible] ?? 0) - tooWide);
  return cells.map((row) =>
    columns
      .map(({ align, leaveOut }, i) => {
        const cell = shorten(row[i] ?? "", widths[i] ?? 0, leaveOut);
        const space = " ".repeat(Math.max(0, (widths[i] ?? 0) - columnsOf(cell)));
        return align === "right" ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd(),
  );
}
