/** The curves of pretraining runs: what each iteration measured, and what the teacher could do at some of them. */
import type { RunAttention, RunMetrics, RunProbe } from "../rpc/records.ts";
import type { RunPoint } from "../rpc/views.ts";
import { attentionOfRow } from "./attention.ts";
import { all, get, run, transaction } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import { count, integer, orNull, real, share } from "./rows.ts";
import { bytesOf } from "./vectors.ts";

export const runMetricStatements = {
  insert: `INSERT INTO run_metrics (run_id, iteration, loss, teacher_entropy, divergence, gradient_norm,
      largest_gradient_norm, centre_norm, cls_deviation, prototypes_used, learning_rate, weight_decay, teacher_momentum,
      teacher_temperature, milliseconds)
    VALUES (:runId, :iteration, :loss, :teacherEntropy, :divergence, :gradientNorm, :largestGradientNorm, :centreNorm,
      :clsDeviation, :prototypesUsed, :learningRate, :weightDecay, :teacherMomentum, :teacherTemperature, :milliseconds)`,
  deleteFrom: "DELETE FROM run_metrics WHERE run_id = ? AND iteration >= ?",
  page: "SELECT * FROM run_metrics WHERE run_id = ? AND iteration >= ? ORDER BY iteration LIMIT ?",
  latest: "SELECT * FROM run_metrics WHERE run_id = ? ORDER BY iteration DESC LIMIT ?",
  insertProbe: `INSERT INTO run_probes (run_id, iteration, self_retrieval, self_retrieval_count, accuracy,
      accuracy_count, pictures_since, labels_since, created_at)
    VALUES (:runId, :iteration, :selfRetrieval, :selfRetrievalCount, :accuracy, :accuracyCount, :picturesSince,
      :labelsSince, :createdAt)`,
  deleteProbesFrom: "DELETE FROM run_probes WHERE run_id = ? AND iteration >= ?",
  probes: "SELECT * FROM run_probes WHERE run_id = ? ORDER BY iteration",
  probe: "SELECT id FROM run_probes WHERE run_id = ? AND iteration = ?",
  insertAttention: `INSERT INTO run_attention (probe_id, image_id, heads, "rows", columns, scales, data)
    VALUES (:probeId, :imageId, :heads, :rows, :columns, :scales, :data)`,
  attention: `SELECT image_id, heads, "rows", columns, scales, data FROM run_attention WHERE probe_id = ? ORDER BY id`,
  knownImage: "SELECT 1 FROM images WHERE id = ?",
} as const;

const sql = runMetricStatements;
const nullableShare = orNull(share);

function metricsOf(row: Row): RunMetrics {
  const cell = (column: string): number => real("run_metrics", row, column);
  return {
    iteration: count("run_metrics", row, "iteration"),
    loss: cell("loss"),
    teacherEntropy: cell("teacher_entropy"),
    divergence: cell("divergence"),
    gradientNorm: cell("gradient_norm"),
    largestGradientNorm: cell("largest_gradient_norm"),
    centreNorm: cell("centre_norm"),
    clsDeviation: cell("cls_deviation"),
    prototypesUsed: count("run_metrics", row, "prototypes_used"),
    learningRate: cell("learning_rate"),
    weightDecay: cell("weight_decay"),
    teacherMomentum: cell("teacher_momentum"),
    teacherTemperature: cell("teacher_temperature"),
    milliseconds: cell("milliseconds"),
  };
}

/** Adds metrics of a run, all or none. Every number must be finite. */
export function insertRunMetrics(db: Writer, runId: number, metrics: readonly RunMetrics[]): void {
  transaction(db, () => {
    for (const values of metrics) run(db, sql.insert, { runId, ...values });
  });
}

/** Forgets metrics and probes from an iteration on, which a run that resumes will give again. */
export function deleteRunMetrics(db: Writer, runId: number, from: { metrics: number; probes: number }): void {
  transaction(db, () => {
    run(db, sql.deleteFrom, [runId, from.metrics]);
    run(db, sql.deleteProbesFrom, [runId, from.probes]);
  });
}

