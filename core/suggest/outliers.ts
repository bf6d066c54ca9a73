import { neighboursOf, queryCountOf, type NeighbourTable } from "./nearest.ts";

/** A row that lies apart from the others. */
export interface Outlier {
  readonly row: number;
  /** Mean distance to its neighbours, as the length of the difference of two unit vectors: 0 to 2. */
  readonly distance: number;
  /** Robust deviations of that distance above the library's median. */
  readonly deviation: number;
  /** True from `outlierDeviation` on: worth a look without being asked. */
  readonly likely: boolean;
}

/** Deviations from which a row is called an outlier: 3.5, as Iglewicz and Hoaglin (1993) advise for this score. */
export const outlierDeviation = 3.5;

/** Neighbours whose distance counts: few, so that a label of some ten images is no crowd of outliers. */
export const outlierNeighbours = 10;

/** For normal data a standard deviation is this many median absolute deviations, and this many mean absolute ones. */
const perMedianDeviation = 1.4826;
const perMeanDeviation = 1.2533;

/**
 * Rows by how far they are from their neighbours (Angiulli and Pizzuti 2002: the sum over k neighbours, so that a pair of
 * odd copies still stands out), furthest first, the first `limit`. The distance is judged against the library's own by the
 * modified z-score (d - median) / (1.4826 MAD), so it needs no scale that fits the model; where more than half of all
 * distances are equal, the mean absolute deviation stands in. Rows without neighbours are left out.
 */
export function findOutliers(table: NeighbourTable, limit: number): Outlier[] {
  const rows: { row: number; distance: number }[] = [];
  for (let row = 0; row < queryCountOf(table); row++) {
    const neighbours = neighboursOf(table, row).slice(0, outlierNeighbours);
    if (neighbours.length === 0) continue;
    // Rounding can bring the cosine of two equal vectors a little above 1.
    const sum = neighbours.reduce((total, { similarity }) => total + Math.sqrt(Math.max(0, 2 - 2 * similarity)), 0);
    rows.push({ row, distance: sum / neighbours.length });
  }
  const middle = median(rows.map(({ distance }) => distance));
  const deviations = rows.map(({ distance }) => Math.abs(distance - middle));
  const meanDeviation = deviations.reduce((sum, value) => sum + value, 0) / Math.max(1, rows.length);
  const spread = perMedianDeviation * median(deviations) || perMeanDeviation * meanDeviation;
  return rows
    .sort((a, b) => b.distance - a.distance || a.row - b.row)
    .slice(0, limit)
    .map(({ row, distance }) => {
      const above = distance - middle;
      const deviation = spread === 0 ? 0 : above / spread;
      return { row, distance, deviation, likely: deviation >= outlierDeviation };
    });
}

/** The middle value, or the mean of the two in the middle; 0 of none. */
function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? 0) + (sorted[Math.floor(half)] ?? 0)) / 2;
}
