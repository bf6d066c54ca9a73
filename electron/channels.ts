/** The channels between page and main, with the shape of their arguments: what both sides must agree on. */
import * as v from "valibot";

const folder = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));

/** Arguments of each channel. Main parses them; whatever does not fit is refused. */
export const channels = {
  "choose-folder": v.strictTuple([v.picklist(["pictures", "export"])]),
  "choose-file": v.strictTuple([v.picklist(["model", "labels", "picture"])]),
  dropped: v.strictTuple([folder]),
  reveal: v.strictTuple([folder]),
  "recent-libraries": v.strictTuple([]),
  "open-recent-library": v.strictTuple([folder]),
  "choose-library": v.strictTuple([]),
} as const satisfies Readonly<Record<string, v.GenericSchema>>;

/** From main to the page, with a command of the menu. */
export const commandChannel = "command";

export type Channel = keyof typeof channels;
export type Arguments<Name extends Channel> = v.InferOutput<(typeof channels)[Name]>;
