import { CoreError, errorRecord } from "../util/errors.ts";
import type { PictureOutcome } from "../engine/protocol.ts";

/** Files in one request to the engine: enough to keep its cores busy, few enough to stop and report soon. */
export const batchSize = 32;

/** Files in a row that end the engine after which the engine, and not the files, is taken to be broken. */
const maxKillers = 3;

/**
 * Sends batches to the engine with one batch always waiting there, so that it can decode the next while it computes,
 * and hands the outcomes on in order. A batch during which the engine dies is asked again file by file: the file that
 * kills it is reported as such, the others go through.
 */
export async function pipeBatches<Item, Value>(
  batches: Iterable<readonly Item[]>,
  ask: (items: readonly Item[]) => Promise<readonly PictureOutcome<Value>[]>,
  take: (items: readonly Item[], outcomes: readonly PictureOutcome<Value>[]) => void | Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  // Once this has ended, with an error perhaps, a batch that is still on its way must not ask on.
  const end = new AbortController();
  const safely = createCrashGuard(ask, AbortSignal.any([signal, end.signal]));
  let waiting: { items: readonly Item[]; outcomes: Promise<readonly PictureOutcome<Value>[]> } | undefined;
  try {
    for (const items of batches) {
      const next = { items, outcomes: safely(items) };
      // The next batch is not awaited while this one is stored: its error is thrown when its turn comes.
      next.outcomes.catch(() => {});
      if (waiting !== undefined) await take(waiting.items, await waiting.outcomes);
      waiting = next;
      signal.throwIfAborted();
    }
    if (waiting !== undefined) await take(waiting.items, await waiting.outcomes);
  } finally {
    end.abort();
  }
}

function createCrashGuard<Item, Value>(
  ask: (items: readonly Item[]) => Promise<readonly PictureOutcome<Value>[]>,
  signal: AbortSignal,
): (items: readonly Item[]) => Promise<readonly PictureOutcome<Value>[]> {
  let killers = 0;
  // Nothing else is asked while files go one by one: only then is the file that was asked about the one that kills.
  let turn: Promise<unknown> = Promise.resolve();
  const alone = async (item: Item): Promise<PictureOutcome<Value>> => {
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      try {
        const [outcome] = await ask([item]);
        if (outcome === undefined) throw new CoreError("internal", "The engine gave no answer.");
        killers = 0;
        return outcome;
      } catch (error) {
        if (errorRecord(error).code !== "engine-crashed") throw error;
        // Twice, since somebody else may have ended the engine the first time.
        if (attempt === 1) continue;
        if (++killers >= maxKillers) throw error;
        return { ok: false, problem: { code: "picture-crashed", message: "Decoding this picture ended the engine." } };
      }
    }
  };
  return async (items) => {
    await turn;
    try {
      return await ask(items);
    } catch (error) {
      if (errorRecord(error).code !== "engine-crashed") throw error;
      const retry = turn.then(async () => {
        const outcomes: PictureOutcome<Value>[] = [];
        for (const item of items) outcomes.push(await alone(item));
        return outcomes;
      });
      turn = retry.catch(() => {});
      return retry;
    }
  };
}

/** `items` in slices of `size`. */
export function* slices<Item>(items: Iterable<Item>, size: number): Generator<Item[]> {
  let slice: Item[] = [];
  for (const item of items) {
    slice.push(item);
    if (slice.length === size) {
      yield slice;
      slice = [];
    }
  }
  if (slice.length > 0) yield slice;
}
