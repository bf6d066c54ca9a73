import { CoreError } from "../../core/util/errors.ts";

/** The code and sentence with which `work` is refused, as `code: sentence`. Throws when it is not. */
export function refusalOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return describe(error);
  }
  throw new Error("Nothing was refused.");
}

/** The same for work that takes its time. */
export async function refusalOfAsync(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
  } catch (error) {
    return describe(error);
  }
  throw new Error("Nothing was refused.");
}

function describe(error: unknown): string {
  if (!(error instanceof CoreError)) throw error;
  return `${error.code}: ${error.message}`;
}
