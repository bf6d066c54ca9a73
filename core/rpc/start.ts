/**
 * What passes between a core process and the program that started it: JSON, one message a line, over stdin and stdout.
 *
 *     -> {"token":"…","library":"/home/ada/Dinoscope","mustExist":true,"port":40123,"allow":[]}
 *     <- {"type":"opening"}
 *     <- {"type":"ready","port":40123,"cookie":"dinoscope-40123"}
 *     -> {"allow":["/media/photos"]}
 *     <- {"type":"ending"}
 *
 * The core ends, stopping its jobs so that they can go on later, when its stdin ends; while it does,
 * it says so again and again.
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
  /** Folder of the library; made where it is not there, unless it must be. */
  library: path,
  mustExist: v.optional(v.boolean(), false),
  /** Listen here if it is free: where an earlier core listened, so that its page finds this one. */
  port: v.optional(port),
  allow: v.optional(allow, []),
});
export type StartMessage = v.InferInput<typeof startMessage>;

/** Every later line. */
export const allowMessage = v.strictObject({ allow });
export type AllowMessage = v.InferOutput<typeof allowMessage>;

/** What the core writes. */
export const coreLine = v.variant("type", [
  /** It has read its first line and opens the library, which can take minutes where a large one is brought up to date. */
  v.object({ type: v.literal("opening") }),
  /** It listens on 127.0.0.1. */
  v.object({
    type: v.literal("ready"),
    port,
    /** Name of the cookie that carries the token. */
    cookie: v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/)),
  }),
  /** It cannot start at all, and ends. */
  v.object({ type: v.literal("error"), code: v.string(), message: v.string(), hint: v.optional(v.string()) }),
  /** It is told to end and alive: what runs is being stored. */
  v.object({ type: v.literal("ending") }),
]);
export type CoreLine = v.InferOutput<typeof coreLine>;
