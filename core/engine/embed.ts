import { decodeForModel, writeModelInput } from "../image/model-input.ts";
import { floatOutput, floats, type TensorData } from "../runtime/runtime.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import type { Devices } from "./devices.ts";
import { openModel, type OpenModel } from "./models.ts";
import type { EmbeddedPicture, EngineMethods, ModelFile, PictureOutcome, QuantizedAttention } from "./protocol.ts";

/** Pictures in one run. On the CPU a few keep every operator inside the caches; a card wants many. */
function batchSize(device: string): number {
  return device === "cpu" ? 4 : 32;
}

type EmbedRequest = EngineMethods["embedPictures"]["request"];

/** Embeds pictures with the model that was used last kept open. */
export function createEmbedder(devices: Devices): {
  embed: (request: EmbedRequest) => Promise<readonly PictureOutcome<EmbeddedPicture>[]>;
} {
  let opened: { key: string; model: Promise<OpenModel> } | undefined;
  // Runs take turns: they would only slow each other down, and the next request's pictures decode meanwhile.
  let turn: Promise<unknown> = Promise.resolve();

  const open = async (file: ModelFile, device: EmbedRequest["device"]): Promise<OpenModel> => {
    const key = JSON.stringify([file, device]);
    if (opened?.key !== key) {
      const before = opened?.model;
      opened = { key, model: devices.runtime(device).then((runtime) => openModel(file, runtime)) };
      await before?.then((model) => model.program.release()).catch(() => {});
    }
    try {
      return await opened.model;
    } catch (error) {
      opened = undefined;
      throw error;
    }
  };

  return {
    embed: async ({ model: file, device, paths, resize }) => {
      const decoded = paths.map(async (path): Promise<PictureOutcome<Uint8Array>> => {
        try {
          return { ok: true, value: await decodeForModel(path, { resize, crop: file.imageSize }) };
        } catch (error) {
          return { ok: false, problem: errorRecord(error) };
        }
      });
      const run = turn.then(async () => embedDecoded(await open(file, device), decoded));
      turn = run.catch(() => {});
      return run;
    },
  };
}

/** Runs the model over pictures in batches, in order, as they come out of the decoder. */
async function embedDecoded(
  model: OpenModel,
  decoded: readonly Promise<PictureOutcome<Uint8Array>>[],
): Promise<readonly PictureOutcome<EmbeddedPicture>[]> {
  const results: PictureOutcome<EmbeddedPicture>[] = [];
  let batch: { index: number; rgb: Uint8Array }[] = [];
  const flush = async (): Promise<void> => {
    const embedded = await embedBatch(
      model,
      batch.map(({ rgb }) => rgb),
    );
    embedded.forEach((value, i) => {
      const index = batch[i]?.index ?? 0;
      results[index] = value;
    });
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

async function embedBatch(
  model: OpenModel,
  pictures: readonly Uint8Array[],
): Promise<PictureOutcome<EmbeddedPicture>[]> {
  const side = model.imageSize;
  const values = 3 * side * side;
  const pixels = new Float32Array(pictures.length * values);
  pictures.forEach((rgb, i) => writeModelInput(rgb, pixels, i * values));
  const outputs = await model.program.run({ [model.input]: floats(pixels, [pictures.length, 3, side, side]) });
  const vectors = floatOutput(outputs, model.embedding);
  const attention = model.attention === null ? null : floatOutput(outputs, model.attention);
  return pictures.map((_, i) => {
    const vector = normalizedRow(vectors, i, pictures.length);
    if (vector === null) {
      const problem = { code: "embedding-not-finite", message: "The model gave no usable embedding for this picture." };
      return { ok: false, problem };
    }
    return {
      ok: true,
      value: { vector, attention: attention === null ? null : quantizeAttention(attention, i, model.patches) },
    };
  });
}

/** Picture `i`'s embedding at length 1: the CLS token of [batch, width], or of token 0 of [batch, tokens, width]. */
function normalizedRow(tensor: TensorData<"float32">, i: number, batch: number): Float32Array | null {
  const width = tensor.shape.at(-1) ?? 0;
  const start = i * (tensor.data.length / batch);
  const row = tensor.data.subarray(start, start + width);
  let sum = 0;
  for (const value of row) sum += value * value;
  const length = Math.sqrt(sum);
  return Number.isFinite(length) && length > 0 ? row.map((value) => value / length) : null;
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
