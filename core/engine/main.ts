/** Entry of the engine process. It answers the calls of protocol.ts and ends when its parent does. */
import { errorRecord } from "../util/errors.ts";
import { colourHistograms, preparePictures, uprightCopy, viewPicture } from "./pictures.ts";
import { createDevices } from "./devices.ts";
import { createEmbedder } from "./embed.ts";
import { createCentres } from "./kmeans.ts";
import { createMasker } from "./mask-features.ts";
import { createLayouts } from "./layouts.ts";
import { createModel, exportModel, importModel } from "./models.ts";
import { createNeighbours } from "./neighbours.ts";
import { probeDevice } from "./probe.ts";
import { createTraining } from "./training/methods.ts";
import type { EngineMethod, EngineMethods, EngineRequest, EngineResponse } from "./protocol.ts";

type Handlers = {
  readonly [Method in EngineMethod]: (
    request: EngineMethods[Method]["request"],
  ) => Promise<EngineMethods[Method]["result"]>;
};

const devices = createDevices();
const embedder = createEmbedder(devices);
const neighbours = createNeighbours(devices);
const centres = createCentres(devices, neighbours.bank);
const masker = createMasker(devices);

const handlers: Handlers = {
  preparePictures,
  colourHistograms,
  uprightCopy,
  chooseDevice: ({ device }) => devices.choose(device),
  probeDevice,
  importModel,
  createModel,
  exportModel,
  embedPictures: embedder.embed,
  embedForegrounds: embedder.embedForegrounds,
  loadBank: neighbours.load,
  nearest: neighbours.nearest,
  dropBank: neighbours.drop,
  maskPictures: masker.maskPictures,
  maskAttention: masker.maskAttention,
  foregroundSamples: masker.foregroundSamples,
  previewMask: masker.previewMask,
  patchFeatures: masker.patchFeatures,
  viewPicture,
  readMasks: masker.readMasks,
  nearestCentres: centres.nearestCentres,
  seedCentres: centres.seedCentres,
  ...createLayouts(neighbours.bank),
  ...createTraining(devices),
};

function send(response: EngineResponse): void {
  // The parent may be gone: then there is nobody to tell, and 'disconnect' ends this process.
  if (process.connected) process.send?.(response);
}

async function answer<Method extends EngineMethod>({ id, method, request }: EngineRequest<Method>): Promise<void> {
  try {
    send({ kind: "result", id, result: await handlers[method](request) });
  } catch (error) {
    send({ kind: "error", id, error: errorRecord(error) });
  }
}

process.on("message", (message: EngineRequest) => void answer(message));
process.on("disconnect", () => process.exit(0));
// Ctrl-C in a terminal reaches the whole process group; the core decides when the engine stops.
process.on("SIGINT", () => {});
send({ kind: "ready" });
