/** The app as a server uses it: the contract's methods by name, bytes by id, and events. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import * as v from "valibot";
import { createEngine } from "../engine/supervisor.ts";
import type { Library } from "../library/open.ts";
import { listSources } from "../library/sources.ts";
import { contract, type MethodName } from "../rpc/contract.ts";
import type { ChangeKind, EventMessage } from "../rpc/messages.ts";
import { imageQuery } from "../rpc/schemas.ts";
import type { JobView } from "../rpc/views.ts";
import { CoreError, errorFromRecord, errorRecord } from "../util/errors.ts";
import type { App } from "../app.ts";
import { createBytes, type Bytes, type Content } from "./bytes.ts";
import { checkHandlers } from "./handlers/checks.ts";
import { groupHandlers } from "./handlers/groups.ts";
import { imageHandlers } from "./handlers/images.ts";
import { labelHandlers } from "./handlers/labels.ts";
import { historyState, libraryHandlers } from "./handlers/library.ts";
import { maskHandlers } from "./handlers/masks.ts";
import { modelHandlers } from "./handlers/models.ts";
import { runHandlers } from "./handlers/runs.ts";
import { workHandlers } from "./handlers/work.ts";
import { guestView } from "./guest-view.ts";
import { createImageColumnStore } from "./image-columns.ts";
import { createJobQueue, type JobMoment } from "./job-queue.ts";
import { changesOfJob, createJobWorkers } from "./job-workers.ts";
import { deviceOf, modelIdOf, modelOf, type Caller, type Office } from "./office.ts";
import { createQueries } from "./queries.ts";
import { createRevisions } from "./revisions.ts";
import { createRoots } from "./roots.ts";
import { createSimilarities } from "./similarity.ts";

export interface Service {
  readonly folder: string;
  /** Calls a method of the contract with parameters as they came. Throws `method-unknown`, `params-invalid`, `guest-refused`. */
  call(method: string, parameters: unknown, caller: Caller): Promise<unknown>;
  readonly bytes: Bytes;
  /** Reads the columns of the list that every page opens with, which takes half a second with 100,000 images. */
  prepare(): void;
  /** A list of images, from the JSON text of a query. Throws `params-invalid`. */
  images(queryText: string): Content;
  /** Takes a picture to search by; returns the query's id. */
  addQuery(bytes: Uint8Array, modelId: number): Promise<string>;
  /** What a new connection is told first. */
  hello(caller: Caller): EventMessage;
  /** A message as guests are shown it: of folders and files only the names. `call` answers them so by itself. */
  forGuests(message: EventMessage): EventMessage;
  /** Calls `listener` for every event, until the function returned is called. */
  on(listener: (message: EventMessage) => void): () => void;
  /** Stops jobs so that they can go on later, and closes the library. */
  close(): Promise<void>;
}

/** Changes by a running job are told no more often than this. */
const changeMs = 1000;

export interface ServiceOptions {
  /** Folders that may be browsed; the home folder unless given. */
  readonly roots?: readonly string[];
  /** Folders and files that may be used besides, as they were chosen in the system's own dialogs. */
  readonly allowed?: () => readonly string[];
}

