import { CoreError } from "../util/errors.ts";
import { queryCountOf, type NeighbourTable } from "./nearest.ts";

/** Two rows of the bank that look alike and have different labels; `first` is below `second`. */
export interface Twins {
  readonly first: number;
  readonly second: number;
  readonly similarity: number;
}

/**
 * The `limit` most similar pairs of rows with different labels, most similar first, equal ones by row. Each is either one
 * picture that was labelled twice, or two kinds that are hard to tell apart: two SKUs of one brand. The table is that of a
 * leave-one-out search (query i is row i): a pair counts where one is among the other's neighbours, so pairs behind a
 * crowd of more similar rows are not seen. Throws `check-shape`.
 */
export function closestTwins(table: NeighbourTable, labels: Int32Array, limit: number): Twins[] {
  checkTable(table, labels.length);
  const differs = (slot: number): boolean => {
    const other = table.indices[slot] ?? -1;
    return other >= 0 && labels[other] !== labels[Math.floor(slot / table.count)];
  };
  // A pair stands in the table twice at most, so the best 2 * limit of its places hold the best pairs.
  const rising = table.similarities.filter((_: number, slot: number) => differs(slot)).sort();
  const bound = rising[Math.max(0, rising.length - 2 * limit)] ?? Infinity;
  const pairs: Twins[] = [];
  for (let slot = 0; slot < table.indices.length; slot++) {
    const similarity = table.similarities[slot] ?? 0;
    if (similarity < bound || !differs(slot)) continue;
    const query = Math.floor(slot / table.count);
    const other = table.indices[slot] ?? -1;
    // Seen from both sides the pair is listed where it is met first: from its lower row, if that has it.
    if (other < query && hasNeighbour(table, other, query)) continue;
    pairs.push({ first: Math.min(query, other), second: Math.max(query, other), similarity });
  }
  return pairs.sort((a, b) => b.similarity - a.similarity || a.first - b.first || a.second - b.second).slice(0, limit);
}

function hasNeighbour(table: NeighbourTable, query: number, row: number): boolean {
  return table.indices.subarray(query * table.count, (query + 1) * table.count).includes(row);
}

/** Throws `check-shape` unless the table has a query for each of `rows` rows (or no columns at all). */
export function checkTable(table: NeighbourTable, rows: number): void {
  if (table.count === 0 || queryCountOf(table) === rows) return;
  throw new CoreError(
    "check-shape",
    `A check needs the neighbours of each of ${rows} images, found those of ${queryCountOf(table)}.`,
  );
}
