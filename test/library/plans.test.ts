import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { annotationStatements } from "../../core/library/annotations.ts";
import { checkpointStatements } from "../../core/library/checkpoints.ts";
import { clusterStatements } from "../../core/library/clusters.ts";
import { mapStatements } from "../../core/library/maps.ts";
import { attentionStatements } from "../../core/library/attention.ts";
import { connectionOf } from "../../core/library/database.ts";
import type { AnyReader } from "../../core/library/database.ts";
import { embeddingStatements } from "../../core/library/embeddings.ts";
import { findingStatements } from "../../core/library/findings.ts";
import { foregroundStatements } from "../../core/library/foreground.ts";
import { imageColumnStatements } from "../../core/library/image-columns.ts";
import { rejectionStatements } from "../../core/library/rejections.ts";
import { imageChangeStatements } from "../../core/library/image-changes.ts";
import { imageStatements } from "../../core/library/images.ts";
import { jobStatements } from "../../core/library/jobs.ts";
import { labelStatements } from "../../core/library/labels.ts";
import { maskStatements } from "../../core/library/masks.ts";
import { modelStatements } from "../../core/library/models.ts";
import { openLibrary } from "../../core/library/open.ts";
import type { Library } from "../../core/library/open.ts";
import { operationStatements } from "../../core/library/operations.ts";
import { probeSetStatements } from "../../core/library/probe-sets.ts";
import { runMetricStatements } from "../../core/library/run-metrics.ts";
import { runStatements } from "../../core/library/runs.ts";
import { sourceStatements } from "../../core/library/sources.ts";
import { suggestionStatements } from "../../core/library/suggestions.ts";
import { thumbnailLibraryStatements, thumbnailStatements } from "../../core/library/thumbnails.ts";
import { undoableSql } from "../../core/library/undoable.ts";

/** Tables that grow with the library; of the others a library has tens of rows. */
const bigTables =
  "images|annotations|masks|mask_scores|embeddings|attention|suggestions|operation_changes|operations|thumbnails|memberships|clusters|map_points|checkpoints|foreground_embeddings|run_metrics|run_probes|run_attention";

/** The steps of SQLite's plan for the very text that runs. */
function planOf(db: AnyReader, sql: string): string[] {
  // Unbound parameters are NULL, which is all that EXPLAIN needs; better-sqlite3 asks for values all the same.
  const names = [...sql.matchAll(/:(\w+)/g)].map(([, name]) => [name ?? "", null] as const);
  const marks = new Array<null>([...sql.matchAll(/\?/g)].length).fill(null);
  const parameters = names.length > 0 ? Object.fromEntries(names) : marks;
  const rows = connectionOf(db).prepare(`EXPLAIN QUERY PLAN ${sql}`).all(parameters) as { detail: string }[];
  return rows.map(({ detail }) => detail);
}

