/** Iterations in one pass over `images` pictures; those left over at its end wait for the next pass. */
export function iterationsPerEpoch(images: number, batch: number): number {
  return Math.max(1, Math.floor(images / batch));
}

/** Share of a run's time that is left for probes, checkpoints and the start. */
const overhead = 0.06;

/** Iterations that fit in a time, one at least. */
export function iterationsIn(milliseconds: number, stepMs: number): number {
  return Math.max(1, Math.floor(((1 - overhead) * milliseconds) / stepMs));
}

/** Time that iterations take in all, in milliseconds. */
export function timeOf(iterations: number, stepMs: number): number {
  return (iterations * stepMs) / (1 - overhead);
}
