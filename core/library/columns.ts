import { forEachCells } from "./database.ts";
import type { Reader } from "./database.ts";

/**
 * Reads a query into columns of numbers, named in the query's own order; text in hex counts as a number, NULL as 0. Row by
 * row: 100,000 rows at once would leave the process some 50 MB larger for good.
 */
export function columns<Name extends string>(
  db: Reader,
  statement: string,
  parameters: readonly (number | string)[],
  names: readonly Name[],
): Record<Name, Float64Array> {
  let room = names.map(() => new Float64Array(1024));
  let count = 0;
  forEachCells(db, statement, parameters, (cells) => {
    if (count === room[0]?.length) room = room.map(twice);
    for (let at = 0; at < room.length; at++) (room[at] as Float64Array)[count] = numberOf(cells[at]);
    count += 1;
  });
  return Object.fromEntries(names.map((name, at) => [name, room[at]?.slice(0, count)])) as Record<Name, Float64Array>;
}

function numberOf(cell: unknown): number {
  if (typeof cell === "number") return cell;
  return typeof cell === "string" ? Number.parseInt(cell, 16) || 0 : 0;
}

/** The same numbers with as much room again. */
function twice(column: Float64Array): Float64Array<ArrayBuffer> {
  const longer = new Float64Array(2 * column.length);
  longer.set(column);
  return longer;
}
