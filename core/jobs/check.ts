import type { WantedDevice } from "../engine/protocol.ts";
import { forEachAnnotation } from "../library/annotations.ts";
import { countEmbeddings, readEmbeddings, type EmbeddingMatrix } from "../library/embeddings.ts";
import { replaceFindings } from "../library/findings.ts";
import type { CheckSummary } from "../rpc/api.ts";
import type { CheckKind, Finding, FoundImage, Model } from "../rpc/records.ts";
import { calibrate, confidenceOf } from "../suggest/calibrate.ts";
import { duplicateNeighbours, findDuplicates } from "../suggest/duplicates.ts";
import { leaveOneOutRecords } from "../suggest/evaluate.ts";
import { neighboursOf, type Neighbour, type NeighbourTable } from "../suggest/nearest.ts";
import { findOutliers, outlierNeighbours } from "../suggest/outliers.ts";
import { closestTwins } from "../suggest/twins.ts";
import { findWrongLabels, wrongLabelNeighbours } from "../suggest/wrong-labels.ts";
import { CoreError } from "../util/errors.ts";
import { readPictures } from "./check-pictures.ts";
import { everyRow, loadBank } from "./neighbours.ts";
import { runJob, type RunningJob, type Watch, type Workplace } from "./run.ts";

export interface CheckOptions {
  readonly kinds: readonly CheckKind[];
  readonly temperature: number;
  readonly device: WantedDevice;
}

/** Findings of a kind that are kept: nobody works through more of them before the next check. */
const keptFindings = 10_000;

/** Neighbours kept with a finding, to show why. */
const shownNeighbours = 10;

/** Images whose neighbours are searched for at a time, between two looks at the stop signal. */
const queryPage = 4096;

/** Embeddings, and each row's nearest others. */
interface Searched {
  readonly bank: EmbeddingMatrix;
  readonly table: NeighbourTable;
}

/** What a check looks at, made when it is first asked for. */
interface Material {
  readonly model: Model | null;
  readonly labels: ReadonlyMap<number, number>;
  /** The labelled images. Throws `labels-missing` without two labels to tell apart. */
  labelled(): Promise<Searched>;
  /** All embedded images. Throws `embedding-missing` without two. */
  all(): Promise<Searched>;
  readonly temperature: number;
}

interface Checked {
  readonly findings: readonly Finding[];
  /** Images that were looked at. */
  readonly examined: number;
}

type Check = (workplace: Workplace, material: Material) => Promise<Checked>;

/**
 * Looks for likely mistakes of the kinds asked for and stores what it found of each in the place of what an earlier check
 * found; what was dismissed stays dismissed. Nothing is changed beside. A kind that cannot be looked for yet (no model, no
 * labels) is left out with its reason, and where it was the only one asked for that reason is thrown: `model-missing`,
 * `embedding-missing`, `labels-missing`. Duplicates do without a model, by their hashes alone. Each kind is stored as soon
 * as it is done, so a check that was stopped has lost only the kind it was at.
 */
export async function checkLibrary(
  workplace: Workplace,
  model: Model | null,
  options: CheckOptions,
  watch: Watch = {},
): Promise<CheckSummary> {
  const { kinds } = options;
  return runJob(workplace, "check", { modelId: model?.id ?? null, ...options }, watch, async (job) => {
    const started = performance.now();
    const material = gather(workplace, job, model, options);
    const results: CheckSummary["checks"][number][] = [];
    for (const kind of kinds) {
      job.signal.throwIfAborted();
      try {
        const { findings, examined } = await checks[kind](workplace, material);
        job.signal.throwIfAborted();
        replaceFindings(workplace.library.db, kind, findings);
        const likely = findings.filter((finding) => finding.likely).length;
        results.push({ kind, examined, found: findings.length, likely, leftOut: null });
      } catch (error) {
        if (kinds.length === 1 || !(error instanceof CoreError) || !reasons.has(error.code)) throw error;
        results.push({ kind, examined: 0, found: 0, likely: 0, leftOut: error.message });
      }
    }
    return { model, checks: results, durationMs: performance.now() - started };
  });
}

/** Codes of errors that say what a check lacks, and nothing worse. */
const reasons = new Set(["model-missing", "embedding-missing", "labels-missing"]);

const checks: Readonly<Record<CheckKind, Check>> = {
  "wrong-labels": async (_, material) => {
    const { bank, table } = await material.labelled();
    const labels = labelsOf(bank, material);
    const { temperature } = material;
    const calibration = calibrate(leaveOneOutRecords(table, labels, temperature));
    const { list } = findWrongLabels(table, labels, { temperature, limit: keptFindings });
    const findings = list.map(({ row, own, suggested, score, likely, disagreeing }): Finding => {
      const { labelId, share } = suggested;
      const { confidence } = confidenceOf(calibration, labelId, share);
      return {
        kind: "wrong-labels",
        modelId: material.model?.id ?? null,
        images: [found(bank, material, row)],
        neighbours: foundNeighbours(bank, material, disagreeing),
        suggestion: { labelId, share, ownShare: own.share, confidence },
        score,
        likely,
      };
    });
    return { findings, examined: labels.length };
  },

  twins: async (_, material) => {
    const { bank, table } = await material.labelled();
    const twins = closestTwins(table, labelsOf(bank, material), keptFindings);
    const findings = twins.map(({ first, second, similarity }, rank): Finding => ({
      kind: "twins",
      modelId: material.model?.id ?? null,
      images: [found(bank, material, first), found(bank, material, second, similarity)],
      neighbours: [],
      suggestion: null,
      score: similarity,
      likely: rank < likelyTwins,
    }));
    return { findings, examined: bank.imageIds.length };
  },

  duplicates: async ({ library }, material) => {
    const searched = await material.all().catch((error: unknown) => {
      if (error instanceof CoreError && reasons.has(error.code)) return null;
      throw error;
    });
    const { imageIds, pictures, features } = readPictures(library.db, material.labels, searched);
    const groups = findDuplicates(pictures, features);
    const findings = groups.slice(0, keptFindings).map(({ members, closeness }): Finding => ({
      kind: "duplicates",
      modelId: searched === null ? null : (material.model?.id ?? null),
      images: members.map(({ picture, similarity, hashBits }) => {
        const imageId = imageIds[picture] ?? 0;
        return { imageId, labelId: material.labels.get(imageId) ?? null, similarity, hashBits };
      }),
      neighbours: [],
      suggestion: null,
      score: closeness,
      likely: true,
    }));
    return { findings, examined: pictures.length };
  },

  outliers: async (_, material) => {
    const { bank, table } = await material.all();
    const findings = findOutliers(table, keptFindings).map(({ row, deviation, likely }): Finding => ({
      kind: "outliers",
      modelId: material.model?.id ?? null,
      images: [found(bank, material, row)],
      neighbours: foundNeighbours(bank, material, neighboursOf(table, row).slice(0, outlierNeighbours)),
      suggestion: null,
      score: deviation,
      likely,
    }));
    return { findings, examined: bank.imageIds.length };
  },
};

