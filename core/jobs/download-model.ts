import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Model } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { download } from "./download.ts";
import { importModel, takenName } from "./models.ts";
import { publishedBaseUrl, publishedModels } from "./published-models.ts";
import { runJob, type Watch, type Workplace } from "./run.ts";

export interface DownloadSettings {
  readonly baseUrl: string | undefined;
  readonly sha256: string | undefined;
}

/**
 * Fetches a published checkpoint and imports it under its name. What was fetched is deleted then; only a part of it stays
 * for the next try. Throws `model-unknown`, `model-exists`, and what `download` and `importModel` throw.
 */
export async function downloadModel(
  workplace: Workplace,
  name: string,
  { baseUrl, sha256 }: DownloadSettings,
  watch: Watch = {},
): Promise<Model> {
  const published = publishedModels.find((candidate) => candidate.name === name);
  if (published === undefined) {
    const names = publishedModels.map((candidate) => candidate.name).join(", ");
    throw new CoreError("model-unknown", `No published model is called ${name}.`, { hint: `Choose from: ${names}.` });
  }
  const { library } = workplace;
  takenName(library.db, name);
  const url = parseUrl(published.path, baseUrl ?? publishedBaseUrl);
  const file = join(library.folder, "models", "downloads", `${name}.pth`);
  return runJob(workplace, "download", { name, url: url.href }, watch, async (job) => {
    const report = job.phase("downloading (kB)", 0);
    await download({
      url,
      file,
      maxBytes: published.maxBytes,
      sha256: sha256 ?? null,
      signal: job.signal,
      onProgress: (done, total) => report(Math.ceil(done / 1000), Math.ceil(total / 1000)),
    });
    try {
      return await importModel(workplace, file, { name }, url.href);
    } finally {
      // The library has its own copy now, or nothing to do with it.
      await rm(file, { force: true });
    }
  });
}

function parseUrl(path: string, base: string): URL {
  try {
    return new URL(path, base.endsWith("/") ? base : `${base}/`);
  } catch {
    throw new CoreError("option-invalid", `${base} is not a URL.`);
  }
}
