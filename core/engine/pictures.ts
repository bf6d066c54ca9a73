import { colourHistogram } from "../image/colour-histogram.ts";
import { preparePictures as prepareFiles } from "../image/prepare.ts";
import { viewCopy } from "../image/view.ts";
import { writeUpright } from "../image/upright.ts";
import { CoreError } from "../util/errors.ts";
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

/** See `uprightCopy` in protocol.ts. Only the picture's own faults are an outcome; a full disk is an error. */
export const uprightCopy: Method<"uprightCopy"> = async ({ from, to }) => {
  try {
    return { ok: true, value: { turned: await writeUpright(from, to) } };
  } catch (error) {
    if (error instanceof CoreError) return { ok: false, problem: { code: error.code, message: error.message } };
    throw error;
  }
};

/** See `viewPicture` in protocol.ts. */
export const viewPicture: Method<"viewPicture"> = ({ path, size }) => viewCopy(path, size);
