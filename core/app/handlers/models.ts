/** Handlers of core/rpc/methods/models.ts. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { publishedBaseUrl, publishedModels } from "../../jobs/published-models.ts";
import { deleteModel, listModels, renameModel } from "../../library/models.ts";
import { putSetting } from "../../library/settings.ts";
import type { modelMethods } from "../../rpc/methods/models.ts";
import { deviceOf, modelOf, type Handlers, type Office } from "../office.ts";
import { busy, modelRows } from "./library.ts";

export function modelHandlers(office: Office): Handlers<typeof modelMethods> {
  const { app } = office;
  const { db, folder } = office.library;
  const rows = modelRows(office);
  return {
    "models.list": () => rows(),
    "models.published": () =>
      publishedModels.map(({ name, summary, path, maxBytes }) => ({
        name,
        summary,
        url: `${publishedBaseUrl}${path}`,
        // The bound is a tenth above the weights.
        byteSize: Math.round(maxBytes / 1.1),
        present: listModels(db).some((model) => model.name === name),
      })),
    "models.create": async ({ name, architecture, patch, size, seed }) => {
      const model = await app.createModel(name, { arch: architecture, patch, size, seed });
      office.changed(["models"], []);
      return model;
    },
    "models.starter": async () => {
      const model = await app.addStarterModel();
      office.changed(["models"], []);
      return model;
    },
    "models.import": async ({ path, name, heads, part }) => {
      const model = await app.importModel(await office.roots.existing(path), { name, heads, part });
      office.changed(["models"], []);
      return model;
    },
    "models.export": async ({ modelId, format, path }) =>
      app.exportModel(modelOf(office, modelId).name, format, await office.roots.unused(path)),
    "models.rename": ({ modelId, name }) => {
      renameModel(db, modelOf(office, modelId).id, name);
      office.changed(["models"], []);
      return null;
    },
    "models.delete": async ({ modelId }) => {
      const model = modelOf(office, modelId);
      if (office.queue.active().length > 0) throw busy("A model is deleted only while no job runs.");
      deleteModel(db, model.id);
      // Sizes of one model share its file.
      const isShared = listModels(db).some(({ file }) => file === model.file);
      if (!isShared) await rm(join(folder, model.file), { force: true });
      office.changed(["models", "embeddings", "suggestions", "clusters", "map", "findings", "history"], null);
      return null;
    },
    "models.choose": ({ modelId }) => {
      putSetting(db, "currentModelId", modelId === null ? null : modelOf(office, modelId).id);
      office.changed(["models", "settings"], []);
      return null;
    },
    "models.evaluate": ({ modelId, neighbours, device }) =>
      app.evaluate({
        model: modelOf(office, modelId).name,
        neighbours,
        temperature: 0.07,
        device: deviceOf(office, device),
      }),
  };
}
