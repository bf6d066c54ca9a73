import type { PictureOutcome, WantedDevice } from "../engine/protocol.ts";
import type { Engine } from "../engine/supervisor.ts";
import type { ReadLibrary } from "../library/open.ts";
import type { Model } from "../rpc/records.ts";
import { errorFromRecord } from "../util/errors.ts";
import { storedForegroundHead } from "./mask-heads.ts";
import { modelFile, resizeFor } from "./model-file.ts";
import { onceMore } from "./once-more.ts";

/**
 * The embedding of a picture file that need not be in the library, as `model` sees it; its foreground is what the trained
 * head takes for it. Nothing is stored. Throws what is wrong with the picture.
 */
export async function embedFile(
  { library, engine }: { readonly library: ReadLibrary; readonly engine: Engine },
  model: Model,
  path: string,
  device: WantedDevice,
): Promise<Float32Array> {
  const { foreground, imageSize } = model;
  const request = { model: modelFile(library.folder, model), device, paths: [path], resize: resizeFor(imageSize) };
  const [outcome] = await onceMore((): Promise<readonly PictureOutcome<{ vector: Float32Array }>[]> => {
    if (foreground === null) return engine.call("embedPictures", request);
    const head = storedForegroundHead(library.db, model, imageSize)?.head ?? null;
    return engine.call("embedForegrounds", { ...request, blend: foreground.blend, masks: [null], head });
  });
  if (outcome?.ok !== true) throw errorFromRecord(outcome?.problem ?? { code: "internal", message: "No answer." });
  return outcome.value.vector;
}
