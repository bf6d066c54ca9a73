import { colourHistogram } from "../image/colour-histogram.ts";
import { preparePictures as prepareFiles } from "../image/prepare.ts";
import type { EngineMethods } from "./protocol.ts";

type Method<Name extends keyof EngineMethods> = (
  request: EngineMethods[Name]["request"],
) => Promise<EngineMethods[Name]["result"]>;

/** See `preparePictures` in protocol.ts. */
export const preparePictures: Method<"preparePictures"> = ({ paths, thumbnailSize }) =>
  prepareFiles(paths, { thumbnailSize });

/** See `colourHistograms` in protocol.ts. */
export const colourHistograms: Method<"colourHistograms"> = ({ thumbnails }) =>
  Promise.all(thumbnails.map((bytes) => colourHistogram(bytes)));
