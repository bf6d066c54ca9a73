import sharp from "sharp";
import { replaceClustering } from "../core/library/clusters.ts";
import { insertEmbeddings } from "../core/library/embeddings.ts";
import { upsertImages } from "../core/library/image-changes.ts";
import { createLabels } from "../core/library/label-changes.ts";
import { replaceMap } from "../core/library/maps.ts";
import { insertModel } from "../core/library/models.ts";
import { openLibrary } from "../core/library/open.ts";
import { ensureSource } from "../core/library/sources.ts";
import { replaceSuggestions } from "../core/library/suggestions.ts";
import { putThumbnails } from "../core/library/thumbnails.ts";
import { createRandom, type Random } from "../core/util/random.ts";

/** What a large library is made of, beside images and a map. */
export interface LargeLibrary {
  readonly images: number;
  /** Numbers of an embedding. */
  readonly width?: number;
  /** Whether each image has a suggestion. */
  readonly suggestions?: boolean;
}

/** A million thumbnails would be 10 GB. */
const mostThumbnails = 100_000;
const labelCount = 200;
const clusterCount = 300;
/** Of each suggestion. */
const voters = 20;

const hashOf = (at: number): string => (at + 1).toString(16).padStart(8, "0").padEnd(64, "0");

/**
 * Makes a library with everything that the page looks at, written straight into its tables: images with thumbnails (64
 * different ones), 200 labels, a model with embeddings and suggestions, 300 clusters and a map of as many clouds. No
 * image is labelled, and no picture file is there.
 */
export async function makeLargeLibrary(
  folder: string,
  { images, width = 384, suggestions = true }: LargeLibrary,
): Promise<void> {
  const random = createRandom(1);
  const looks = await drawThumbnails(random);
  const library = openLibrary(folder, { mode: "write", holder: "bench" });
  const { db } = library;
  const source = ensureSource(db, "/synthetic");
  const all = Array.from({ length: images }, (_, at) => at);
  const lookOf = (at: number) => looks[at % looks.length] ?? { width: 1, webp: new Uint8Array() };
  const ids = inParts(all, (part) =>
    upsertImages(
      db,
      part.map((at) => ({
        sourceId: source.id,
        path: `shelf-${String(random.integer(1000)).padStart(4, "0")}/photo-${at}.jpg`,
        byteSize: 1,
        modifiedAt: random.integer(2 ** 31),
        contentHash: hashOf(at),
        format: "jpeg",
        width: lookOf(at).width,
        height: 192,
        perceptualHash: "0000000000000000",
        problem: null,
      })),
    ),
  );
  inParts(all.slice(0, mostThumbnails), (part) => {
    putThumbnails(
      library.thumbnails,
      part.map((at) => ({ contentHash: hashOf(at), webp: lookOf(at).webp })),
    );
    return [];
  });
  const model = insertModel(db, {
    name: "model",
    kind: "vit",
    file: "models/model.safetensors",
    hash: hashOf(1),
    architecture: null,
    imageSize: 224,
    width,
    trained: true,
    foreground: null,
    provenance: { source: "random", format: "random", sourceHash: null, notes: {} },
    createdAt: 1,
  });
  const { result: labels } = createLabels(
    db,
    Array.from({ length: labelCount }, (_, at) => [`label ${at}`]),
  );
  inParts(ids, (part) => {
    insertEmbeddings(
      db,
      model.id,
      part.map((imageId) => ({ imageId, vector: direction(random, width) })),
    );
    return [];
  });
  if (suggestions) {
    const votersFor = labels.map(({ id: labelId }) =>
      ids.slice(0, voters).map((imageId) => ({ imageId, labelId, similarity: 0.5 })),
    );
    const suggested = ids.map((imageId) => {
      const at = random.integer(labels.length);
      const confidence = random.integer(1001) / 1000;
      return {
        imageId,
        labelId: labels[at]?.id ?? 1,
        share: 1,
        confidence,
        confidenceLow: confidence / 2,
        confidenceHigh: (1 + confidence) / 2,
        abstained: confidence < 0.5,
        voters: votersFor[at] ?? [],
      };
    });
    replaceSuggestions(db, model.id, suggested);
  }
  const clusterOf = ids.map(() => random.integer(clusterCount));
  const members = Array.from({ length: clusterCount }, (): number[] => []);
  ids.forEach((id, at) => members[clusterOf[at] ?? 0]?.push(id));
  replaceClustering(
    db,
    { modelId: model.id, method: "k-means", settings: {}, createdAt: 1 },
    members.map((own) => ({
      centre: direction(random, width),
      members: own.map((imageId) => ({ imageId, similarity: random.integer(1000) / 1000, margin: 0 })),
    })),
  );
  const middles = members.map(() => ({ x: random.uniform(0, 40), y: random.uniform(0, 40) }));
  replaceMap(
    db,
    { modelId: model.id, settings: {}, createdAt: 1 },
    ids.map((imageId, at) => {
      const { x, y } = middles[clusterOf[at] ?? 0] ?? { x: 0, y: 0 };
      return { imageId, x: x + random.normal(), y: y + random.normal(), placed: false };
    }),
  );
  library.close();
}

/** Calls `work` for 10,000 at a time, so that what it makes of them is not there all at once. */
function inParts<From, To>(values: readonly From[], work: (part: readonly From[]) => To[]): To[] {
  const made: To[] = [];
  for (let start = 0; start < values.length; start += 10_000) {
    for (const one of work(values.slice(start, start + 10_000))) made.push(one);
  }
  return made;
}

function direction(random: Random, width: number): Float32Array {
  const vector = Float32Array.from({ length: width }, () => random.integer(2001) - 1000);
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

/** Blots of colour, 192 pixels tall, some 5 kB each. */
function drawThumbnails(random: Random): Promise<{ width: number; webp: Buffer }[]> {
  return Promise.all(
    Array.from({ length: 64 }, async () => {
      const width = 160 + random.integer(96);
      const pixels = Uint8Array.from({ length: 3 * 32 * 24 }, () => random.integer(256));
      const raw = sharp(pixels, { raw: { width: 32, height: 24, channels: 3 } });
      return { width, webp: await raw.resize(width, 192, { kernel: "cubic", fit: "fill" }).webp().toBuffer() };
    }),
  );
}
