import type { Progress } from "../rpc/api.ts";

/** Tells whoever watches how far a job has come. */
export type ProgressListener = (progress: Progress) => void;

/** Speed is taken over this long: short enough to follow a change, long enough not to jump. */
const windowMs = 10_000;

/** Turns counts into progress with speed and time to go. One meter a phase. */
export function createMeter(phase: string, now: () => number = Date.now): (done: number, total: number) => Progress {
  // The first mark is the first report: what a resumed job had done before says nothing about its speed.
  const marks: { at: number; done: number }[] = [];
  return (done, total) => {
    const at = now();
    while (marks.length > 1 && at - (marks[0]?.at ?? at) > windowMs) marks.shift();
    const oldest = marks[0] ?? { at, done };
    marks.push({ at, done });
    const elapsed = at - oldest.at;
    const perSecond = elapsed > 0 && done > oldest.done ? ((done - oldest.done) / elapsed) * 1000 : null;
    const remainingMs = perSecond === null || total === 0 ? null : (Math.max(0, total - done) / perSecond) * 1000;
    return { phase, done, total, perSecond, remainingMs };
  };
}
