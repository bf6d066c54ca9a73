/** Which jobs can be paused. */
import type { JobKind } from "./records.ts";

/**
 * Kinds that go on where they were. The others begin anew: they take seconds, or make something that is there whole or
 * not at all, as an export is; those are only stopped.
 */
const goesOn: Readonly<Record<JobKind, boolean>> = {
  ingest: true,
  embed: true,
  masks: true,
  cluster: true,
  map: true,
  pretrain: true,
  download: true,
  suggest: false,
  check: false,
  export: false,
  import: false,
};

/** Whether jobs of a kind can be paused: those that go on where they were. */
export function canPause(kind: JobKind): boolean {
  return goesOn[kind];
}
