import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { Architecture, Weights } from "../nn/architecture.ts";
import { writeWhole, type WrittenFile } from "./files.ts";
import { weightsMetadata, type WeightsProvenance } from "./metadata.ts";
import { exportHuggingFace, exportTimm } from "./names.ts";
import { writeSafetensors, type SafetensorsOptions } from "./safetensors.ts";
import { checkWeights } from "./verify.ts";

/** `timm`: one safetensors file. `huggingface`: a folder with model.safetensors and config.json. */
export type ExportFormat = "timm" | "huggingface";

/** A file that an export wrote. */
export interface ExportedFile extends WrittenFile {
  readonly path: string;
}

export interface ExportOptions extends SafetensorsOptions {
  /** Kept in the file's metadata, so that whoever reads it again knows whether it was ever trained. */
  readonly provenance?: WeightsProvenance;
}

/**
 * Writes weights for other programs. `target` is the file for `timm`, the folder for `huggingface` (made if need be).
 * Throws `weights-mismatch`, `export-unsupported`, and `weights-overflow` where float16 cannot hold a value.
 */
export async function exportWeights(
  weights: Weights,
  architecture: Architecture,
  target: string,
  format: ExportFormat,
  options: ExportOptions = {},
): Promise<ExportedFile[]> {
  checkWeights(weights, architecture);
  const metadata = weightsMetadata(architecture, options.provenance);
  if (format === "timm") {
    const tensors = exportTimm(weights, architecture);
    return [{ path: target, ...(await writeSafetensors(target, tensors, metadata, options)) }];
  }
  const { tensors, config } = exportHuggingFace(weights, architecture);
  await mkdir(target, { recursive: true });
  const modelPath = path.join(target, "model.safetensors");
  const configPath = path.join(target, "config.json");
  const full = { ...config, torch_dtype: options.dtype === "F16" ? "float16" : "float32" };
  const json = new TextEncoder().encode(`${JSON.stringify(full, null, 2)}\n`);
  return [
    { path: modelPath, ...(await writeSafetensors(modelPath, tensors, metadata, options)) },
    { path: configPath, ...(await writeWhole(configPath, [json])) },
  ];
}
