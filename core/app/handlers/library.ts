/** Handlers of core/rpc/methods/library.ts. */
import { basename } from "node:path";
import { countEmbeddings } from "../../library/embeddings.ts";
import { countMasks } from "../../library/image-columns.ts";
import { countImages } from "../../library/images.ts";
import { clusteringOf, clusterOperationKinds, listClusters } from "../../library/clusters.ts";
import { listLabels } from "../../library/labels.ts";
import { countMapPoints } from "../../library/maps.ts";
import { listModels } from "../../library/models.ts";
import { history, redo, undo } from "../../library/operations.ts";
import { listSettings, putSetting } from "../../library/settings.ts";
import { listSources, moveSource, removeSource, sourceById } from "../../library/sources.ts";
import { imageFlags } from "../../rpc/columns.ts";
import type { libraryMethods } from "../../rpc/methods/library.ts";
import type { ChangeKind } from "../../rpc/messages.ts";
import type { Operation } from "../../rpc/records.ts";
import type { HistoryState, ModelRow } from "../../rpc/views.ts";
import { CoreError } from "../../util/errors.ts";
import { diagnose } from "../diagnose.ts";
import { deviceOf, modelIdOf, type Handlers, type Office } from "../office.ts";
import { remembered } from "../revisions.ts";

/** What undoing or redoing steps changes, by their kinds: whoever keeps more in memory reads only that again. */
function changesOf(operations: readonly Operation[]): readonly ChangeKind[] {
  const kinds = operations.map(({ kind }) => kind).join(" ");
  return [
    "labels",
    "annotations",
    "history",
    ...(/mask/.test(kinds) ? (["masks"] as const) : []),
    ...(/check|finding/.test(kinds) ? (["findings"] as const) : []),
    ...(/suggestion/.test(kinds) ? (["suggestions"] as const) : []),
    ...(clusterOperationKinds.some((kind) => kinds.includes(kind)) ? (["clusters"] as const) : []),
  ];
}

export function libraryHandlers(office: Office): Handlers<typeof libraryMethods> {
  const { db } = office.library;
  const step = (operation: Operation | null): Operation | null => {
    if (operation !== null) office.changed(changesOf([operation]), null);
    return operation;
  };
  const sourceRows = remembered(
    () => office.revisions.of("images", "sources"),
    (_: null) => ({
      sources: listSources(db).map((source) => ({ source, images: countImages(db, source.id) })),
      images: countImages(db),
    }),
  );
  const models = modelRows(office);
  return {
    "library.overview": (_, { guest }) => ({
      version: office.version,
      folder: office.library.folder,
      name: basename(office.library.folder) || office.library.folder,
      guest,
      ...sourceRows(null),
      labels: listLabels(db).length,
      annotated: office.columns.labels().labelIds.reduce((sum, id) => sum + (id === 0 ? 0 : 1), 0),
      masks: countMasks(db),
      models: models(),
      currentModelId: modelIdOf(office),
      device: office.device.choice,
      history: historyState(office),
      jobs: office.queue.active(),
      revision: office.revisions.total,
      savedAt: office.device.savedAt,
    }),
    "sources.move": async ({ sourceId, folder }) => {
      const real = await office.roots.existing(folder);
      moveSource(db, sourceId, real);
      office.changed(["sources", "images"], null);
      const source = sourceById(db, sourceId);
      if (source === null) throw new CoreError("source-unknown", `There is no source ${sourceId} in this library.`);
      return source;
    },
    "sources.remove": ({ sourceId }) => {
      if (office.queue.active().length > 0) throw busy("A source is taken out only while no job runs.");
      const images = removeSource(db, sourceId);
      office.changed(["sources", "images", "embeddings", "suggestions", "clusters", "map", "masks", "findings"], null);
      return { images };
    },
    "history.list": ({ limit }) => ({ operations: history(db, limit), ...historyState(office) }),
    "history.undo": () => step(undo(db)),
    "history.redo": () => step(redo(db)),
    "history.goTo": ({ operationId }) => goTo(office, operationId),
    "settings.get": () => listSettings(db),
    "settings.set": ({ key, value }) => {
      putSetting(db, key, value);
      office.changed(["settings"], []);
      return null;
    },
    "files.roots": () => office.roots.list(),
    "files.list": ({ path }) => office.roots.browse(path),
    "device.get": async () => {
      const choice = await office.desk.engine.call("chooseDevice", { device: deviceOf(office) });
      office.device.choice = choice;
      return choice;
    },
    "device.test": async () => {
      const reports = [];
      for await (const report of diagnose()) {
        reports.push(report);
        office.emit({ event: "device", data: report });
      }
      return reports;
    },
  };
}

