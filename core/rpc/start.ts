/**
 * What passes between a core process and the program that started it: JSON, one message a line, over stdin and stdout.
 *
 *     -> {"token":"…","library":"/home/ada/Dinoscope","port":40123,"allow":[]}
 *     <- {"type":"ready","port":40123,"cookie":"dinoscope-40123"}
 *     -> {"allow":["/media/photos"]}
 *
 * The core ends, stopping its jobs so that they can go on later, when its stdin ends.
 */
import * as v from "valibot";
import { path } from "./schemas.ts";

const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));

/** Folders and files that a person chose in the system's dialog: roots of the core from then on (see `files.roots`). */
const allow = v.pipe(v.array(path), v.maxLength(10_000));

/** The first line that the core reads. */
export const startMessage = v.strictObject({
  /** 32 random bytes in hex: what requests prove themselves with. */
  token: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  /** Folder of the library; made where it is not there. */
  library: path,
  /** Listen here if it is free: where an earlier core listened, so that its page finds this one. */
  port: v.optional(port),
  allow: v.optional(allow, []),
});
export type StartMessage = v.InferOutput<typeof startMessage>;

/** Every later line. */
export const allowMessage = v.strictObject({ allow });
export type AllowMessage = v.InferOutput<typeof allowMessage>;

/** The first line that the core writes: it listens on 127.0.0.1, or it cannot start at all and ends. */
export const firstLine = v.variant("type", [
  v.object({
    type: v.literal("ready"),
    port,
    /** Name of the cookie that carries the token. */
    cookie: v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/)),
  }),
  v.object({ type: v.literal("error"), code: v.string(), message: v.string(), hint: v.optional(v.string()) }),
]);
export type FirstLine = v.InferOutput<typeof firstLine>;
