/**
 * Runs `work` soon after it was asked for, once for many requests, and never twice at a time: a request while it runs
 * makes it run once more.
 */
export function calmly(
  work: () => Promise<void>,
  pauseMs: number,
): { ask: (waitMs?: number) => void; stop: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Infinity;
  let running = false;
  let again = false;

  const run = async (): Promise<void> => {
    timer = undefined;
    due = Infinity;
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      await work();
    } finally {
      running = false;
      if (again) {
        again = false;
        ask();
      }
    }
  };

  const ask = (waitMs = pauseMs): void => {
    const wanted = performance.now() + waitMs;
    if (wanted >= due) return;
    clearTimeout(timer);
    due = wanted;
    timer = setTimeout(() => void run(), waitMs);
  };

  return { ask, stop: () => clearTimeout(timer) };
}
