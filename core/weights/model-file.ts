import type { Architecture, WeightTensor, Weights } from "../nn/architecture.ts";
import { CoreError } from "../util/errors.ts";
import { withFile, type WrittenFile } from "./files.ts";
import { storedArchitecture, storedProvenance, weightsMetadata, type WeightsProvenance } from "./metadata.ts";
import { floatsFrom } from "./numbers.ts";
import { headerLength, parseHeader } from "./safetensors-header.ts";
import { writeSafetensors } from "./safetensors.ts";
import { checkFinite, checkWeights } from "./verify.ts";

/** A model as a library keeps it. */
export interface ModelFile {
  readonly architecture: Architecture;
  readonly weights: Weights;
  readonly provenance: WeightsProvenance;
}

/**
 * Writes a library's own copy of a model: safetensors in float32 under canonical names, with architecture and provenance
 * in the metadata, so that the file alone says everything. Throws `weights-mismatch` and
 * `weights-not-finite`.
 */
export async function writeModelFile(
  path: string,
  architecture: Architecture,
  weights: Weights,
  provenance: WeightsProvenance,
): Promise<WrittenFile> {
  checkWeights(weights, architecture);
  checkFinite(weights);
  return writeSafetensors(path, weights, weightsMetadata(architecture, provenance));
}

/**
 * Reads what `writeModelFile` wrote, in one read: the tensors are views of the file's bytes. Values were checked when the
 * file was made, so only names and shapes are checked here. Throws `model-file-invalid`, `safetensors-invalid` and
 * `weights-mismatch`.
 */
export function readModelFile(path: string): Promise<ModelFile> {
  return withFile(path, async (file) => {
    const bytes = new Uint8Array(file.byteSize);
    await file.read(bytes, 0);
    const dataStart = 8 + headerLength(path, bytes, file.byteSize);
    const { metadata, tensors } = parseHeader(path, bytes.subarray(8, dataStart), file.byteSize);
    const architecture = storedArchitecture(path, metadata);
    const provenance = storedProvenance(path, metadata);
    if (architecture === undefined || provenance === undefined) {
      throw new CoreError("model-file-invalid", `${path} is not a model of a Dinoscope library.`, {
        hint: "Import it with `dinoscope models import`.",
      });
    }
    const weights = new Map<string, WeightTensor>();
    for (const [name, { dtype, shape, start, end }] of tensors) {
      if (dtype !== "F32") throw new CoreError("model-file-invalid", `${name} of ${path} is ${dtype}, expected F32.`);
      weights.set(name, { shape, data: floatsFrom(bytes.subarray(start, end), dtype) });
    }
    checkWeights(weights, architecture);
    return { architecture, weights, provenance };
  });
}
