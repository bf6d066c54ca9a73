import type { Graph } from "../graph/graph.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";

/** Gives the program for a shape: four sizes, in the order that its graph takes them. */
export type ProgramCache = (...shape: readonly [number, number, number, number]) => Promise<Program>;

/**
 * A cache of programs on one device, the `kept` shapes that were used last: loading one takes as long as a small run.
 * Whoever shares it must take turns, since a program in use may be dropped for another's.
 */
export function createProgramCache(
  runtime: Runtime,
  graphOf: (...shape: readonly [number, number, number, number]) => Graph,
  kept: number,
): ProgramCache {
  const programs = new Map<string, Program>();
  return async (...shape) => {
    const key = shape.join();
    const program = programs.get(key) ?? (await runtime.load(graphOf(...shape)));
    // A map lists keys in the order they were set: the first is the one not used for longest.
    programs.delete(key);
    programs.set(key, program);
    const [oldest] = programs;
    if (programs.size > kept && oldest !== undefined) {
      programs.delete(oldest[0]);
      await oldest[1].release();
    }
    return program;
  };
}
