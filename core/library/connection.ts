import Database from "better-sqlite3";
import type { Database as Connection } from "better-sqlite3";
import { CoreError } from "../util/errors.ts";

/**
 * A connection that trusts nothing in the file (https://sqlite.org/security.html, "untrusted SQLite database files"):
 * no functions with side effects from its schema, cells checked as pages are read. better-sqlite3 itself turns on
 * SQLITE_DBCONFIG_DEFENSIVE, and memory-mapped reading is off by default.
 */
export function connect(file: string, readonly = false): Connection {
  const connection = new Database(file, { readonly, fileMustExist: readonly, timeout: 5000 });
  try {
    connection.pragma("trusted_schema = OFF");
    connection.pragma("cell_size_check = ON");
    connection.pragma("foreign_keys = ON");
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * WAL lets readers (an export, a second window) work beside the writer. With it, `synchronous = NORMAL` loses nothing
 * when the process is killed: a commit has been handed to the operating system by then. Only a power cut can take the
 * last commits back, and never leaves half of one, because the log is synced before a checkpoint uses it.
 */
export function useWriteAheadLog(connection: Connection, folder: string): void {
  const mode = connection.pragma("journal_mode = WAL", { simple: true });
  if (mode !== "wal") {
    throw new CoreError(
      "library-cannot-open",
      `The disk of ${folder} cannot hold a library: it has no shared memory.`,
      {
        hint: "Keep the library on a local disk; network shares often lack what SQLite needs.",
      },
    );
  }
  connection.pragma("synchronous = NORMAL");
  // After a bulk insert the log would otherwise keep its largest size for ever.
  connection.pragma("journal_size_limit = 67108864");
}