/** Metrics of a run in order from iteration `from` on, a page at a time. */
export function runMetrics(db: Reader, runId: number, { from = 0, limit = 10_000 } = {}): RunMetrics[] {
  return all(db, sql.page, [runId, from, limit]).map(metricsOf);
}

/** The last `limit` metrics of a run, in order. */
export function latestRunMetrics(db: Reader, runId: number, limit: number): RunMetrics[] {
  return all(db, sql.latest, [runId, limit]).map(metricsOf).reverse();
}

/** The curves of a run in stretches of `step` iterations: the mean of each, under its last iteration. */
export function runCurve(db: Reader, runId: number, step: number): RunPoint[] {
  const points: RunPoint[] = [];
  let stretch: RunMetrics[] = [];
  const close = (): void => {
    const last = stretch.at(-1);
    if (last !== undefined) points.push(meanOf(stretch, last.iteration));
    stretch = [];
  };
  for (let from = 0; ;) {
    const page = runMetrics(db, runId, { from });
    for (const metrics of page) {
      const [first] = stretch;
      if (first !== undefined && Math.floor(first.iteration / step) < Math.floor(metrics.iteration / step)) close();
      stretch.push(metrics);
    }
    const last = page.at(-1);
    if (last === undefined) break;
    from = last.iteration + 1;
  }
  close();
  return points;
}

function meanOf(stretch: readonly RunMetrics[], iteration: number): RunPoint {
  const mean = (value: (metrics: RunMetrics) => number): number =>
    stretch.reduce((sum, metrics) => sum + value(metrics), 0) / stretch.length;
  return {
    iteration,
    loss: mean(({ loss }) => loss),
    teacherEntropy: mean(({ teacherEntropy }) => teacherEntropy),
    divergence: mean(({ divergence }) => divergence),
    learningRate: mean(({ learningRate }) => learningRate),
  };
}

/** Adds what a probe found, with the attention of a few images. */
export function insertRunProbe(db: Writer, runId: number, probe: RunProbe, attention: readonly RunAttention[]): void {
  transaction(db, () => {
    const { iteration, picturesSince, labelsSince, createdAt } = probe;
    const { selfRetrieval, selfRetrievalCount, accuracy, accuracyCount } = probe;
    const values = {
      ...{ runId, iteration, picturesSince, labelsSince, createdAt },
      ...{ selfRetrieval, selfRetrievalCount, accuracy, accuracyCount },
    };
    const { rowId: probeId } = run(db, sql.insertProbe, values);
    for (const { imageId, heads, rows, columns, scales, data } of attention) {
      // The image may have been removed meanwhile.
      if (get(db, sql.knownImage, [imageId]) === undefined) continue;
      run(db, sql.insertAttention, { probeId, imageId, heads, rows, columns, scales: bytesOf(scales), data });
    }
  });
}

/** What probes of a run found, in order. */
export function runProbes(db: Reader, runId: number): RunProbe[] {
  return all(db, sql.probes, [runId]).map((row) => ({
    iteration: count("run_probes", row, "iteration"),
    selfRetrieval: share("run_probes", row, "self_retrieval"),
    selfRetrievalCount: count("run_probes", row, "self_retrieval_count"),
    accuracy: nullableShare("run_probes", row, "accuracy"),
    accuracyCount: count("run_probes", row, "accuracy_count"),
    picturesSince: count("run_probes", row, "pictures_since"),
    labelsSince: count("run_probes", row, "labels_since"),
    createdAt: integer("run_probes", row, "created_at"),
  }));
}

/** Where the teacher looked at the probe of an iteration; empty where there was none. */
export function runAttention(db: Reader, runId: number, iteration: number): RunAttention[] {
  const probe = get(db, sql.probe, [runId, iteration]);
  if (probe === undefined) return [];
  return all(db, sql.attention, [integer("run_probes", probe, "id")]).map((row) => ({
    imageId: integer("run_attention", row, "image_id"),
    ...attentionOfRow("run_attention", row),
  }));
}
