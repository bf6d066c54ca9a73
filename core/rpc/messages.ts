/** What goes over the socket: JSON text, one message a frame. */
import type { DeviceReport, RunEvent } from "./api.ts";
import type { HistoryState, JobView } from "./views.ts";

/** A call. `id` is the caller's, and comes back with the answer; answers may come in another order. */
export interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
}

/** What went wrong, for programs (`code`) and for people. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** An answer. `id` is null where the call could not be read so far as to know it. */
export type Answer =
  { readonly id: number; readonly result: unknown } | { readonly id: number | null; readonly error: Problem };

/** Parts of the library that a change touches, and that the page asks for again. */
export const changeKinds = [
  "sources",
  "images",
  "labels",
  "annotations",
  "suggestions",
  "clusters",
  "map",
  "masks",
  "models",
  "embeddings",
  "findings",
  "settings",
  "history",
] as const;
export type ChangeKind = (typeof changeKinds)[number];

/** What the core says by itself, to every connection. */
export interface Events {
  /** First on every connection. Another `instance` than before: the core was started again, ask for everything. */
  readonly hello: {
    readonly version: string;
    readonly instance: string;
    readonly guest: boolean;
    readonly revision: number;
  };
  /** The library changed. `imageIds` names the images where they are few, null where they are many or not known. */
  readonly changed: {
    readonly kinds: readonly ChangeKind[];
    readonly imageIds: readonly number[] | null;
    readonly revision: number;
  };
  /** What undo and redo do now. */
  readonly history: HistoryState;
  /** A job was queued, moved on (a few times a second at most) or ended. */
  readonly job: JobView;
  /** What happens in a pretraining; its metrics come a few times a second. */
  readonly run: { readonly runId: number; readonly event: RunEvent };
  /** One device was tested (`device.test`). */
  readonly device: DeviceReport;
}

export type EventName = keyof Events;

/** An event as it is sent. */
export type EventMessage = {
  readonly [Name in EventName]: { readonly event: Name; readonly data: Events[Name] };
}[EventName];

/** Codes with which the core closes a socket (RFC 6455, 7.4: 4000 and up are a program's own). */
export const closeCodes = {
  /** The core ends. */
  goingAway: 1001,
  /** Messages came faster than is allowed. */
  tooFast: 4001,
  /** The connection did not take what was sent to it. */
  tooSlow: 4002,
} as const;
