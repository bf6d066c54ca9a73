import { areaForModel, decodeForModel, writeModelInput } from "../image/model-input.ts";
import type { ForegroundHead } from "../masks/foreground-head.ts";
import { scorePatches } from "../masks/pipeline.ts";
import { blendVectors, patchCoverage, poolTokens, usableWeights } from "../masks/pooling.ts";
import { decompressRuns } from "../masks/rle.ts";
import { floatOutput, floats, type TensorData, type Tensors } from "../runtime/runtime.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import type { Devices } from "./devices.ts";
import { openModel, type OpenModel, type View } from "./models.ts";
import type {
  EmbeddedPicture,
  EngineMethods,
  ForegroundPicture,
  ModelFile,
  PictureOutcome,
  QuantizedAttention,
} from "./protocol.ts";

/** Pictures in one run. On the CPU a few keep every operator inside the caches; a card wants many. */
function batchSize(device: string): number {
  return device === "cpu" ? 4 : 32;
}

type Method = "embedPictures" | "embedForegrounds";
type Request<Name extends Method = "embedPictures"> = EngineMethods[Name]["request"];

/** What a run of a model gave for one picture: row `row` of its outputs, picture `index` of the request. */
interface Seen {
  readonly model: OpenModel;
  readonly outputs: Tensors;
  readonly row: number;
  readonly index: number;
}

type Read<Value> = (seen: Seen) => PictureOutcome<Value>;

/** Embeds pictures with the model that was used last kept open. */
export function createEmbedder(devices: Devices): {
  embed: (request: Request) => Promise<readonly PictureOutcome<EmbeddedPicture>[]>;
  embedForegrounds: (request: Request<"embedForegrounds">) => Promise<readonly PictureOutcome<ForegroundPicture>[]>;
} {
  let opened: { key: string; model: Promise<OpenModel> } | undefined;
  // Runs take turns: they would only slow each other down, and the next request's pictures decode meanwhile.
  let turn: Promise<unknown> = Promise.resolve();

  const open = async (file: ModelFile, device: Request["device"], view: View): Promise<OpenModel> => {
    const key = JSON.stringify([file, device, view]);
    if (opened?.key !== key) {
      const before = opened?.model;
      opened = { key, model: devices.runtime(device).then((runtime) => openModel(file, runtime, view)) };
      await before?.then((model) => model.program.release()).catch(() => {});
    }
    try {
      return await opened.model;
    } catch (error) {
      opened = undefined;
      throw error;
    }
  };

  const each = <Value>(
    { model: file, device, paths, resize }: Request,
    view: View,
    read: Read<Value>,
  ): Promise<readonly PictureOutcome<Value>[]> => {
    const decoded = paths.map(async (path): Promise<PictureOutcome<Uint8Array>> => {
      try {
        return { ok: true, value: await decodeForModel(path, { resize, crop: file.imageSize }) };
      } catch (error) {
        return { ok: false, problem: errorRecord(error) };
      }
    });
    const run = turn.then(async () => embedDecoded(await open(file, device, view), decoded, read));
    turn = run.catch(() => {});
    return run;
  };

  return {
    embed: async (request) => each(request, "whole", readWhole),
    embedForegrounds: async (request) => each(request, "foreground", (seen) => readForeground(seen, request)),
  };
}

/** Runs the model over pictures in batches, in order, as they come out of the decoder. */
async function embedDecoded<Value>(
  model: OpenModel,
  decoded: readonly Promise<PictureOutcome<Uint8Array>>[],
  read: Read<Value>,
): Promise<readonly PictureOutcome<Value>[]> {
  const results: PictureOutcome<Value>[] = [];
  let batch: { index: number; rgb: Uint8Array }[] = [];
  const flush = async (): Promise<void> => {
    const outputs = await runBatch(
      model,
      batch.map(({ rgb }) => rgb),
    );
    batch.forEach(({ index }, row) => (results[index] = read({ model, outputs, row, index })));
    batch = [];
  };
  for (const [index, pending] of decoded.entries()) {
    const outcome = await pending;
    if (outcome.ok) batch.push({ index, rgb: outcome.value });
    else results[index] = outcome;
    if (batch.length === Math.min(model.maxBatch ?? Infinity, batchSize(model.device))) await flush();
  }
  if (batch.length > 0) await flush();
  return results;
}

function runBatch(model: OpenModel, pictures: readonly Uint8Array[]): Promise<Tensors> {
  const side = model.imageSize;
  const values = 3 * side * side;
  const pixels = new Float32Array(pictures.length * values);
  pictures.forEach((rgb, i) => writeModelInput(rgb, pixels, i * values));
  return model.program.run({ [model.input]: floats(pixels, [pictures.length, 3, side, side]) });
}

