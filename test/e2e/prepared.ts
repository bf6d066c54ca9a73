/** Libraries that are ready to be grouped and labelled, made without the page. */
import { join } from "node:path";
import { openService } from "../../core/app.ts";
import type { MethodName, Params, Result } from "../../core/rpc/contract.ts";
import { drawPicture } from "../helpers/pictures.ts";

/** Pictures of each kind; those of one kind have the same colours and other noise. */
export const ofEachKind = 8;
export const kinds = 4;

/** A library on its way: methods of the contract, and jobs that are waited for. */
export interface Preparing {
  readonly call: <Name extends MethodName>(method: Name, parameters: Params<Name>) => Promise<Result<Name>>;
  readonly run: (kind: string, parameters: unknown) => Promise<void>;
}

/**
 * Draws pictures of a few kinds into `folder/pictures`, and makes a library of them that a tiny model has looked at;
 * `further` is done to it before it is closed. Returns the library's folder.
 */
export async function preparedLibrary(
  folder: string,
  further: (library: Preparing) => Promise<void> = () => Promise.resolve(),
): Promise<string> {
  const pictures = join(folder, "pictures");
  for (let at = 0; at < kinds * ofEachKind; at++) {
    const file = join(pictures, `${String(at).padStart(3, "0")}.png`);
    await drawPicture(file, { seed: 11 + (at % kinds), width: 48 + at, height: 40 });
  }
  const library = join(folder, "library");
  const service = openService({ folder: library, holder: "a test", roots: [folder] });
  const caller = { guest: false };
  const call: Preparing["call"] = (method, parameters) => service.call(method, parameters, caller) as Promise<never>;
  const run: Preparing["run"] = async (kind, parameters) => {
    const over = new Promise<void>((resolve, reject) => {
      const stop = service.on((message) => {
        if (message.event !== "job" || message.data.job.kind !== kind) return;
        const { state, problem } = message.data.job;
        if (state === "done") resolve();
        else if (state === "failed") reject(new Error(problem?.message));
        else return;
        stop();
      });
    });
    await service.call("jobs.start", { kind, parameters }, caller);
    await over;
  };
  await run("ingest", { folder: pictures });
  await service.call("models.create", { name: "tiny", patch: 16, size: 32 }, caller);
  await run("embed", {});
  await further({ call, run });
  await service.close();
  return library;
}
