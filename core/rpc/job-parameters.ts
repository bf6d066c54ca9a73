/** What each kind of job is asked to do. Stored with the job, so that a stopped one can go on as it was asked. */
import * as v from "valibot";
import type {
  CheckSummary,
  ClusterSummary,
  EmbedSummary,
  ExportSummary,
  ImportSummary,
  IngestSummary,
  LabelsSummary,
  MapSummary,
  MaskImportSummary,
  MasksSummary,
  PretrainSummary,
  SuggestSummary,
} from "./api.ts";
import { pretrainChoice } from "./pretrain-choice.ts";
import { device, id, ids, imageFilter, maskChoice, modelId, path, seed, share, whole, words } from "./schemas.ts";
import type { Model } from "./records.ts";

/** The names of core/exports/formats.ts; `exports.formats` says what each holds. */
export const exportFormatNames = [
  "csv",
  "jsonl",
  "folders",
  "coco",
  "coco-polygon",
  "yolo-segment",
  "yolo-detect",
  "yolo-classify",
  "voc",
  "masks-binary",
  "masks-index",
  "masks-soft",
  "npy",
  "parquet",
  "huggingface",
  "fiftyone",
] as const;

export type ExportFormatName = (typeof exportFormatNames)[number];

/** What an export holds; also what `exports.preview` counts. */
export const exportChoice = v.strictObject({
  format: v.picklist(exportFormatNames),
  scope: v.optional(
    v.variant("kind", [
      v.strictObject({ kind: v.literal("labelled") }),
      v.strictObject({ kind: v.literal("all") }),
      v.strictObject({ kind: v.literal("suggested"), confidence: share }),
      /** What a filter lets through when the export begins, labelled or not. */
      v.strictObject({ kind: v.literal("filter"), filter: imageFilter }),
      v.strictObject({ kind: v.literal("images"), imageIds: ids }),
    ]),
    { kind: "labelled" },
  ),
  /** Shares of train, val and test, which add up to 1; null for no split. */
  split: v.optional(v.nullable(v.tuple([share, share, share])), null),
  seed: v.optional(seed, 0),
  /** Images without a mask count as one thing that fills the picture. */
  wholeImages: v.optional(v.boolean(), false),
  modelId,
});

/** The parameters of every kind of job that the page can start. */
export const jobParameters = {
  /** Takes a folder in, or looks at it again; or draws the sample pictures and takes those in. */
  ingest: v.union([
    v.strictObject({ folder: path, labelsFromFolders: v.optional(v.boolean(), false) }),
    v.strictObject({
      sample: v.strictObject({ photosPerSku: v.optional(whole(1, 100), 20), seed: v.optional(seed, 1) }),
    }),
  ]),
  /** Computes embeddings; another `imageSize`, or `foreground`, makes a model of its own (`NAME@SIZE`, `NAME+foreground`). */
  embed: v.strictObject({
    modelId,
    imageSize: v.optional(whole(16, 2048)),
    foreground: v.optional(v.boolean(), false),
    /** The foreground's share; naming one asks for the foreground. */
    blend: v.optional(share),
    device,
  }),
  suggest: v.strictObject({
    modelId,
    neighbours: v.optional(whole(1, 1000), 20),
    temperature: v.optional(v.pipe(v.number(), v.minValue(0.001), v.maxValue(10)), 0.07),
    /** Confidence below which a suggestion is not offered. */
    threshold: v.optional(share, 0.5),
    device,
  }),
  /** `count` null finds the number of clusters by itself. */
  cluster: v.strictObject({
    modelId,
    count: v.optional(v.nullable(whole(1, 100_000)), null),
    minimum: v.optional(whole(2, 10_000), 10),
    restarts: v.optional(whole(1, 1000), 5),
    seed: v.optional(seed, 1),
    device,
  }),
  /** Makes the map, or with `refit` false places new images on the one there is. */
  map: v.strictObject({ modelId, refit: v.optional(v.boolean(), false), seed: v.optional(seed, 1), device }),
  /** Makes masks of all images that have none of this recipe; corrected masks stay. */
  masks: v.strictObject({
    modelId,
    recipe: v.optional(
      v.strictObject({
        ...maskChoice.entries,
        /** `best`: the head that fits the corrected masks best. */
        heads: v.optional(
          v.union([v.picklist(["mean", "best"]), v.pipe(v.array(whole(0, 63)), v.minLength(1), v.maxLength(64))]),
          "mean",
        ),
      }),
      {},
    ),
    /** Train the foreground head anew, although there is one. */
    retrain: v.optional(v.boolean(), false),
    device,
  }),
  check: v.strictObject({
    modelId,
    kinds: v.optional(
      v.pipe(v.array(v.picklist(["wrong-labels", "twins", "duplicates", "outliers"])), v.minLength(1)),
      ["wrong-labels", "twins", "duplicates", "outliers"],
    ),
    device,
  }),
  /** `folder` must not be there yet unless `replace`; the one that it stands in must lie inside a root. */
  export: v.strictObject({
    ...exportChoice.entries,
    folder: path,
    replace: v.optional(v.boolean(), false),
    /** Links to the pictures instead of copies. */
    link: v.optional(v.boolean(), false),
    /** Turns pictures that EXIF turns, for programs that pass over it. */
    upright: v.optional(v.boolean(), false),
  }),
  /** Labels and masks of others; `masks-folder` takes PNG masks with the names of the pictures. */
  import: v.strictObject({ format: words, path }),
  /** Fetches a published checkpoint (`models.published`) and imports it. */
  download: v.strictObject({ name: words }),
  /** Pretrains a network on the library's pictures, or goes on with a run (`runId`) for as long as it was to be, or more. */
  pretrain: v.union([
    v.strictObject({
      ...pretrainChoice.entries,
      /** What to call its model. */
      name: v.exactOptional(words),
      /** Iterations between looks at what it can do. */
      probeEvery: v.exactOptional(whole(1, 1_000_000)),
      stopOnCollapse: v.exactOptional(v.boolean()),
    }),
    v.strictObject({ runId: id, epochs: v.exactOptional(whole(1, 100_000)), device }),
  ]),
} as const;

/** Kinds of jobs that can be started here. */
export type StartableKind = keyof typeof jobParameters;

/** Parameters as the page gives them: what has a default may be left out. */
export type JobParameters<Kind extends StartableKind> = v.InferInput<(typeof jobParameters)[Kind]>;

/** What a job that is done has to say. */
export interface JobResults {
  readonly ingest: IngestSummary & { readonly labels: LabelsSummary | null };
  readonly embed: EmbedSummary;
  readonly suggest: SuggestSummary;
  readonly cluster: ClusterSummary;
  readonly map: MapSummary;
  readonly masks: MasksSummary;
  readonly check: CheckSummary;
  readonly export: ExportSummary;
  readonly import: ImportSummary | MaskImportSummary;
  readonly download: Model;
  readonly pretrain: PretrainSummary;
}

function request<Kind extends StartableKind>(kind: Kind) {
  return v.strictObject({ kind: v.literal(kind), parameters: jobParameters[kind] });
}

/** A job to start: its kind with its parameters. A new kind is a line here and one in `jobParameters`. */
export const jobRequest = v.variant("kind", [
  request("ingest"),
  request("embed"),
  request("suggest"),
  request("cluster"),
  request("map"),
  request("masks"),
  request("check"),
  request("export"),
  request("import"),
  request("download"),
  request("pretrain"),
]);
export type JobRequest = v.InferInput<typeof jobRequest>;

/** Whom `jobs.pause`, `jobs.stop` and `jobs.resume` mean. */
export const jobChoice = v.strictObject({ jobId: id });