/** Pairs of twins that are worth a look: there is no bound below which two labels may not look alike. */
const likelyTwins = 20;

function gather(
  { library, engine }: Workplace,
  job: RunningJob,
  model: Model | null,
  { kinds, device, temperature }: CheckOptions,
): Material {
  const { db } = library;
  const labels = new Map<number, number>();
  forEachAnnotation(db, ({ imageId, labelId }) => labels.set(imageId, labelId));
  const search = async (filter: { labelled?: boolean }, count: number): Promise<Searched> => {
    if (model === null) {
      throw new CoreError("model-missing", "This check needs a model that has embedded the pictures.", {
        hint: "Run `dinoscope models download dino-vits16` or `models import FILE`, then `dinoscope embed`.",
      });
    }
    const bank = readEmbeddings(db, model.id, filter);
    const rows = bank.imageIds.length;
    if (rows < 2) {
      throw new CoreError("embedding-missing", `${model.name} has embedded ${rows} of the pictures that are checked.`, {
        hint: "Run `dinoscope embed` first.",
      });
    }
    const report = job.phase("searching neighbours", rows);
    report(0);
    const loaded = await loadBank(engine, bank, device);
    try {
      const kept = Math.min(count, rows - 1);
      const indices = new Int32Array(rows * kept);
      const similarities = new Float32Array(rows * kept);
      const exclude = everyRow(rows);
      for (let start = 0; start < rows; start += queryPage) {
        job.signal.throwIfAborted();
        const end = Math.min(start + queryPage, rows);
        const queries = bank.matrix.subarray(start * bank.width, end * bank.width);
        const page = await loaded.nearest(queries, kept, exclude.subarray(start, end));
        indices.set(page.indices, start * kept);
        similarities.set(page.similarities, start * kept);
        report(end);
      }
      return { bank, table: { count: kept, indices, similarities } };
    } finally {
      await loaded.drop().catch(() => {});
    }
  };
  let labelled: Promise<Searched> | undefined;
  let all: Promise<Searched> | undefined;
  const searchAll = (count: number): Promise<Searched> => (all ??= search({}, count));
  // Where every embedded image is labelled, one search does for all kinds.
  const everyLabelled =
    model !== null && countEmbeddings(db, model.id) === countEmbeddings(db, model.id, { labelled: true });
  return {
    model,
    labels,
    temperature,
    labelled: () => {
      labelled ??= everyLabelled ? searchAll(wrongLabelNeighbours) : search({ labelled: true }, wrongLabelNeighbours);
      return labelled.then((searched) => {
        if (new Set(labelsOf(searched.bank, { labels })).size >= 2) return searched;
        throw new CoreError("labels-missing", "This check needs embedded images of two labels at least.", {
          hint: "Label a few images of each kind (`dinoscope labels import FILE`), then run `dinoscope embed`.",
        });
      });
    },
    all: async () => {
      const shared = everyLabelled && kinds.some((kind) => kind === "wrong-labels" || kind === "twins");
      const { bank, table } = await searchAll(shared ? wrongLabelNeighbours : duplicateNeighbours);
      return { bank, table: firstColumns(table, duplicateNeighbours) };
    },
  };
}

/** The nearest `count` of a table with more neighbours. */
function firstColumns({ count: columns, indices, similarities }: NeighbourTable, count: number): NeighbourTable {
  if (columns <= count) return { count: columns, indices, similarities };
  const kept = (_: number, slot: number): boolean => slot % columns < count;
  return { count, indices: indices.filter(kept), similarities: similarities.filter(kept) };
}

function labelsOf(bank: EmbeddingMatrix, { labels }: Pick<Material, "labels">): Int32Array {
  return Int32Array.from(bank.imageIds, (imageId) => labels.get(imageId) ?? -1);
}

function found(bank: EmbeddingMatrix, { labels }: Material, row: number, similarity: number | null = null): FoundImage {
  const imageId = bank.imageIds[row] ?? 0;
  return { imageId, labelId: labels.get(imageId) ?? null, similarity, hashBits: null };
}

function foundNeighbours(bank: EmbeddingMatrix, material: Material, neighbours: readonly Neighbour[]): FoundImage[] {
  return neighbours.slice(0, shownNeighbours).map(({ index, similarity }) => found(bank, material, index, similarity));
}
