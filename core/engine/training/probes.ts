/** What the teacher can do so far: embeddings of a few pictures, and what their neighbours say. */
import { createGraph } from "../../graph/graph.ts";
import { input } from "../../graph/value.ts";
import type { Weights, WeightTensor } from "../../nn/architecture.ts";
import { centreView, drawViews, type ViewDraw } from "../../nn/augmentation/draw.ts";
import { cropFeeds, viewFeeds } from "../../nn/augmentation/feeds.ts";
import { augmentationGroups, type ViewGroup } from "../../nn/augmentation/groups.ts";
import { augmentedViews, plainViews } from "../../nn/augmentation/views.ts";
import type { TrainingSettings } from "../../nn/dino/settings.ts";
import { constantWeights } from "../../nn/embedding-graph.ts";
import { visionTransformer } from "../../nn/vision-transformer.ts";
import { floatOutput, floats, type Program, type Runtime, type Tensors } from "../../runtime/runtime.ts";
import { evaluateLeaveOneOut } from "../../suggest/evaluate.ts";
import { nearestRows } from "../../suggest/nearest.ts";
import { CoreError } from "../../util/errors.ts";
import { quantizeAttention } from "../embed.ts";
import type { EngineMethods, QuantizedAttention } from "../protocol.ts";
import type { Loader } from "./loader.ts";

/** Pictures in one run: the graph wants their number, and a probe is no place to save time. */
const chunkSize = 16;

/** Crops of a probe are the same at every probe and in every run, so that its figures can be compared. */
const probeSeed = 0x70726f62;

/** Neighbours that vote, as `dinoscope suggest` has them for few labels. */
const neighbours = 5;

type Request = EngineMethods["probeTraining"]["request"];
type Result = EngineMethods["probeTraining"]["result"];

/** Embeddings of some pictures, one row each, of those that can be read. */
interface Embedded {
  readonly indices: readonly number[];
  /** [indices, width], rows of length 1, for each view. */
  readonly views: readonly Float32Array[];
  readonly attention: readonly QuantizedAttention[];
}

/**
 * Self-retrieval: of two crops of each picture, how many of the first find the second among those of all pictures. The
 * user's labels: leave-one-out vote of the five nearest, on the centre of each picture. Attention of the few images that
 * are watched.
 */
export async function probeTeacher(
  settings: TrainingSettings,
  teacher: Weights,
  runtime: Runtime,
  loader: Loader,
  { retrieval, labelled, attention }: Request,
): Promise<Result> {
  const [globals] = augmentationGroups(settings);
  if (globals === undefined) throw new CoreError("internal", "There are no global views.");
  const crops = await createProber(settings, teacher, runtime, loader, { group: globals, crops: true });
  const pairs = await crops.embed(retrieval).finally(() => crops.release());
  const plain: ViewGroup = { ...globals, views: 1 };
  const centre = await createProber(settings, teacher, runtime, loader, { group: plain, crops: false });
  try {
    const known = await centre.embed(labelled.indices);
    const watched = await centre.embed(attention);
    return {
      selfRetrieval: selfRetrieval(pairs, settings.architecture.width),
      selfRetrievalCount: pairs.indices.length,
      ...labelAccuracy(known, labelled, settings.architecture.width),
      attention: watched.indices.map((index, i) => ({ index, ...(watched.attention[i] as QuantizedAttention) })),
    };
  } finally {
    await centre.release();
  }
}

async function createProber(
  settings: TrainingSettings,
  teacher: Weights,
  runtime: Runtime,
  loader: Loader,
  { group, crops }: { group: ViewGroup; crops: boolean },
): Promise<{ embed(indices: readonly number[]): Promise<Embedded>; release(): Promise<void> }> {
  const { architecture } = settings;
  const { size, sourceSize, views } = group;
  const shape = [chunkSize, 3, sourceSize, sourceSize];
  const pictures = input("pictures", shape);
  const pixels = crops ? augmentedViews(pictures, group) : plainViews(pictures, group);
  const outputs = visionTransformer(architecture, constantWeights(teacher), pixels, ["cls", "clsAttention"]);
  const program: Program = await runtime.load(createGraph("probe", outputs));
  const cells = { rows: size / architecture.patch, columns: size / architecture.patch };
  // As in the official evaluation: the crop is 224 of a shorter side of 256.
  const resize = Math.round((size * 256) / 224);
  const feedsFor = (aspects: readonly number[], first: number): Readonly<Record<string, WeightTensor>> => {
    if (crops) return viewFeeds(group, drawViews(group, aspects, { seed: probeSeed, iteration: 0, first }));
    const draws = aspects.map((aspect): ViewDraw[] => [centreView(aspect, resize, size)]);
    return cropFeeds(group, draws);
  };
  return {
    embed: async (indices) => {
      const kept: number[] = [];
      const rows: number[][][] = Array.from({ length: views }, () => []);
      const attention: QuantizedAttention[] = [];
      for (let start = 0; start < indices.length; start += chunkSize) {
        const chunk = indices.slice(start, start + chunkSize);
        const squares = await loader.squares(chunk);
        const data = new Float32Array(chunkSize * 3 * sourceSize * sourceSize);
        data.set(squares.pictures);
        const aspects = Array.from({ length: chunkSize }, (_, i) => squares.aspects[i] ?? 1);
        const feeds: Record<string, Tensors[string]> = { pictures: floats(data, shape) };
        for (const [name, tensor] of Object.entries(feedsFor(aspects, start)))
          feeds[name] = floats(tensor.data, tensor.shape);
        const results = await program.run(feeds);
        const cls = floatOutput(results, "cls").data;
        chunk.forEach((index, i) => {
          if (squares.aspects[i] === null) return;
          kept.push(index);
          rows.forEach((list, view) => list.push(unitRow(cls, view * chunkSize + i, architecture.width)));
          if (!crops) attention.push(quantizeAttention(floatOutput(results, "clsAttention"), i, cells));
        });
      }
      return { indices: kept, views: rows.map((list) => Float32Array.from(list.flat())), attention };
    },
    release: () => program.release(),
  };
}

function unitRow(values: Float32Array, row: number, width: number): number[] {
  const vector = values.subarray(row * width, (row + 1) * width);
  const length = Math.hypot(...vector);
  return Array.from(vector, (value) => (length > 0 ? value / length : 0));
}

/** Share of first views whose most similar second view is that of their own picture. */
function selfRetrieval({ indices, views: [first, second] }: Embedded, width: number): number {
  if (first === undefined || second === undefined || indices.length === 0) return 0;
  const table = nearestRows(second, first, width, 1);
  return indices.filter((_, i) => table.indices[i] === i).length / indices.length;
}

function labelAccuracy(
  { indices, views: [rows] }: Embedded,
  labelled: Request["labelled"],
  width: number,
): Pick<Result, "accuracy" | "accuracyCount"> {
  if (rows === undefined || indices.length < 2) return { accuracy: null, accuracyCount: 0 };
  const labelOf = new Map(labelled.indices.map((index, i) => [index, labelled.labels[i] ?? -1]));
  const labels = Int32Array.from(indices, (index) => labelOf.get(index) ?? -1);
  const self = Int32Array.from(indices, (_, i) => i);
  const table = nearestRows(rows, rows, width, neighbours, { exclude: self });
  return { accuracy: evaluateLeaveOneOut(table, labels).fine.top1.rate, accuracyCount: indices.length };
}
