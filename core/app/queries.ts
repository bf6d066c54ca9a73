/** Pictures that somebody searches by: only what the model saw of them is kept, in memory, for a while. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WantedDevice } from "../engine/protocol.ts";
import { embedFile } from "../jobs/embed-file.ts";
import type { Model } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import type { Desk } from "./desk.ts";

export interface Queries {
  /** Embeds the picture in `bytes`; returns the query's id. Throws what is wrong with the picture. */
  add(bytes: Uint8Array, model: Model, device: WantedDevice): Promise<string>;
  /** The embedding of a query. Throws `query-unknown`, also for one that was made with another model. */
  vectorOf(queryId: string, modelId: number | null): Float32Array;
}

const kept = 20;

export function createQueries({ library, engine }: Desk): Queries {
  const vectors = new Map<string, { readonly modelId: number; readonly vector: Float32Array }>();
  return {
    add: async (bytes, model, device) => {
      // The engine takes pictures by path; the name is ours, whatever the picture was called.
      const folder = await mkdtemp(join(tmpdir(), "dinoscope-query-"));
      try {
        const path = join(folder, "picture");
        await writeFile(path, bytes);
        const vector = await embedFile({ library, engine }, model, path, device);
        const queryId = randomUUID();
        vectors.set(queryId, { modelId: model.id, vector });
        const [oldest] = vectors.keys();
        if (vectors.size > kept && oldest !== undefined) vectors.delete(oldest);
        return queryId;
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    vectorOf: (queryId, modelId) => {
      const query = vectors.get(queryId);
      if (query !== undefined && query.modelId === modelId) return query.vector;
      throw new CoreError("query-unknown", "The picture searched by is not known any more.", {
        hint: "Drop it again.",
      });
    },
  };
}
