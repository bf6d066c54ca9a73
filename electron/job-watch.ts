/** What the desktop shows of jobs: progress in the dock or taskbar, a notice when a long one ends, no sleep in training. */
import type * as Electron from "electron";
import type { JobKind } from "../core/rpc/records.ts";
import type { JobView } from "../core/rpc/views.ts";

/** Words for a job in a notice. */
const words: Readonly<Record<JobKind, string>> = {
  ingest: "Taking in pictures",
  embed: "Looking at pictures",
  suggest: "Suggesting labels",
  download: "Downloading a model",
  check: "Checking labels",
  masks: "Making masks",
  cluster: "Grouping pictures",
  map: "Drawing the map",
  export: "Exporting",
  import: "Importing",
  pretrain: "Training",
};

/** Milliseconds from which a job counts as long: people look elsewhere meanwhile. */
const longMs = 30_000;

export interface JobWatch {
  /** A job as the core tells it. */
  see(view: JobView): void;
  /** The core is gone: nothing runs until it says so again. */
  forget(): void;
  /** Jobs that wait or run. */
  active(): readonly JobView[];
}

type Parts = Pick<typeof Electron, "Notification" | "powerSaveBlocker">;

/** Follows jobs for a window; null while there is none. */
export function watchJobs(
  { Notification, powerSaveBlocker }: Parts,
  currentWindow: () => Electron.BrowserWindow | null,
): JobWatch {
  const active = new Map<number, JobView>();
  /** Notices that are shown: one that nothing holds may be gone before it is clicked. */
  const notices = new Set<Electron.Notification>();
  let blocker: number | undefined;

  const refresh = (): void => {
    const views = [...active.values()];
    currentWindow()?.setProgressBar(shownProgress(views));
    const trains = views.some(({ job }) => job.kind === "pretrain" && job.state === "running");
    if (trains) blocker ??= powerSaveBlocker.start("prevent-app-suspension");
    else if (blocker !== undefined) {
      powerSaveBlocker.stop(blocker);
      blocker = undefined;
    }
  };

  const notify = ({ job }: JobView): void => {
    const long = (job.finishedAt ?? Date.now()) - job.createdAt >= longMs;
    const window = currentWindow();
    const halted = job.state === "stopped" || job.state === "paused";
    if (!long || halted || window?.isFocused() === true || !Notification.isSupported()) return;
    const failed = job.state === "failed";
    const notice = new Notification({
      title: failed ? `${words[job.kind]} failed` : `${words[job.kind]} is done`,
      body: failed ? (job.problem?.message ?? "") : "Dinoscope is ready for the next step.",
    });
    notices.add(notice);
    notice.on("close", () => notices.delete(notice));
    notice.on("click", () => {
      notices.delete(notice);
      const shown = currentWindow();
      shown?.show();
      shown?.focus();
    });
    notice.show();
  };

  return {
    see: (view) => {
      const { id, state } = view.job;
      if (state === "queued" || state === "running") active.set(id, view);
      else if (active.delete(id)) notify(view);
      refresh();
    },
    forget: () => {
      active.clear();
      refresh();
    },
    active: () => [...active.values()],
  };
}

/** What `setProgressBar` takes: a share, 2 for "it runs, nobody knows how far", -1 for nothing. */
export function shownProgress(views: readonly JobView[]): number {
  const running = views.find(({ job }) => job.state === "running") ?? views[0];
  if (running === undefined) return -1;
  const { done, total } = running.progress ?? running.job;
  return total > 0 ? Math.min(1, done / total) : 2;
}
