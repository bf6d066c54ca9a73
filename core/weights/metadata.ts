import type { Architecture } from "../nn/architecture.ts";
import type { TrainingSettings } from "../nn/dino/settings.ts";
import { CoreError } from "../util/errors.ts";
import { checkSettings } from "./training-settings.ts";
import { checkArchitecture } from "./verify.ts";

/** Where weights came from, as it is stored with a model. */
export interface WeightsProvenance {
  /** File or URL, or `random` for weights that were never trained. */
  readonly source: string;
  readonly format: string;
  /** SHA-256 of the file they were read from, in hex. */
  readonly sourceHash: string | null;
  readonly notes: Readonly<Record<string, string | number | boolean>>;
}

const architectureKey = "dinoscope.architecture";
const provenanceKey = "dinoscope.provenance";
const settingsKey = "dinoscope.settings";

/**
 * The metadata of a safetensors file that Dinoscope writes, with the settings of the pretraining for a full checkpoint.
 * `format` is what PyTorch's loaders look for.
 */
export function weightsMetadata(
  architecture: Architecture,
  provenance?: WeightsProvenance,
  settings?: TrainingSettings,
): Map<string, string> {
  const metadata = new Map([
    ["format", "pt"],
    [architectureKey, JSON.stringify(architecture)],
  ]);
  if (provenance !== undefined) metadata.set(provenanceKey, JSON.stringify(provenance));
  if (settings !== undefined) metadata.set(settingsKey, JSON.stringify(settings));
  return metadata;
}

/** The architecture that a file carries, if Dinoscope wrote it. Throws `metadata-invalid` and `architecture-invalid`. */
export function storedArchitecture(path: string, metadata: ReadonlyMap<string, string>): Architecture | undefined {
  const text = metadata.get(architectureKey);
  return text === undefined ? undefined : checkArchitecture(parsed(path, architectureKey, text));
}

/** The provenance that a file carries, if Dinoscope wrote it. Throws `metadata-invalid`. */
export function storedProvenance(path: string, metadata: ReadonlyMap<string, string>): WeightsProvenance | undefined {
  const text = metadata.get(provenanceKey);
  if (text === undefined) return undefined;
  const value = parsed(path, provenanceKey, text);
  if (!isProvenance(value)) throw invalid(path, provenanceKey);
  return value;
}

/**
 * The settings that a full checkpoint was trained with, null where it does not say. Throws `metadata-invalid` and
 * `training-settings-invalid`.
 */
export function storedSettings(path: string, metadata: ReadonlyMap<string, string>): TrainingSettings | null {
  const text = metadata.get(settingsKey);
  return text === undefined ? null : checkSettings(parsed(path, settingsKey, text));
}

const invalid = (path: string, key: string, cause?: unknown): CoreError =>
  new CoreError("metadata-invalid", `${path} carries a damaged ${key}.`, cause === undefined ? {} : { cause });

function parsed(path: string, key: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(path, key, cause);
  }
}

function isProvenance(value: unknown): value is WeightsProvenance {
  if (typeof value !== "object" || value === null) return false;
  const { source, format, sourceHash, notes } = value as Record<string, unknown>;
  return (
    typeof source === "string" &&
    typeof format === "string" &&
    (sourceHash === null || typeof sourceHash === "string") &&
    typeof notes === "object" &&
    notes !== null &&
    Object.values(notes).every((note) => ["string", "number", "boolean"].includes(typeof note))
  );
}
