import { queryCountOf, type NeighbourTable } from "./nearest.ts";

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
  const { distances, deviations } = neighbourDeviations(table);
  return Array.from(distances.keys())
    .filter((row) => !Number.isNaN(distances[row]))
    .sort((a, b) => (distances[b] ?? 0) - (distances[a] ?? 0) || a - b)
    .slice(0, limit)
    .map((row) => {
      const deviation = deviations[row] ?? 0;
      return { row, distance: distances[row] ?? 0, deviation, likely: deviation >= outlierDeviation };
    });
}

/**
 * Of every row: the mean distance to its nearest `outlierNeighbours`, and its robust deviations above the median, as
 * `findOutliers` says. NaN for rows without neighbours.
 */
export function neighbourDeviations(table: NeighbourTable): { distances: Float64Array; deviations: Float64Array } {
  const distances = new Float64Array(queryCountOf(table)).fill(NaN);
  for (let row = 0; row < distances.length; row++) {
    let [sum, count] = [0, 0];
    for (let at = row * table.count; at < (row + 1) * table.count && count < outlierNeighbours; at++) {
      if ((table.indices[at] ?? -1) < 0) break;
      // Rounding can bring the cosine of two equal vectors a little above 1.
      sum += Math.sqrt(Math.max(0, 2 - 2 * (table.similarities[at] ?? 0)));
      count += 1;
    }
    if (count > 0) distances[row] = sum / count;
  }
  const known = distances.filter((distance) => !Number.isNaN(distance));
  const middle = median(known);
  const away = known.map((distance) => Math.abs(distance - middle));
  const meanAway = away.reduce((sum, value) => sum + value, 0) / Math.max(1, away.length);
  const spread = perMedianDeviation * median(away) || perMeanDeviation * meanAway;
  return { distances, deviations: distances.map((distance) => (spread === 0 ? 0 : (distance - middle) / spread)) };
}

/** The middle value, or the mean of the two in the middle; 0 of none. */
function median(values: Float64Array): number {
  const sorted = values.toSorted();
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? 0) + (sorted[Math.floor(half)] ?? 0)) / 2;
}
