/** Numbers, times and names in words that people read. */

const whole = new Intl.NumberFormat("en-GB");

/** 12,345 */
export function inFull(count: number): string {
  return whole.format(count);
}

/** `1 image`, `12 images`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${inFull(count)} ${count === 1 ? one : many}`;
}

/** A short count for narrow places: 12,345 stays, 123,456 is `123k`. */
export function inShort(count: number): string {
  if (count < 100_000) return inFull(count);
  return count < 1_000_000 ? `${Math.floor(count / 1000)}k` : `${(count / 1_000_000).toFixed(1)}M`;
}

/** 97 % */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** What is left of a job: `40 s`, `12 min`, `3 h 5 min`. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(1, Math.round(milliseconds / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** 3.4 MB */
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = count / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit] ?? ""}`;
}

const dayAndTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** 24 Nov 2026, 00:31 */
export function dateAndTime(time: number): string {
  return dayAndTime.format(time);
}

/** How long ago, roughly: `just now`, `5 min ago`, `3 h ago`, then the date. */
export function ago(time: number, now: number): string {
  const minutes = Math.floor((now - time) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return dateAndTime(time);
}

/** The last part of a path of either kind of slash. */
export function lastPart(path: string): string {
  return path.split(/[/\\]/).filter(Boolean).at(-1) ?? path;
}
