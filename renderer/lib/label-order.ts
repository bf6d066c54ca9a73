/** A row of a tree that is written from the top down. */
interface TreeRow {
  readonly label: { readonly name: string };
  readonly depth: number;
  readonly totalImageCount: number;
}

export const labelOrders = ["own", "name", "images"] as const;

/** How labels follow each other: as they were made, by name, or those with most images first. */
export type LabelOrder = (typeof labelOrders)[number];

const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** The rows of a tree in another order: labels of one level are sorted, and what is below one stays below it. */
export function orderRows<Row extends TreeRow>(rows: readonly Row[], order: LabelOrder): Row[] {
  if (order === "own") return [...rows];
  const families: Row[][] = [];
  const level = rows[0]?.depth ?? 0;
  for (const row of rows) {
    const family = families.at(-1);
    if (row.depth <= level || family === undefined) families.push([row]);
    else family.push(row);
  }
  return families
    .sort(([a], [b]) => (a === undefined || b === undefined ? 0 : compare(a, b, order)))
    .flatMap(([head, ...below]) => (head === undefined ? [] : [head, ...orderRows(below, order)]));
}

/** The rows without those below labels that are folded up. */
export function withoutFolded<Row extends { readonly depth: number }>(
  rows: readonly Row[],
  isFolded: (row: Row) => boolean,
): Row[] {
  let hiddenBelow = Infinity;
  return rows.filter((row) => {
    if (row.depth > hiddenBelow) return false;
    hiddenBelow = isFolded(row) ? row.depth : Infinity;
    return true;
  });
}

function compare(a: TreeRow, b: TreeRow, order: LabelOrder): number {
  const byName = names.compare(a.label.name, b.label.name);
  return order === "name" ? byName : b.totalImageCount - a.totalImageCount || byName;
}
