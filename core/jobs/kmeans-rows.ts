import type { KMeansRows } from "../suggest/kmeans.ts";
import type { Bank, Embeddings } from "./neighbours.ts";

/** The rows of a bank inside the engine, as k-means asks for them; `matrix` is what was loaded. */
export function kMeansRows(bank: Bank, { matrix, width }: Embeddings): KMeansRows {
  return {
    rows: matrix.length / width,
    width,
    seed: (count, seed) => bank.seedCentres(count, seed),
    assign: (centres) => bank.nearestCentres(centres, 1),
    gaps: async (centres) => {
      const { similarities } = await bank.nearestCentres(centres, 2);
      return Float32Array.from(
        { length: matrix.length / width },
        (_, row) => (similarities[2 * row] as number) - (similarities[2 * row + 1] as number),
      );
    },
    vectors: (rows) => {
      const picked = new Float32Array(rows.length * width);
      rows.forEach((row, i) => picked.set(matrix.subarray(row * width, (row + 1) * width), i * width));
      return picked;
    },
  };
}
