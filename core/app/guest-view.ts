/** What guests are shown: of folders and files of this machine only their names. */
import { basename, isAbsolute } from "node:path";

/** Members that hold a path where it is absolute: of the library, of sources, in what a job was asked to do. */
const pathMembers: ReadonlySet<string> = new Set(["folder", "file", "path"]);

/** A copy of plain data in which paths are names, also inside of sentences where they begin with one of the folders. */
export function guestView<Value>(value: Value, folders: readonly string[]): Value {
  // The longest first: a source in the home folder has a name of its own.
  const named = folders.filter((folder) => basename(folder) !== "").sort((one, other) => other.length - one.length);
  const shown = (member: string, part: unknown): unknown => {
    if (typeof part === "string") {
      if (pathMembers.has(member) && isAbsolute(part)) return basename(part);
      return named.reduce((text, folder) => text.replaceAll(folder, basename(folder)), part);
    }
    if (Array.isArray(part)) return part.map((element: unknown) => shown(member, element));
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, shown(name, inner)]));
  };
  return shown("", value) as Value;
}
