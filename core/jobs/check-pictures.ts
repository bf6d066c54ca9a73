import type { Reader } from "../library/database.ts";
import type { EmbeddingMatrix } from "../library/embeddings.ts";
import { listImages, pageSize } from "../library/images.ts";
import type { Picture, PictureFeatures } from "../suggest/duplicates.ts";
import type { NeighbourTable } from "../suggest/nearest.ts";

/**
 * The pictures of a library that are there and readable, as the search for duplicates takes them, with what a model saw in
 * them. `imageIds` names each.
 */
export function readPictures(
  db: Reader,
  labels: ReadonlyMap<number, number>,
  searched: { readonly bank: EmbeddingMatrix; readonly table: NeighbourTable } | null,
): { imageIds: number[]; pictures: Picture[]; features: PictureFeatures | null } {
  const imageIds: number[] = [];
  const pictures: Picture[] = [];
  for (let after = 0; ;) {
    const page = listImages(db, { after });
    for (const { id, contentHash, perceptualHash, width, height, problem, missingSince } of page) {
      after = id;
      if (problem !== null || missingSince !== null) continue;
      imageIds.push(id);
      pictures.push({
        contentHash,
        perceptualHash,
        labelId: labels.get(id) ?? null,
        pixels: (width ?? 0) * (height ?? 0),
      });
    }
    if (page.length < pageSize) break;
  }
  return {
    imageIds,
    pictures,
    features: searched === null ? null : featuresOf(imageIds, searched.bank, searched.table),
  };
}

function featuresOf(
  imageIds: readonly number[],
  { matrix, width, imageIds: embedded }: EmbeddingMatrix,
  table: NeighbourTable,
): PictureFeatures {
  const rowOfImage = new Map(embedded.map((imageId, row) => [imageId, row]));
  return {
    rows: Int32Array.from(imageIds, (imageId) => rowOfImage.get(imageId) ?? -1),
    table,
    similarity: (first, second) => {
      let sum = 0;
      const [a, b] = [first * width, second * width];
      // Both are inside: rows come from the map above.
      for (let i = 0; i < width; i++) sum += (matrix[a + i] as number) * (matrix[b + i] as number);
      return sum;
    },
  };
}
