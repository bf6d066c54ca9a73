import { createBudget } from "../../image/budget.ts";
import { defaultParallelism } from "../../image/setup.ts";
import { decodeEncoded, decodeSquare, encodeSquare, type EncodedSquare, type SquareCopy } from "../../image/square.ts";
import { CoreError, errorRecord, type ErrorRecord } from "../../util/errors.ts";

/** Square copies of a run's pictures, each file read once as long as memory allows. */
export interface PictureCache {
  /** The copy of a picture, or null for one that cannot be read. */
  get(index: number): Promise<SquareCopy | null>;
  /** The same, with the next readable picture in the place of one that is not. Throws `pictures-unreadable`. */
  stand(index: number): Promise<SquareCopy>;
  /** Pictures that could not be read so far, by index. */
  readonly problems: ReadonlyMap<number, ErrorRecord>;
}

/** How copies are kept: as they are where all of them fit, else as JPEG. */
export function copiesFor(pictures: number, size: number, byteLimit: number): "raw" | "jpeg" {
  return pictures * 3 * size * size <= byteLimit ? "raw" : "jpeg";
}

export interface CacheOptions {
  readonly copies: "raw" | "jpeg";
  /** Side of the copies in pixels. */
  readonly size: number;
  /** Memory for copies. */
  readonly byteLimit: number;
}

type Kept =
  { readonly kind: "raw"; readonly copy: SquareCopy } | { readonly kind: "jpeg"; readonly copy: EncodedSquare };

/**
 * A cache of square copies, as they are or as JPEG, until the limit is reached, and decoded anew from there on. Which of
 * the two is settled before the first picture, so that the same pictures always give the same values.
 */
export function createPictureCache(paths: readonly string[], { copies, size, byteLimit }: CacheOptions): PictureCache {
  const kept = new Map<number, Kept>();
  const problems = new Map<number, ErrorRecord>();
  const pending = new Map<number, Promise<SquareCopy | null>>();
  const slots = createBudget(defaultParallelism());
  let bytes = 0;

  const load = async (index: number): Promise<SquareCopy | null> => {
    const path = paths[index];
    if (path === undefined) throw new CoreError("internal", `There is no picture ${index} among ${paths.length}.`);
    const release = await slots.take(1);
    try {
      const found = kept.get(index);
      if (found !== undefined) return found.kind === "raw" ? found.copy : await decodeEncoded(found.copy);
      if (copies === "raw") {
        const copy = await decodeSquare(path, size);
        if (bytes + 3 * size * size <= byteLimit) {
          bytes += 3 * size * size;
          kept.set(index, { kind: "raw", copy });
        }
        return copy;
      }
      const copy = await encodeSquare(path, size);
      if (bytes + copy.jpeg.length <= byteLimit) {
        bytes += copy.jpeg.length;
        kept.set(index, { kind: "jpeg", copy });
      }
      return await decodeEncoded(copy);
    } catch (error) {
      problems.set(index, errorRecord(error));
      return null;
    } finally {
      release();
    }
  };

  const get = async (index: number): Promise<SquareCopy | null> => {
    if (problems.has(index)) return null;
    const found = kept.get(index);
    if (found?.kind === "raw") return found.copy;
    const running = pending.get(index) ?? load(index).finally(() => pending.delete(index));
    pending.set(index, running);
    return running;
  };

  return {
    get,
    problems,
    stand: async (index) => {
      // By index and not by what was decoded before, so that a run that resumes takes the same pictures.
      for (let step = 0; step < paths.length; step++) {
        const copy = await get((index + step) % paths.length);
        if (copy !== null) return copy;
      }
      const [first] = problems.values();
      throw new CoreError(
        "pictures-unreadable",
        `None of the ${paths.length} pictures can be read: ${first?.message ?? ""}`,
        {
          hint: "Look at `dinoscope status`; the folder may be on a disk that is not there.",
        },
      );
    },
  };
}