/** What the plan of each hot statement must name; by type, none can be left out. */
const images: Record<keyof typeof imageStatements, string> = {
  byId: "INTEGER PRIMARY KEY",
  byIds: "INTEGER PRIMARY KEY",
  byPath: "INDEX images_path (source_id=? AND path=?)",
  byName: "INDEX images_name (name=?)",
  page: "INTEGER PRIMARY KEY (rowid>?)",
  filesOfSource: "INDEX images_path (source_id=? AND path>?)",
  byContentHash: "INDEX images_content_hash (content_hash=?)",
  // SQLite never calls an index on a computed column covering, but reads no row here: it seeks only when it needs one.
  countByState: "INDEX images_state (state=?)",
  countByStateOfSource: "INDEX images_source_state (source_id=? AND state=?)",
  withoutEmbedding: "INDEX images_state (state=? AND rowid>?)",
  countWithoutEmbedding: "COVERING INDEX embeddings_model_image (model_id=? AND image_id=?)",
  unlabelled: "COVERING INDEX embeddings_model_image (model_id=? AND image_id>?)",
};
const imageChanges: Record<Exclude<keyof typeof imageChangeStatements, "insert">, string> = {
  updateContent: "INTEGER PRIMARY KEY",
  updatePath: "INTEGER PRIMARY KEY",
  parkPath: "INTEGER PRIMARY KEY",
  markMissing: "INTEGER PRIMARY KEY",
  markFound: "INTEGER PRIMARY KEY",
  deleteEmbeddings: "INDEX embeddings_image (image_id=?)",
  deleteSuggestions: "INDEX suggestions_image (image_id=?)",
  deleteMask: "INTEGER PRIMARY KEY",
  deleteMaskScore: "INTEGER PRIMARY KEY",
  contentHash: "INTEGER PRIMARY KEY",
};
const annotations: Record<keyof typeof annotationStatements, string> = {
  ofImages: "INTEGER PRIMARY KEY",
  ofLabel: "INDEX annotations_label (label_id=? AND rowid>?)",
  all: "SCAN annotations",
  countOfLabel: "COVERING INDEX annotations_label (label_id=?)",
  knownImages: "INTEGER PRIMARY KEY",
  knownLabels: "INTEGER PRIMARY KEY",
};
const embeddings: Record<Exclude<keyof typeof embeddingStatements, "upsert">, string> = {
  all: "INDEX embeddings_model_image (model_id=?)",
  labelled: "INDEX embeddings_model_image (model_id=?)",
  unlabelled: "INDEX embeddings_model_image (model_id=?)",
  ofImages: "INDEX embeddings_model_image (model_id=? AND image_id=?)",
  modelsOfImage: "INDEX embeddings_image (image_id=?)",
  any: "COVERING INDEX embeddings_model_image (model_id=?)",
  countAll: "COVERING INDEX embeddings_model_image (model_id=?)",
  countLabelled: "COVERING INDEX embeddings_model_image (model_id=?)",
  countUnlabelled: "COVERING INDEX embeddings_model_image (model_id=?)",
};
const attention: Record<Exclude<keyof typeof attentionStatements, "insert">, string> = {
  ofImage: "INDEX attention_model_image (model_id=? AND image_id=?)",
  delete: "INDEX attention_model_image (model_id=? AND image_id=?)",
};
const suggestions: Record<Exclude<keyof typeof suggestionStatements, "insert">, string> = {
  byConfidence: "INDEX suggestions_confidence (model_id=? AND confidence<?)",
  ofLabel: "INDEX suggestions_label (model_id=? AND label_id=? AND confidence<?)",
  confidences: "INDEX suggestions_confidence (model_id=?)",
  ofImage: "INDEX suggestions_model_image (model_id=? AND image_id=?)",
  countByLabel: "COVERING INDEX suggestions_label (model_id=?)",
  isOpen: "INDEX suggestions_model_image (model_id=? AND image_id=?)",
  deleteOfModel: "INDEX suggestions_model_image (model_id=?)",
  deleteOfImage: "INDEX suggestions_image (image_id=?)",
};
const masks: Record<Exclude<keyof typeof maskStatements, "put" | "putScore" | "putHead">, string> = {
  ofImages: "INTEGER PRIMARY KEY",
  edited: "INDEX masks_edited (edited=? AND image_id>?)",
  countEdited: "COVERING INDEX masks_edited (edited=?)",
  unmade: "INDEX images_state (state=? AND rowid>?)",
  countUnmade: "INDEX images_state (state=?)",
  scoreOf: "INTEGER PRIMARY KEY",
  dropScore: "INTEGER PRIMARY KEY",
  head: "INDEX sqlite_autoindex_foreground_heads_1 (model_hash=? AND size=?)",
};
const clusters: Record<Exclude<keyof typeof clusterStatements, `insert${string}`>, string> = {
  clustering: "INTEGER PRIMARY KEY",
  clusters: "COVERING INDEX memberships_typical (cluster_id=?)",
  byId: "COVERING INDEX memberships_typical (cluster_id=?)",
  typical: "INDEX memberships_typical (cluster_id=?)",
  borderline: "INDEX memberships_borderline (cluster_id=?)",
  ofImage: "INDEX memberships_model_image (model_id=? AND image_id=?)",
  memberships: "INDEX memberships_model_image (model_id=?)",
  labels: "INDEX memberships_model_image (model_id=?)",
  suggested: "INDEX suggestions_model_image (model_id=? AND image_id=?)",
  deleteClustering: "INTEGER PRIMARY KEY",
  forgetOperations: "INDEX operations_kind (kind=?)",
  known: "COVERING INDEX embeddings_model_image (model_id=? AND image_id=?)",
};
const maps: Record<Exclude<keyof typeof mapStatements, `insert${string}`>, string> = {
  map: "INTEGER PRIMARY KEY",
  countPoints: "COVERING INDEX map_points_model_image (model_id=?)",
  points: "INDEX map_points_model_image (model_id=?)",
  columns: "INDEX map_points_model_image (model_id=?)",
  deleteMap: "INTEGER PRIMARY KEY",
  known: "COVERING INDEX embeddings_model_image (model_id=? AND image_id=?)",
};
const checkpoints: Record<Exclude<keyof typeof checkpointStatements, "put">, string> = {
  get: "INDEX checkpoints_part (model_id=? AND kind=? AND part=?)",
  fingerprint: "INDEX checkpoints_part (model_id=? AND kind=? AND part=?)",
  deleteFrom: "INDEX checkpoints_part (model_id=? AND kind=? AND part>?)",
};
const operations: Record<Exclude<keyof typeof operationStatements, "insert" | "insertChange">, string> = {
  byId: "INTEGER PRIMARY KEY",
  history: "SCAN operations",
  newestDone: "INDEX operations_state (state=?)",
  oldestUndone: "INDEX operations_state (state=?)",
  setCount: "INTEGER PRIMARY KEY",
  setState: "INTEGER PRIMARY KEY",
  delete: "INTEGER PRIMARY KEY",
  discardUndone: "INDEX operations_state (state=?)",
  changes: "PRIMARY KEY (operation_id=?)",
  changesBackwards: "PRIMARY KEY (operation_id=?)",
};
const labels: Record<keyof typeof labelStatements, string> = {
  byId: "INTEGER PRIMARY KEY",
  byName: "INDEX labels_name (<expr>=? AND name=?)",
  children: "INDEX labels_parent (parent_id=?)",
  withCounts: "COVERING INDEX annotations_label (label_id=?)",
  all: "INDEX labels_parent",
};
const findings: Record<Exclude<keyof typeof findingStatements, "insert">, string> = {
  ofKind: "INDEX check_findings_position (kind=?)",
  deleteOfKind: "INDEX check_findings_position (kind=?)",
  dismissed: "INDEX check_dismissals_subject (kind=? AND subject=?)",
};
const foreground: Record<Exclude<keyof typeof foregroundStatements, "put">, string> = {
  unmade: "INDEX images_state (state=? AND rowid>?)",
  countUnmade: "INDEX foreground_embeddings_model_image (model_id=? AND image_id=?)",
  countStale: "INDEX foreground_embeddings_model_image (model_id=?)",
};
const runs: Record<Exclude<keyof typeof runStatements, "insert">, string> = {
  byId: "INTEGER PRIMARY KEY",
  list: "SCAN runs",
  ofModel: "INDEX runs_model (model_id=?)",
  resume: "INTEGER PRIMARY KEY",
  restore: "INTEGER PRIMARY KEY",
  setSettings: "INTEGER PRIMARY KEY",
  saved: "INTEGER PRIMARY KEY",
  finish: "INTEGER PRIMARY KEY",
  become: "INTEGER PRIMARY KEY",
  forgetCheckpoint: "INTEGER PRIMARY KEY",
  stopAbandoned: "INDEX runs_state (state=?)",
};
const probeSets: Record<keyof typeof probeSetStatements, string> = {
  find: "INTEGER PRIMARY KEY",
  save: "INTEGER PRIMARY KEY",
};
const metrics: Record<Exclude<keyof typeof runMetricStatements, `insert${string}`>, string> = {
  deleteFrom: "PRIMARY KEY (run_id=? AND iteration>?)",
  page: "PRIMARY KEY (run_id=? AND iteration>?)",
  latest: "PRIMARY KEY (run_id=?)",
  deleteProbesFrom: "INDEX run_probes_iteration (run_id=? AND iteration>?)",
  probes: "INDEX run_probes_iteration (run_id=?)",
  probe: "COVERING INDEX run_probes_iteration (run_id=? AND iteration=?)",
  attention: "INDEX run_attention_probe (probe_id=?)",
  knownImage: "INTEGER PRIMARY KEY",
};
const imageColumns: Record<keyof typeof imageColumnStatements, string> = {
  images: "SCAN images",
  byName: "COVERING INDEX images_path",
  annotations: "SCAN annotations",
  masks: "SCAN masks",
  suggestions: "COVERING INDEX suggestions_columns (model_id=?)",
  memberships: "INDEX memberships_model_image (model_id=?)",
  embedded: "COVERING INDEX embeddings_model_image (model_id=?)",
  withText: "SCAN images",
  countAnnotations: "SCAN annotations",
  countMasks: "COVERING INDEX masks_edited",
  contentHash: "INTEGER PRIMARY KEY",
};
const small: Record<string, string> = {
  [rejectionStatements.known]: "COVERING INDEX suggestion_rejections_pair (image_id=? AND label_id=?)",
  [jobStatements.stopAbandoned]: "INDEX jobs_state (state=?)",
  [jobStatements.paused]: "INDEX jobs_state (state=?)",
  [jobStatements.byId]: "INTEGER PRIMARY KEY",
  [jobStatements.parameters]: "INTEGER PRIMARY KEY",
  [sourceStatements.byFolder]: "INDEX sqlite_autoindex_sources_1 (folder=?)",
  [modelStatements.byName]: "INDEX sqlite_autoindex_models_1 (name=?)",
  [thumbnailLibraryStatements.referenced]: "COVERING INDEX images_content_hash (content_hash=?)",
};
const thumbnails: Record<Exclude<keyof typeof thumbnailStatements, "put">, string> = {
  get: "INDEX thumbnails_content_hash (content_hash=?)",
  present: "COVERING INDEX thumbnails_content_hash (content_hash=?)",
  page: "COVERING INDEX thumbnails_content_hash (content_hash>?)",
  delete: "INDEX thumbnails_content_hash (content_hash=?)",
};

