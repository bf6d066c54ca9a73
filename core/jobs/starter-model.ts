import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { listModels } from "../library/models.ts";
import type { Model } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { importModel } from "./models.ts";
import type { Workplace } from "./run.ts";

/** The weights that come with Dinoscope; the model card beside them says what they were trained on. */
const starterFile = fileURLToPath(new URL("../../assets/models/starter/starter.safetensors", import.meta.url));

const starterSource = "the starter weights that come with Dinoscope";

/**
 * The starter model: copied into the library, or the one that was copied before. A newer Dinoscope may bring other
 * weights; they become a model of their own. Throws `starter-missing` where the installation lacks them.
 */
export async function addStarterModel(workplace: Workplace, file = starterFile): Promise<Model> {
  const hash = await readFile(file).then(
    (bytes) => createHash("sha256").update(bytes).digest("hex"),
    (cause: unknown) => {
      throw new CoreError("starter-missing", `The starter weights are not where they belong: ${file}.`, {
        hint: "Install Dinoscope again, or use another model.",
        cause,
      });
    },
  );
  // The first with these weights: other sizes and the foreground's view of it come after it.
  const present = listModels(workplace.library.db).find(({ provenance }) => provenance.sourceHash === hash);
  return present ?? importModel(workplace, file, {}, starterSource);
}
