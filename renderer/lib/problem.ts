import type { Problem } from "../../core/rpc/messages.ts";

/** A refusal of the core, or a line that is cut: a sentence and what to do. */
export class CallError extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor({ code, message, hint }: Problem) {
    super(message);
    this.name = "CallError";
    this.code = code;
    this.hint = hint;
  }
}

/** What was thrown, as a problem to show. */
export function problemOf(thrown: unknown): Problem {
  if (thrown instanceof CallError) {
    return { code: thrown.code, message: thrown.message, ...(thrown.hint === undefined ? {} : { hint: thrown.hint }) };
  }
  return { code: "unexpected", message: thrown instanceof Error ? thrown.message : String(thrown) };
}
