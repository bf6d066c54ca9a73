import type { WantedDevice } from "../engine/protocol.ts";
import type { Engine } from "../engine/supervisor.ts";
import { forEachMembership } from "../library/clusters.ts";
import type { Reader } from "../library/database.ts";
import { readEmbeddings } from "../library/embeddings.ts";
import { imagesByIds } from "../library/images.ts";
import { listLabels } from "../library/labels.ts";
import type { ReadLibrary } from "../library/open.ts";
import { suggestedLabels } from "../library/suggestions.ts";
import type { QueuedImage, QueueKind } from "../rpc/api.ts";
import type { Model } from "../rpc/records.ts";
import { farthestFirst, interleave, typicalFirst, uncertainFirst, type Candidate } from "../suggest/queues.ts";
import { CoreError } from "../util/errors.ts";
import { createRandom } from "../util/random.ts";
import { loadBank } from "./neighbours.ts";

export interface QueueOptions {
  readonly queue: QueueKind;
  readonly count: number;
  readonly device: WantedDevice;
}

/** Images that the farthest are looked for among; of more, these many drawn at random show the same variety. */
const maxDiverse = 20_000;

/** Taken beyond the count, since some of the files may be gone. */
const spare = 100;

type Queue = Exclude<QueueKind, "mixed">;

interface Queued extends Candidate {
  readonly queue: Queue;
}

/**
 * Images without a label in the order in which labelling them teaches most. `uncertain` needs suggestions, `typical`
 * clusters; `mixed` takes one of each in turn, of those that there are. Throws `embedding-missing`,
 * `suggestions-missing`, `clusters-missing`.
 */
export async function nextToLabel(
  { library, engine }: { readonly library: ReadLibrary; readonly engine: Engine },
  model: Model,
  { queue, count, device }: QueueOptions,
): Promise<QueuedImage[]> {
  const { db } = library;
  const wanted = count + spare;
  const labels = new Map<number, number>();
  const unlabelled = readEmbeddings(db, model.id, { labelled: false });
  const candidates = candidatesOf(db, model, unlabelled.imageIds, labels);
  if (candidates.length === 0) {
    throw new CoreError("embedding-missing", `${model.name} has embedded no image without a label.`, {
      hint: "Run `dinoscope embed`; or everything is labelled.",
    });
  }
  const tagged = (name: Queue, list: readonly Candidate[]): Queued[] => list.map((item) => ({ ...item, queue: name }));
  const makers: Record<Queue, () => Promise<Queued[]>> = {
    uncertain: () => Promise.resolve(tagged("uncertain", uncertainFirst(candidates, wanted))),
    typical: () => Promise.resolve(tagged("typical", typicalFirst(candidates, wanted))),
    diverse: async () => {
      const rows = sampled(candidates.length);
      const width = unlabelled.width;
      const matrix = new Float32Array(rows.length * width);
      rows.forEach((row, i) => matrix.set(unlabelled.matrix.subarray(row * width, (row + 1) * width), i * width));
      const near = await nearestLabelled(library, engine, model, matrix, device);
      return tagged(
        "diverse",
        farthestFirst(matrix, width, wanted, near).flatMap((i) => candidates[rows[i] ?? 0] ?? []),
      );
    },
  };
  const chosen =
    queue === "mixed"
      ? interleave([await makers.typical(), await makers.uncertain(), await makers.diverse()], wanted, (c) => c.imageId)
      : await makers[queue]();
  if (chosen.length === 0) throw emptyQueue(queue, model);
  return shown(db, chosen, labels).slice(0, count);
}

function emptyQueue(queue: QueueKind, { name }: Model): CoreError {
  return queue === "uncertain"
    ? new CoreError("suggestions-missing", `There are no suggestions by ${name} to be uncertain of.`, {
        hint: "Run `dinoscope suggest` first.",
      })
    : new CoreError("clusters-missing", `No image without a label is in a cluster of ${name}.`, {
        hint: "Run `dinoscope cluster` first.",
      });
}

/** Images with what suggestions and clusters say of them; `labels` gets the suggested label of each. */
function candidatesOf(db: Reader, model: Model, imageIds: readonly number[], labels: Map<number, number>): Candidate[] {
  const confidences = new Map<number, number>();
  for (const { imageId, labelId, confidence } of suggestedLabels(db, model.id)) {
    confidences.set(imageId, confidence);
    labels.set(imageId, labelId);
  }
  const memberships = new Map<number, { clusterId: number; similarity: number }>();
  forEachMembership(db, model.id, ({ imageId, clusterId, similarity }) => {
    memberships.set(imageId, { clusterId, similarity });
  });
  return imageIds.map((imageId) => {
    const { clusterId = null, similarity = 0 } = memberships.get(imageId) ?? {};
    return { imageId, confidence: confidences.get(imageId) ?? null, clusterId, similarity };
  });
}

/** Rows to look among, in order: all of them, or as many as allowed, always the same ones. */
function sampled(count: number): number[] {
  const rows = Array.from({ length: count }, (_, row) => row);
  if (count <= maxDiverse) return rows;
  return createRandom(count)
    .shuffled(rows)
    .slice(0, maxDiverse)
    .sort((a, b) => a - b);
}

/** The cosine of each row with its nearest labelled image, or null where nothing is labelled. */
async function nearestLabelled(
  { db }: ReadLibrary,
  engine: Engine,
  model: Model,
  matrix: Float32Array,
  device: WantedDevice,
): Promise<ArrayLike<number> | null> {
  const labelled = readEmbeddings(db, model.id, { labelled: true });
  if (labelled.imageIds.length === 0) return null;
  const bank = await loadBank(engine, labelled, device);
  try {
    return (await bank.nearest(matrix, 1)).similarities;
  } finally {
    await bank.drop().catch(() => {});
  }
}

function shown(db: Reader, chosen: readonly Queued[], labels: ReadonlyMap<number, number>): QueuedImage[] {
  const names = new Map(listLabels(db).map(({ id, name }) => [id, name]));
  const images = new Map(
    imagesByIds(
      db,
      chosen.map(({ imageId }) => imageId),
    ).map((image) => [image.id, image]),
  );
  return chosen.flatMap(({ imageId, queue, confidence, clusterId }) => {
    const image = images.get(imageId);
    if (image === undefined || image.missingSince !== null) return [];
    return [{ image, queue, suggested: names.get(labels.get(imageId) ?? 0) ?? null, confidence, clusterId }];
  });
}