/** What undo and redo would do now. */
export function historyState({ library: { db } }: Pick<Office, "library">): HistoryState {
  // Undone operations are the newest ones, so that both are found from the top; few people undo more than a page.
  for (let limit = 100; ; limit *= 10) {
    const operations = history(db, limit);
    const done = operations.findIndex(({ state }) => state === "done");
    const redoable = operations[(done < 0 ? operations.length : done) - 1] ?? null;
    if (done >= 0 || operations.length < limit) return { undo: operations[done] ?? null, redo: redoable };
  }
}

function goTo(office: Office, operationId: number): Operation[] {
  const { db } = office.library;
  const target = operationId === 0 ? null : history(db, Number.MAX_SAFE_INTEGER).find(({ id }) => id === operationId);
  if (target === undefined) {
    throw new CoreError("operation-unknown", `There is no operation ${operationId} in this library's history.`);
  }
  const steps: Operation[] = [];
  const isUndone = target?.state === "undone";
  for (;;) {
    const state = historyState(office);
    const next = isUndone ? state.redo : state.undo;
    if (next === null || (isUndone ? next.id > operationId : next.id <= operationId)) break;
    const done = isUndone ? redo(db) : undo(db);
    if (done === null) break;
    steps.push(done);
  }
  if (steps.length > 0) office.changed(changesOf(steps), null);
  return steps;
}

/** The models with what was computed with them; counted again only after that has changed. */
export function modelRows(office: Office): () => ModelRow[] {
  const { db } = office.library;
  const computed = remembered(
    () => office.revisions.of("models", "embeddings", "images", "sources", "clusters", "map"),
    (_: null) =>
      listModels(db).map((model) => ({
        model,
        embedded: countEmbeddings(db, model.id),
        clusters: clusteringOf(db, model.id) === null ? 0 : listClusters(db, model.id).length,
        mapped: countMapPoints(db, model.id),
        seesPatches: model.kind === "vit",
        heads: typeof model.architecture?.["heads"] === "number" ? model.architecture["heads"] : null,
      })),
  );
  const counted = remembered(
    () => office.revisions.of("models", "embeddings", "images", "sources", "annotations", "suggestions"),
    (_: null) => {
      const { labelIds } = office.columns.labels();
      return new Map(
        listModels(db).map(({ id }) => {
          const { embedded, suggestionFlags } = office.columns.ofModel(id);
          let [labelled, suggestions, offered] = [0, 0, 0];
          for (let row = 0; row < labelIds.length; row++) {
            if (labelIds[row] !== 0 && embedded[row] === 1) labelled++;
            if (suggestionFlags[row] !== 0) suggestions++;
            if (suggestionFlags[row] === imageFlags.suggestionOffered) offered++;
          }
          return [id, { labelled, suggestions, offered }];
        }),
      );
    },
  );
  return () =>
    computed(null).map((row) => ({
      ...row,
      ...(counted(null).get(row.model.id) ?? { labelled: 0, suggestions: 0, offered: 0 }),
    }));
}

/** The error for what must wait for jobs. */
export function busy(message: string): CoreError {
  return new CoreError("jobs-running", message, { hint: "Stop the job or wait for it, then try again." });
}