type Case = readonly [name: string, sql: string, expected: string];

function cases(
  table: string,
  statements: Readonly<Record<string, string>>,
  expected: Readonly<Record<string, string>>,
): Case[] {
  return Object.entries(expected).map(([name, plan]) => [`${table}.${name}`, statements[name] ?? "", plan] as const);
}

const libraryCases: readonly Case[] = [
  ...cases("images", imageStatements, images),
  ...cases("image changes", imageChangeStatements, imageChanges),
  ...cases("annotations", annotationStatements, annotations),
  ...cases("embeddings", embeddingStatements, embeddings),
  ...cases("attention", attentionStatements, attention),
  ...cases("suggestions", suggestionStatements, suggestions),
  ...cases("masks", maskStatements, masks),
  ...cases("clusters", clusterStatements, clusters),
  ...cases("maps", mapStatements, maps),
  ...cases("checkpoints", checkpointStatements, checkpoints),
  ...cases("operations", operationStatements, operations),
  ...cases("labels", labelStatements, labels),
  ...cases("findings", findingStatements, findings),
  ...cases("foreground", foregroundStatements, foreground),
  ...cases("image columns", imageColumnStatements, imageColumns),
  ...cases("runs", runStatements, runs),
  ...cases("probe sets", probeSetStatements, probeSets),
  ...cases("run metrics", runMetricStatements, metrics),
  ...Object.entries(small).map(([sql, expected]) => [sql.slice(0, 40), sql, expected] as const),
  ...Object.entries(undoableSql).flatMap(([table, { select, update, delete: remove }]) =>
    [select, update, remove].map(
      (sql) => [`undoable ${table}: ${sql.slice(0, 6)}`, sql, "INTEGER PRIMARY KEY"] as const,
    ),
  ),
];

