/** The library as a whole: what it holds, its sources, its settings, its history, and folders of this machine. */
import * as v from "valibot";
import type { Folder, FolderRoot, History, Overview, Settings } from "../views.ts";
import type { Operation, Source } from "../records.ts";
import { change, look } from "../define.ts";
import { id, limit, nothing, path, words } from "../schemas.ts";
import type { DeviceChoice, DeviceReport } from "../api.ts";

export const libraryMethods = {
  /** Everything that the frame shows; quick, and asked for again when something changed. */
  "library.overview": look<Overview>()(nothing),
  /** Points a source at the folder that its pictures were moved to; every image keeps its row. Run `ingest` after it. */
  "sources.move": change<Source>()(v.strictObject({ sourceId: id, folder: path })),
  /**
   * Takes a source out that was added by mistake, with its images. Refused (`source-in-use`) once one of its images had a
   * label or a corrected mask: the history could not be undone any more.
   */
  "sources.remove": change<{ images: number }>()(v.strictObject({ sourceId: id })),
  /** The newest operations, newest first; undone ones come first, and can be redone. */
  "history.list": look<History>()(v.strictObject({ limit: v.optional(limit, 200) })),
  /** Takes back the newest operation; null where there is none. */
  "history.undo": change<Operation | null>()(nothing),
  /** Does again what was undone last; null where there is nothing. */
  "history.redo": change<Operation | null>()(nothing),
  /**
   * Undoes or redoes until this operation is the newest one that is done; 0 undoes all. Returns the operations that were
   * taken back or done again, in that order.
   */
  "history.goTo": change<Operation[]>()(
    v.strictObject({ operationId: v.pipe(v.number(), v.safeInteger(), v.minValue(0)) }),
  ),
  /** What the page and the user chose, by key; see `Settings` for the keys that the core knows. */
  "settings.get": look<Settings>()(nothing),
  /** Keeps a setting; null forgets it. At most 64 kB of JSON a key. Not in the history. */
  "settings.set": change<null>()(
    v.strictObject({ key: v.pipe(words, v.regex(/^[a-z][a-zA-Z0-9.-]{0,63}$/)), value: v.unknown() }),
  ),
  /** Folders to start browsing from. Nothing outside them is ever listed, read in, or written to. */
  "files.roots": change<FolderRoot[]>()(nothing),
  /** The folders and picture files in a folder. Throws `path-outside` beyond the roots, `folder-unreadable`. */
  "files.list": change<Folder>()(v.strictObject({ path })),
  /** Where models run, and which better devices were refused, and why. Starts the engine: the first call takes a second. */
  "device.get": look<DeviceChoice>()(nothing),
  /** Tests every device, each in a process of its own; takes a minute. Each report is also sent as an event `device`. */
  "device.test": change<DeviceReport[]>()(nothing),
} as const;
