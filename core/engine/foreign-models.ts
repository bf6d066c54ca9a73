import { createOrtRuntime } from "../runtime/ort.ts";
import { floatOutput, floats, type Program, type Runtime } from "../runtime/runtime.ts";
import { withFile, writeWhole } from "../weights/files.ts";
import { exposeOutput, inspectOnnx, type OnnxInspection } from "../weights/foreign-onnx.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import type { OpenModel } from "./models.ts";
import type { ImportedModel, ModelFile } from "./protocol.ts";

/** ONNX cannot be larger in one file. */
const maxBytes = 2 ** 31 - 1;

/** Largest side of the picture that a model may ask for, in pixels; published ones go to about 1,000. */
const largestSize = 2048;

/** Side of the picture where the file leaves it open. */
const usualSize = 224;

/** Registers that a transformer may have between CLS and its patches. */
const maxRegisters = 8;

/**
 * Copies an ONNX file of others into the library, after one run on a black picture: what it gives is measured, not
 * believed. Throws `onnx-…` for files that are no picture models.
 */
export async function importForeignModel(path: string, destination: string): Promise<ImportedModel & { file: string }> {
  const bytes = await readModel(path);
  const opened = await tryOut(bytes, sizeOf(inspectOnnx(bytes)));
  await opened.program.release();
  const { hash } = await writeWhole(destination, [bytes]);
  return {
    file: destination,
    kind: "onnx",
    hash,
    architecture: null,
    imageSize: opened.imageSize,
    width: opened.width,
    // Copied as it was.
    provenance: { source: path, format: "onnx", sourceHash: hash, notes: { attention: opened.attention !== null } },
  };
}

/** Opens a model on the CPU, which knows every operator. Throws `onnx-unsupported` with onnxruntime's own words. */
async function tryOut(bytes: Uint8Array<ArrayBuffer>, imageSize: number): Promise<OpenModel & { width: number }> {
  try {
    return await open(bytes, createOrtRuntime("cpu"), imageSize);
  } catch (cause) {
    throw new CoreError("onnx-unsupported", `onnxruntime cannot run this ONNX file: ${errorRecord(cause).message}`, {
      hint: "Check that it takes pictures [N, 3, H, W], and that it uses operators of ONNX itself only.",
      cause,
    });
  }
}

/** Loads an ONNX file of others for embedding. */
export async function openForeignModel(file: ModelFile, runtime: Runtime): Promise<OpenModel> {
  return open(await readModel(file.file), runtime, file.imageSize);
}

function readModel(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return withFile(path, async (file) => {
    const { byteSize } = file;
    if (byteSize > maxBytes) {
      throw new CoreError("onnx-invalid", `${path} has ${byteSize} bytes; an ONNX file has 2 GiB at most.`);
    }
    const bytes = new Uint8Array(byteSize);
    await file.read(bytes, 0);
    return bytes;
  });
}

/** Side of the square picture that a model takes. Throws `onnx-unsupported` for others, and for several at a time. */
function sizeOf({ image }: OnnxInspection): number {
  const { batch, height, width } = image;
  if (height !== null && width !== null && height !== width) {
    throw new CoreError(
      "onnx-unsupported",
      `The model takes pictures of ${height} x ${width}; only squares are supported.`,
    );
  }
  const size = height ?? width ?? usualSize;
  if (size > largestSize) {
    throw new CoreError(
      "onnx-unsupported",
      `The model takes pictures of ${size} px; at most ${largestSize} are supported.`,
    );
  }
  if (batch !== null && batch !== 1) {
    throw new CoreError("onnx-unsupported", `The model takes exactly ${batch} pictures at a time.`, {
      hint: "Export it with an open batch size, or a batch of one.",
    });
  }
  return size;
}

async function open(
  bytes: Uint8Array<ArrayBuffer>,
  runtime: Runtime,
  imageSize: number,
): Promise<OpenModel & { width: number }> {
  const { image, embedding, attention } = inspectOnnx(bytes);
  const program = await runtime.load(attention === null ? bytes : new Uint8Array(exposeOutput(bytes, attention)));
  const grid = { rows: 0, columns: 0 };
  try {
    const black = floats(new Float32Array(3 * imageSize ** 2), [1, 3, imageSize, imageSize]);
    const outputs = await program.run({ [image.name]: black });
    const width = floatOutput(outputs, embedding.output).shape.at(-1) ?? 0;
    const patches = attention === null ? null : patchesOf(outputs[attention]?.shape ?? [], imageSize);
    return {
      program,
      device: runtime.device,
      imageSize,
      input: image.name,
      embedding: embedding.output,
      attention: patches === null ? null : attention,
      tokens: null,
      patches: patches ?? grid,
      maxBatch: image.batch,
      width,
    };
  } catch (error) {
    await release(program);
    throw error;
  }
}

async function release(program: Program): Promise<void> {
  await program.release().catch(() => {});
}

/** The grid of patches behind attention of shape [1, heads, tokens, tokens]; null where it is no such attention. */
function patchesOf(shape: readonly number[], imageSize: number): { rows: number; columns: number } | null {
  const [, , tokens = 0, others] = shape;
  const side = Math.floor(Math.sqrt(tokens - 1));
  const registers = tokens - 1 - side * side;
  const fits =
    shape.length === 4 && others === tokens && side > 1 && imageSize % side === 0 && registers <= maxRegisters;
  return fits ? { rows: side, columns: side } : null;
}
