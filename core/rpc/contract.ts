/**
 * THE CONTRACT between core and page: the table of methods, from which both sides derive their types. Calls and events
 * go over one WebSocket as JSON (messages.ts), bytes over HTTP (paths.ts, columns.ts), both on the origin that the page
 * came from; a cookie that the page cannot read says who asks.
 *
 *     const overview = await core.call("library.overview", {});
 *     const { path, body } = imagesRequest({ filter: { labelled: false }, sort: { by: "uncertainty" } });
 *
 * A call fails with a `Problem`. Beside those that methods name: `params-invalid`, `method-unknown`, `guest-refused` (a
 * guest may look only), `message-invalid`, `message-too-large`, `too-many-calls`, and what the core itself throws.
 */
import type * as v from "valibot";
import type { Method, ResultOf } from "./define.ts";
import { checkMethods } from "./methods/checks.ts";
import { groupMethods } from "./methods/groups.ts";
import { imageMethods } from "./methods/images.ts";
import { labelMethods } from "./methods/labels.ts";
import { libraryMethods } from "./methods/library.ts";
import { maskMethods } from "./methods/masks.ts";
import { modelMethods } from "./methods/models.ts";
import { runMethods } from "./methods/runs.ts";
import { workMethods } from "./methods/work.ts";

/** Every method: its parameters' schema, who may call it, and the type of its result. */
export const contract = {
  ...libraryMethods,
  ...imageMethods,
  ...labelMethods,
  ...groupMethods,
  ...maskMethods,
  ...checkMethods,
  ...modelMethods,
  ...runMethods,
  ...workMethods,
} as const satisfies Readonly<Record<string, Method>>;

export type Contract = typeof contract;
export type MethodName = keyof Contract;

/** Parameters as the caller gives them: what has a default may be left out. */
export type Params<Name extends MethodName> = v.InferInput<Contract[Name]["parameters"]>;

/** Parameters as the core sees them, with defaults filled in. */
export type CheckedParams<Name extends MethodName> = v.InferOutput<Contract[Name]["parameters"]>;

export type Result<Name extends MethodName> = ResultOf<Contract[Name]>;

/** How the page calls the core. */
export type Call = <Name extends MethodName>(method: Name, params: Params<Name>) => Promise<Result<Name>>;

export type { ExportFormatName, JobParameters, JobRequest, JobResults, StartableKind } from "./job-parameters.ts";
export type { ImageFilter, ImageQuery, ImageSort, ImageTarget, MaskChoice } from "./schemas.ts";
