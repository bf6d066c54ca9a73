import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The folder with the official figures: the one named by `DINO_REFERENCE`, else our copy. Figures of another seed,
 * width or patch size may be put in its place, so tests read every shape from the files.
 */
export function referenceFolder(): string {
  return process.env.DINO_REFERENCE ?? fileURLToPath(new URL("../fixtures/dino-reference", import.meta.url));
}

/** A file of the official figures. */
export function referenceFile(name: string): string {
  return path.join(referenceFolder(), name);
}

/** Attention heads of the reference model, which a plain .pth does not say: the metadata of inference.safetensors does. */
export function referenceHeads(): number {
  const bytes = readFileSync(referenceFile("inference.safetensors"));
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerLength)) as { __metadata__: Record<string, string> };
  return Number(header.__metadata__.num_heads);
}