const notFinite = {
  ok: false,
  problem: { code: "embedding-not-finite", message: "The model gave no usable embedding for this picture." },
} as const;

function readWhole({ model, outputs, row }: Seen): PictureOutcome<EmbeddedPicture> {
  const vector = normalized(clsOf(floatOutput(outputs, model.embedding), row));
  if (vector === null) return notFinite;
  const attention =
    model.attention === null ? null : quantizeAttention(floatOutput(outputs, model.attention), row, model.patches);
  return { ok: true, value: { vector, attention } };
}

function readForeground(
  { model, outputs, row, index }: Seen,
  { masks, head, blend, resize }: Request<"embedForegrounds">,
): PictureOutcome<ForegroundPicture> {
  if (model.tokens === null) throw new CoreError("internal", "Foreground embeddings need the tokens of the patches.");
  const tokens = patchTokens(floatOutput(outputs, model.tokens), row, model.patches);
  const mask = masks[index] ?? null;
  try {
    const { weights, usable } = usableWeights(
      mask === null
        ? scoredForeground(tokens, head, model)
        : patchCoverage(
            decompressRuns(mask.runs, mask.width, mask.height),
            areaForModel(mask, { resize, crop: model.imageSize }),
            model.imageSize,
            model.patches,
          ),
    );
    const cls = clsOf(floatOutput(outputs, model.embedding), row);
    const vector = blendVectors(cls, poolTokens(tokens, weights), blend);
    return vector === null ? notFinite : { ok: true, value: { vector, usable } };
  } catch (error) {
    // A damaged mask is a matter of one picture.
    return { ok: false, problem: errorRecord(error) };
  }
}

/** What the head takes for foreground, as surely as it does, in the largest connected part; nothing without a head. */
function scoredForeground(
  tokens: Float32Array,
  head: ForegroundHead | null,
  { patches: { rows, columns }, imageSize: size }: OpenModel,
): Float32Array {
  if (head === null) return new Float32Array(rows * columns);
  const features = { rows, columns, heads: 0, attention: new Float32Array(0), keys: null, tokens };
  const method = { method: "foreground", heads: null, mass: null, headHash: null } as const;
  const { values } = scorePatches(features, { ...method, refined: false, components: "largest", size }, head);
  return values.map((score) => (score >= 0.5 ? score : 0));
}

/** Tokens of the patches of picture `i`, which stand behind CLS and registers in [batch, tokens, width]. */
function patchTokens(
  { shape, data }: TensorData<"float32">,
  i: number,
  { rows, columns }: OpenModel["patches"],
): Float32Array {
  const [batch = 1] = shape;
  const width = shape.at(-1) ?? 0;
  const end = (i + 1) * (data.length / batch);
  return data.subarray(end - rows * columns * width, end);
}

/** Picture `i`'s embedding as it is: the CLS token of [batch, width], or token 0 of [batch, tokens, width]. */
function clsOf({ shape, data }: TensorData<"float32">, i: number): Float32Array {
  const [batch = 1] = shape;
  const start = i * (data.length / batch);
  return data.subarray(start, start + (shape.at(-1) ?? 0));
}

/** A vector at length 1; null where it has none. */
function normalized(vector: Float32Array): Float32Array | null {
  let sum = 0;
  for (const value of vector) sum += value * value;
  const length = Math.sqrt(sum);
  return Number.isFinite(length) && length > 0 ? vector.map((value) => value / length) : null;
}

/**
 * Attention from CLS to the patches of picture `i`, a byte a value with the largest of each head at 255. The tensor is
 * [batch, heads, patches], or [batch, heads, tokens, tokens] with the patches last.
 */
export function quantizeAttention(
  tensor: TensorData<"float32">,
  i: number,
  patches: { readonly rows: number; readonly columns: number },
): QuantizedAttention {
  const [, heads = 0] = tensor.shape;
  const rowLength = tensor.shape.at(-1) ?? 0;
  const perHead = tensor.shape.length === 4 ? rowLength * (tensor.shape[2] ?? 0) : rowLength;
  const count = patches.rows * patches.columns;
  if (rowLength < count) {
    throw new CoreError("runtime-output", `Attention has ${rowLength} columns for ${count} patches.`);
  }
  const scales = new Float32Array(heads);
  const data = new Uint8Array(heads * count);
  for (let head = 0; head < heads; head++) {
    const start = (i * heads + head) * perHead + rowLength - count;
    const row = tensor.data.subarray(start, start + count);
    const scale = row.reduce((largest, value) => Math.max(largest, value), 0) / 255;
    scales[head] = scale;
    if (scale > 0) row.forEach((value, patch) => (data[head * count + patch] = Math.round(value / scale)));
  }
  return { heads, ...patches, scales, data };
}
