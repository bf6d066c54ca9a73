import { afterAll } from "vitest";
import { createEngine, type Engine } from "../../core/engine/supervisor.ts";

/** One engine for all tests of a file, closed after them: starting one takes longer than most of what it is asked. */
export function sharedEngine(): Engine {
  const engine = createEngine();
  afterAll(() => engine.close());
  return engine;
}