/** A service for an app and its library; closing it closes both. */
export function createService(
  app: App,
  library: Library,
  { roots = [], allowed = () => [] }: ServiceOptions = {},
): Service {
  const instance = randomUUID();
  const listeners = new Set<(message: EventMessage) => void>();
  const engine = createEngine();
  const desk = { library, engine };
  const revisions = createRevisions();
  const columns = createImageColumnStore(library.db, revisions);
  const similarities = createSimilarities(library.db, columns, revisions);
  const queries = createQueries(desk);
  const device: Office["device"] = { choice: null, savedAt: null };
  const emit = (message: EventMessage): void => {
    for (const listener of listeners) listener(message);
  };
  const changed = (kinds: readonly ChangeKind[], imageIds: readonly number[] | null = null): void => {
    if (kinds.length === 0) return;
    revisions.bump(kinds);
    device.savedAt = Date.now();
    emit({ event: "changed", data: { kinds, imageIds, revision: revisions.total } });
    if (kinds.includes("history")) emit({ event: "history", data: historyState({ library }) });
  };
  let toldAt = 0;
  const follow = (view: JobView, moment: JobMoment): void => {
    emit({ event: "job", data: view });
    const { kind } = view.job;
    if (moment === "ended") {
      const labels = kind === "ingest" || kind === "import";
      changed([...changesOfJob[kind], ...(labels ? (["labels", "annotations", "history"] as const) : [])]);
    } else if (moment === "progress" && Date.now() - toldAt > changeMs) {
      toldAt = Date.now();
      changed(changesOfJob[kind]);
    }
  };
  const office: Office = {
    version: versionOfPackage(),
    library,
    desk,
    app,
    queue: createJobQueue(
      library.db,
      createJobWorkers(() => office),
      follow,
    ),
    roots: createRoots(roots, () => [...listSources(library.db).map(({ folder }) => folder), ...allowed()]),
    revisions,
    columns,
    similarities,
    queries,
    list: {
      db: library.db,
      columns,
      similarities: ({ to }, modelId) => {
        const model = modelOf({ library }, modelId ?? undefined);
        const vector =
          "queryId" in to ? queries.vectorOf(to.queryId, model.id) : similarities.meanOf(model.id, to.imageIds);
        return similarities.to(model.id, vector);
      },
    },
    device,
    changed,
    emit,
  };
  const handlers = {
    ...libraryHandlers(office),
    ...imageHandlers(office),
    ...labelHandlers(office),
    ...groupHandlers(office),
    ...maskHandlers(office),
    ...checkHandlers(office),
    ...modelHandlers(office),
    ...runHandlers(office),
    ...workHandlers(office),
  } satisfies Readonly<Record<MethodName, unknown>>;
  const bytes = createBytes(office, instance);
  const forGuests = <Value>(value: Value): Value => guestView(value, [library.folder, ...office.roots.given()]);
  return {
    folder: library.folder,
    bytes,
    // An async function, so that whatever is thrown is a rejection.
    call: async (method, parameters, caller) => {
      if (!isMethod(method)) throw new CoreError("method-unknown", `There is no method ${method.slice(0, 100)}.`);
      if (caller.guest && contract[method].access === "change") {
        throw new CoreError("guest-refused", "Guests may look at this library and change nothing.");
      }
      // The table has one handler for each method, with just these parameters.
      const handler = handlers[method] as (parameters: unknown, caller: Caller) => unknown;
      const asked = checked(contract[method].parameters, parameters);
      if (!caller.guest) return await handler(asked, caller);
      try {
        return forGuests(await handler(asked, caller));
      } catch (error) {
        throw errorFromRecord(forGuests(errorRecord(error)));
      }
    },
    forGuests,
    prepare: () => {
      try {
        columns.rows();
        columns.labels();
        columns.masks();
        columns.ofModel(modelIdOf(office));
      } catch {
        // Whoever asks for them meets the same problem, and is told of it.
      }
    },
    images: (queryText) => bytes.images(checked(imageQuery, parsedJson(queryText))),
    addQuery: (picture, modelId) => queries.add(picture, modelOf(office, modelId), deviceOf(office)),
    hello: ({ guest }) => ({
      event: "hello",
      data: { version: office.version, instance, guest, revision: revisions.total },
    }),
    on: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: async () => {
      await office.queue.close();
      await engine.close();
      await app.close();
    },
  };
}

function isMethod(name: string): name is MethodName {
  return Object.hasOwn(contract, name);
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new CoreError("params-invalid", "The query is not JSON.");
  }
}

/** A value as its schema takes it. Throws `params-invalid`, naming the first part that is wrong. */
function checked<Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const place = v.getDotPath(issue) ?? "the parameters";
  throw new CoreError("params-invalid", `Wrong parameters: in ${place.slice(0, 200)}, ${issue.message.slice(0, 300)}.`);
}

function versionOfPackage(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
