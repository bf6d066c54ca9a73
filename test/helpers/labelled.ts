/** A library whose embeddings are directions in the plane, so that neighbours can be told by hand. */
import { join } from "node:path";
import { insertEmbeddings } from "../../core/library/embeddings.ts";
import { upsertImages } from "../../core/library/image-changes.ts";
import { insertModel } from "../../core/library/models.ts";
import type { Library } from "../../core/library/open.ts";
import { ensureSource } from "../../core/library/sources.ts";
import type { Model } from "../../core/rpc/records.ts";
import { hashOf, newImage, newModel } from "../library/support.ts";
import { annotate } from "./annotate.ts";

/** An image `NAME.jpg`. */
export interface Pictured {
  readonly name: string;
  /** Direction of its embedding, in degrees. */
  readonly angle: number;
  /** Its label, from the top of the tree down; none unless given. */
  readonly label?: readonly string[];
}

/** Adds images with embeddings of a new model and labels to a library; returns the model and the ids by name. */
export function addPictured(
  { db }: Library,
  pictures: readonly Pictured[],
): { model: Model; ids: ReadonlyMap<string, number> } {
  const source = ensureSource(db, join("/", "photos"));
  const images = upsertImages(
    db,
    pictures.map(({ name }, i) => newImage(source.id, `${name}.jpg`, { contentHash: hashOf(i + 1) })),
  );
  const ids = new Map(pictures.map(({ name }, i) => [name, images[i] ?? 0]));
  const model = insertModel(db, newModel("plane", 2));
  insertEmbeddings(
    db,
    model.id,
    pictures.map(({ name, angle }) => {
      const radians = (angle * Math.PI) / 180;
      return { imageId: ids.get(name) ?? 0, vector: Float32Array.of(Math.cos(radians), Math.sin(radians)) };
    }),
  );
  annotate(
    db,
    pictures.map(({ name, label = null }) => ({ imageId: ids.get(name) ?? 0, label })),
  );
  return { model, ids };
}
