/** What an error carries beside its sentence. */
export interface ErrorContext {
  /** What the user can do next, as a sentence. */
  readonly hint?: string;
  /** The error underneath, kept for the log. */
  readonly cause?: unknown;
}

/**
 * The one error class of the core. `code` is a kebab-case word that programs can match on, `message` says what was
 * wanted and what came instead, `hint` what to do next.
 */
export class CoreError extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.name = "CoreError";
    this.code = code;
    this.hint = context.hint;
  }
}

/** An error as plain data: what crosses a process boundary and what is stored with a job. */
export interface ErrorRecord {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** Plain data for any thrown value. Unknown errors get the code `internal`; Node's own keep theirs, in kebab case. */
export function errorRecord(thrown: unknown): ErrorRecord {
  if (thrown instanceof CoreError) {
    return { code: thrown.code, message: thrown.message, ...(thrown.hint === undefined ? {} : { hint: thrown.hint }) };
  }
  if (thrown instanceof Error) {
    const code = (thrown as NodeJS.ErrnoException).code;
    if (code === "ENOSPC" || code === "EDQUOT") {
      return {
        code: "disk-full",
        message: `The disk is full: ${thrown.message}`,
        hint: "Free some space and run it again.",
      };
    }
    return {
      code: typeof code === "string" ? code.toLowerCase().replaceAll("_", "-") : "internal",
      message: thrown.message,
    };
  }
  return { code: "internal", message: String(thrown) };
}

/** The error that a record stood for on the other side of a process boundary. */
export function errorFromRecord(record: ErrorRecord): CoreError {
  return new CoreError(record.code, record.message, record.hint === undefined ? {} : { hint: record.hint });
}
