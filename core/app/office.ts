/** What the app's rooms share while it serves one library. */
import type * as v from "valibot";
import type { ExportScope } from "../jobs/export-plan.ts";
import { modelInUse } from "../jobs/models.ts";
import { modelById, unknownModel } from "../library/models.ts";
import type { Library } from "../library/open.ts";
import { listSettings } from "../library/settings.ts";
import type { WantedDevice } from "../engine/protocol.ts";
import type { DeviceChoice } from "../rpc/api.ts";
import type { Method, ResultOf } from "../rpc/define.ts";
import type { exportChoice } from "../rpc/job-parameters.ts";
import type { ChangeKind, EventMessage } from "../rpc/messages.ts";
import type { Model } from "../rpc/records.ts";
import type { ImageTarget } from "../rpc/schemas.ts";
import { CoreError } from "../util/errors.ts";
import type { App } from "../app.ts";
import type { Desk } from "./desk.ts";
import type { ImageColumnStore } from "./image-columns.ts";
import { filteredRows, type ListMaterial } from "./image-list.ts";
import type { JobQueue } from "./job-queue.ts";
import type { Queries } from "./queries.ts";
import type { Revisions } from "./revisions.ts";
import type { Roots } from "./roots.ts";
import type { Similarities } from "./similarity.ts";

export interface Office {
  readonly version: string;
  readonly library: Library;
  /** The library with an engine of its own: what a person waits for does not queue behind a job. */
  readonly desk: Desk;
  /** What the terminal can do, with the engine of the jobs. */
  readonly app: App;
  readonly queue: JobQueue;
  readonly roots: Roots;
  readonly revisions: Revisions;
  readonly columns: ImageColumnStore;
  readonly similarities: Similarities;
  readonly queries: Queries;
  readonly list: ListMaterial;
  /** Where the engine works; null until it was asked once. */
  readonly device: { choice: DeviceChoice | null; savedAt: number | null };
  /** Says that the library changed, and where. */
  changed(kinds: readonly ChangeKind[], imageIds?: readonly number[] | null): void;
  emit(message: EventMessage): void;
}

/** Who asks. */
export interface Caller {
  readonly guest: boolean;
}

/** An implementation of some methods of the contract. */
export type Handlers<Methods extends Readonly<Record<string, Method>>> = {
  readonly [Name in keyof Methods]: (
    parameters: v.InferOutput<Methods[Name]["parameters"]>,
    caller: Caller,
  ) => ResultOf<Methods[Name]> | Promise<ResultOf<Methods[Name]>>;
};

/** The model of an id; without one the model in use. Throws `model-unknown`. */
export function modelOf({ library: { db } }: Pick<Office, "library">, modelId?: number): Model {
  if (modelId !== undefined) {
    const model = modelById(db, modelId);
    if (model === null) throw unknownModel(modelId);
    return model;
  }
  return modelInUse(db, undefined);
}

/** `modelOf`, or null in a library without models. */
export function modelIdOf(office: Pick<Office, "library">, modelId?: number): number | null {
  try {
    return modelOf(office, modelId).id;
  } catch (error) {
    if (modelId === undefined && error instanceof CoreError && error.code === "model-missing") return null;
    throw error;
  }
}

const devices: readonly string[] = ["auto", "cuda", "webgpu", "directml", "coreml", "cpu"];

/** Where models run: what was asked for, or what the settings say. */
export function deviceOf({ library: { db } }: Pick<Office, "library">, wanted?: WantedDevice): WantedDevice {
  if (wanted !== undefined) return wanted;
  const stored = listSettings(db)["device"];
  return typeof stored === "string" && devices.includes(stored) ? (stored as WantedDevice) : "auto";
}

/** The images that a target means. */
export function targetIds(office: Office, target: ImageTarget): readonly number[] {
  if ("ids" in target) return [...new Set(target.ids)];
  const except = new Set(target.except);
  const { ids } = office.columns.rows();
  const rows = filteredRows(office.list, target.filter, modelIdOf(office, target.modelId));
  return Array.from(rows, (row) => ids[row] as number).filter((id) => !except.has(id));
}

type PageScope = v.InferOutput<typeof exportChoice>["scope"];

/** The images that an export of the page means, as jobs take them: a filter is gone through now. */
export function exportScopeOf(office: Office, scope: PageScope, modelId: number | undefined): ExportScope {
  if (scope.kind !== "filter") return scope;
  return { kind: "images", imageIds: targetIds(office, { filter: scope.filter, modelId }) };
}

/** Images that an event names; more are said to be many. */
const namedImages = 1000;

/** Ids for an event: null where they are many. */
export function fewIds(ids: readonly number[]): readonly number[] | null {
  return ids.length <= namedImages ? ids : null;
}