/** Asked for every row in the order of the table itself: a scan is what the question is, and it stops at its LIMIT. */
const meantToScan = new Set<string>([
  annotationStatements.all,
  operationStatements.history,
  ...Object.values(imageColumnStatements),
]);

function expectPlan(db: AnyReader, sql: string, expected: string): void {
  const plan = planOf(db, sql);
  expect(plan.join("\n")).toContain(expected);
  expect(plan.filter((step) => step.includes("TEMP B-TREE"))).toEqual([]);
  if (meantToScan.has(sql)) return;
  expect(plan.filter((step) => new RegExp(`^SCAN (${bigTables})\\b`).test(step))).toEqual([]);
}

let library: Library;
beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-plans-"));
  library = openLibrary(folder, { mode: "write" });
  return () => {
    library.close();
    rmSync(folder, { recursive: true });
  };
});

describe("query plans", () => {
  test.each(libraryCases)("%s finds its rows by index, without sorting", (_, sql, expected) => {
    expectPlan(library.db, sql, expected);
  });

  test.each(cases("thumbnails", thumbnailStatements, thumbnails))("%s finds its rows by index", (_, sql, expected) => {
    expectPlan(library.thumbnails, sql, expected);
  });

  test("the check for scans notices one", () => {
    const { db } = library;
    expect(planOf(db, "SELECT id FROM images WHERE byte_size = ?")).toEqual(["SCAN images"]);
    expect(planOf(db, "SELECT id FROM images ORDER BY byte_size").join()).toContain("TEMP B-TREE");
  });

  test("every foreign key has an index of its own, so that no deletion scans", () => {
    const connection = connectionOf(library.db);
    const tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all() as string[];
    const uncovered = tables.flatMap((table) => {
      const keys = connection.pragma(`foreign_key_list(${table})`) as { id: number; seq: number; from: string }[];
      const byKey = Map.groupBy(keys, ({ id }) => id);
      const info = connection.pragma(`table_info(${table})`) as { name: string; pk: number }[];
      const indexes = connection.pragma(`index_list(${table})`) as { name: string; partial: number }[];
      const leads = indexes
        .filter(({ partial }) => partial === 0)
        .map(({ name }) =>
          (connection.pragma(`index_info(${name})`) as { name: string | null }[]).map((column) => column.name),
        );
      leads.push(info.filter(({ pk }) => pk > 0).map(({ name }) => name));
      return [...byKey.values()]
        .map((columns) => columns.toSorted((a, b) => a.seq - b.seq).map(({ from }) => from))
        .filter((columns) => !leads.some((lead) => columns.every((column, i) => lead[i] === column)))
        .map((columns) => `${table}(${columns.join(", ")})`);
    });
    expect(tables).toContain("annotations");
    expect(uncovered).toEqual([]);
  });
});
