import { errorRecord } from "../util/errors.ts";

/**
 * Asks the engine, and once more where it ended meanwhile: the next call starts a fresh one. `restart` brings back what
 * went away with the first.
 */
export async function onceMore<Result>(work: () => Promise<Result>, restart?: () => Promise<void>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const { code } = errorRecord(error);
    if (code !== "engine-crashed" && code !== "bank-missing") throw error;
    await restart?.();
    return work();
  }
}
