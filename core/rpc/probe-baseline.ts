/** What the figures of a run's probes can be compared with. */
import type { RunProbe } from "./records.ts";

/** Self-retrieval goes by pictures, accuracy by labelled ones. */
export type ProbedPart = "pictures" | "labels";

/**
 * The first probe on the very pictures, and labels, that a later one was made with; that one itself where nothing before
 * can be compared with it: pictures and labels may change while a run is stopped, and files may become unreadable.
 */
export function baselineOf(probes: readonly RunProbe[], later: RunProbe, part: ProbedPart): RunProbe {
  const onTheSame = ({ iteration, ...other }: RunProbe): boolean =>
    iteration <= later.iteration &&
    (part === "pictures"
      ? iteration >= later.picturesSince && other.selfRetrievalCount === later.selfRetrievalCount
      : iteration >= later.labelsSince && other.accuracyCount === later.accuracyCount);
  return probes.find(onTheSame) ?? later;
}
