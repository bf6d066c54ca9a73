import type { NewCluster } from "../library/clusters.ts";
import type { EmbeddingMatrix } from "../library/embeddings.ts";
import type { Membership } from "../rpc/records.ts";
import type { Bank } from "./neighbours.ts";

/** The group of each row, -1 for none, and the centre of each group, of length 1. */
export interface Grouping {
  readonly labels: Int32Array;
  readonly centres: Float32Array;
}

/** Groups as clusters to store: members with how near they are to their own centre, and to the next one. */
export async function clustersOf(
  { imageIds, matrix, width }: EmbeddingMatrix,
  { labels, centres }: Grouping,
  bank: Bank,
): Promise<NewCluster[]> {
  const count = centres.length / width;
  if (count === 0) return [];
  const shown = Math.min(2, count);
  const { nearest, similarities } = await bank.nearestCentres(centres, shown);
  const lists = Array.from({ length: count }, (): Omit<Membership, "clusterId">[] => []);
  labels.forEach((label, row) => {
    if (label < 0) return;
    const similarity = cosine(matrix, row, centres, label, width);
    const slot = nearest[row * shown] === label ? row * shown + 1 : row * shown;
    // A lone cluster has no other beside it: its members are as far from one as can be.
    const other = count === 1 ? -1 : (similarities[slot] ?? -1);
    lists[label]?.push({ imageId: imageIds[row] ?? 0, similarity, margin: similarity - other });
  });
  return lists
    .map((members, label) => ({ centre: centres.slice(label * width, (label + 1) * width), members }))
    .filter(({ members }) => members.length > 0);
}

/** The same for a few rows, against centres that are all at hand: `others` are those of the clusters that stay. */
export function regroup(
  { imageIds, matrix, width }: EmbeddingMatrix,
  { labels, centres }: Grouping,
  others: readonly Float32Array[],
): NewCluster[] {
  const count = centres.length / width;
  const all = [...Array.from({ length: count }, (_, i) => centres.slice(i * width, (i + 1) * width)), ...others];
  return all.slice(0, count).map((centre, own) => ({
    centre,
    members: imageIds.flatMap((imageId, row) => {
      if (labels[row] !== own) return [];
      const similarity = cosine(matrix, row, centre, 0, width);
      const other = all.reduce(
        (most, c, i) => (i === own ? most : Math.max(most, cosine(matrix, row, c, 0, width))),
        -1,
      );
      return [{ imageId, similarity, margin: similarity - other }];
    }),
  }));
}

function cosine(matrix: Float32Array, row: number, centres: Float32Array, centre: number, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += (matrix[row * width + i] as number) * (centres[centre * width + i] as number);
  return sum;
}
