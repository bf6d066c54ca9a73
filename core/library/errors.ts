import { CoreError } from "../util/errors.ts";

/** What a failing library means to its user: code, sentence and what to do. */
type Meaning = readonly [code: string, message: string, hint: string];

const diskFull: Meaning = [
  "disk-full",
  "The library could not be written: the disk is full.",
  "Free some space and try again. The step was taken back as a whole, so nothing is half done.",
];
const readOnly: Meaning = [
  "library-read-only",
  "The library could not be used: its folder or files are read-only.",
  "Check the permissions of the library folder (reading, too, keeps a small file there), or choose another one with --library.",
];
const cannotOpen: Meaning = [
  "library-cannot-open",
  "The library's files could not be opened.",
  "Check that the folder exists, that its disk is connected, and that you may read and write there.",
];
const busy: Meaning = [
  "library-busy",
  "The library was busy: another program kept its file locked for several seconds.",
  "Close other programs that use this library (a backup or a database viewer, perhaps) and try again.",
];
const corrupt: Meaning = [
  "library-corrupt",
  "The library's file is damaged or is no SQLite database.",
  "Restore library.sqlite from a backup. Your pictures are not affected.",
];
const diskFailed: Meaning = [
  "disk-failed",
  "Reading or writing the library failed: the disk reported an error.",
  "Check that the disk is connected and healthy, and keep the library on a local disk rather than a network share.",
];
const rowInvalid: Meaning = [
  "row-invalid",
  "The library refused a row that breaks its rules.",
  "Nothing was changed. This is a mistake in the program: please report it.",
];

/**
 * Matched from the start of the code: SQLite's extended codes lengthen the primary one (https://sqlite.org/rescode.html)
 * and Node's file errors go by the names of errno(3).
 */
const meanings: readonly (readonly [codeStart: string, Meaning])[] = [
  ["SQLITE_FULL", diskFull],
  ["SQLITE_READONLY", readOnly],
  ["SQLITE_PERM", readOnly],
  ["SQLITE_CANTOPEN", cannotOpen],
  ["SQLITE_AUTH", cannotOpen],
  ["SQLITE_BUSY", busy],
  ["SQLITE_LOCKED", busy],
  ["SQLITE_CORRUPT", corrupt],
  ["SQLITE_NOTADB", corrupt],
  // Making room for the file that readers and the writer share is what fails first on a disk with a few pages left.
  ["SQLITE_IOERR_SHMSIZE", diskFull],
  ["SQLITE_IOERR", diskFailed],
  ["SQLITE_CONSTRAINT", rowInvalid],
  ["SQLITE_MISMATCH", rowInvalid],
  ["ENOSPC", diskFull],
  ["EDQUOT", diskFull],
  ["EROFS", readOnly],
  ["EACCES", readOnly],
  ["EPERM", readOnly],
  ["ENOENT", cannotOpen],
  ["ENOTDIR", cannotOpen],
  ["EEXIST", cannotOpen],
  ["EIO", diskFailed],
];

/** The SQLite or Node code of a thrown value, or of the error that a CoreError was made from. */
export function errorCode(thrown: unknown): string | undefined {
  const source = thrown instanceof CoreError ? thrown.cause : thrown;
  const code = source instanceof Error ? (source as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : undefined;
}

/**
 * A CoreError for whatever opening, reading or writing a library threw: `disk-full`, `library-read-only`,
 * `library-cannot-open`, `library-busy`, `library-corrupt`, `disk-failed` or `row-invalid`, with SQLite's own words in
 * brackets and the error as its cause. Anything else is given back as it came.
 */
export function libraryError(thrown: unknown): unknown {
  if (thrown instanceof CoreError) return thrown;
  const code = errorCode(thrown);
  const meaning = meanings.find(([start]) => code?.startsWith(start))?.[1];
  if (meaning === undefined || !(thrown instanceof Error)) return thrown;
  const [coreCode, message, hint] = meaning;
  return new CoreError(coreCode, `${message} (${thrown.message})`, { hint, cause: thrown });
}
