import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import type { Architecture } from "../nn/architecture.ts";
import { CoreError } from "../util/errors.ts";

const longestConfig = 2 ** 20;

/** A config.json of Hugging Face, as far as the weights do not say it themselves. */
export interface HuggingFaceConfig {
  readonly path: string;
  readonly fields: ReadonlyMap<string, unknown>;
}

/**
 * The configuration beside a weights file: `<name>.config.json`, else `config.json`; undefined where there is neither.
 * Throws `config-invalid` for one that is too long or no JSON object.
 */
export async function findHuggingFaceConfig(weightsPath: string): Promise<HuggingFaceConfig | undefined> {
  const { dir, name } = path.parse(weightsPath);
  for (const candidate of [path.join(dir, `${name}.config.json`), path.join(dir, "config.json")]) {
    const size = await stat(candidate).then(
      (status) => status.size,
      () => undefined,
    );
    if (size === undefined) continue;
    if (size > longestConfig) throw invalid(candidate, `it has ${size} bytes, the limit is ${longestConfig}`);
    let parsed: unknown;
    try {
      parsed = JSON.parse(await readFile(candidate, "utf8"));
    } catch (cause) {
      throw invalid(candidate, cause instanceof Error ? cause.message : String(cause));
    }
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
      throw invalid(candidate, "it is not an object");
    }
    return { path: candidate, fields: new Map(Object.entries(parsed)) };
  }
  return undefined;
}

const invalid = (configPath: string, what: string): CoreError =>
  new CoreError("config-invalid", `Cannot use ${configPath}: ${what}.`, {
    hint: "Fetch the config.json that belongs to the weights, or move this one away and name the heads yourself.",
  });

/**
 * The number of heads that a configuration gives, after checking that it describes the model that the weights' shapes do.
 * Throws `config-mismatch`.
 */
export function headsOfConfig(config: HuggingFaceConfig, architecture: Architecture): number | undefined {
  const { width, depth, hidden, patch, grid, registers } = architecture;
  const expected: readonly (readonly [string, number | string | boolean])[] = [
    ["hidden_size", width],
    ["num_hidden_layers", depth],
    ["intermediate_size", hidden],
    ["mlp_ratio", hidden / width],
    ["patch_size", patch],
    ["image_size", patch * grid],
    ["num_register_tokens", registers],
    ["hidden_act", "gelu"],
    ["use_swiglu_ffn", false],
  ];
  for (const [name, wanted] of expected) {
    const value = config.fields.get(name);
    if (value !== undefined && value !== wanted) {
      throw new CoreError(
        "config-mismatch",
        `${config.path} says ${name} ${JSON.stringify(value)}, the weights beside it need ${wanted}.`,
        {
          hint: "Fetch the config.json that belongs to the weights, or move this one away and name the heads yourself.",
        },
      );
    }
  }
  const heads = config.fields.get("num_attention_heads");
  return typeof heads === "number" ? heads : undefined;
}
