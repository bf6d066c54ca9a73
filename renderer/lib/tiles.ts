/** Tiles of one size in rows: where each is, which are on screen, and where the arrows lead. Arithmetic alone. */

export interface TileShape {
  /** Pixels between the edges of the wall. */
  readonly width: number;
  /** Least width of a tile; tiles grow until they fill a row. */
  readonly least: number;
  /** Height of the picture of a tile for each pixel of width. */
  readonly ratio: number;
  /** Pixels below the picture, for words. */
  readonly below: number;
  readonly gap: number;
}

export interface Tiles {
  readonly count: number;
  readonly across: number;
  readonly width: number;
  readonly height: number;
  /** From one row to the next. */
  readonly pitch: number;
  readonly gap: number;
}

/** Lays `count` tiles out. */
export function layTiles(count: number, { width, least, ratio, below, gap }: TileShape): Tiles {
  const across = Math.max(1, Math.floor((width + gap) / (least + gap)));
  const side = Math.max(1, (width - gap * (across - 1)) / across);
  const height = Math.round(side * ratio + below);
  return { count, across, width: side, height, pitch: height + gap, gap };
}

/** Height of all rows together, in pixels. */
export function tilesHeight({ count, across, pitch, gap }: Tiles): number {
  return count === 0 ? 0 : Math.ceil(count / across) * pitch - gap;
}

/** Left and upper edge of a tile. */
export function tileEdge({ across, width, pitch, gap }: Tiles, at: number): { left: number; top: number } {
  return { left: (at % across) * (width + gap), top: Math.floor(at / across) * pitch };
}

/** The tiles [from, to) with rows between two heights. */
export function tilesBetween(
  { count, across, pitch }: Tiles,
  top: number,
  bottom: number,
): { from: number; to: number } {
  const first = Math.max(0, Math.floor(top / pitch));
  const last = Math.max(first, Math.ceil(bottom / pitch));
  return { from: Math.min(count, first * across), to: Math.min(count, last * across) };
}

export type Step = "left" | "right" | "up" | "down" | "start" | "end" | "page-up" | "page-down";

/** Rows that a page is, for the keys that leap. */
const pageRows = 4;

/** The place that a step leads to; the same one where there is none in that direction. */
export function stepFrom(at: number, step: Step, { count, across }: Pick<Tiles, "count" | "across">): number {
  const last = Math.max(0, count - 1);
  const by: Record<Step, number> = {
    left: -1,
    right: 1,
    up: -across,
    down: across,
    start: -at,
    end: last - at,
    "page-up": -pageRows * across,
    "page-down": pageRows * across,
  };
  const to = at + by[step];
  if (to >= 0 && to <= last) return to;
  if (step === "up" || step === "left") return at;
  // The last row may be short: down still leads into it.
  if (step === "down") return Math.floor(at / across) < Math.floor(last / across) ? last : at;
  return Math.min(last, Math.max(0, to));
}
