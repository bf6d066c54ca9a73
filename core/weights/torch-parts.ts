import { CoreError } from "../util/errors.ts";
import { isKind, type PickleTensor, type PickleValue } from "./pickle-values.ts";

/** The two networks of DINO's training. */
export type CheckpointPart = "teacher" | "student";

/** The state dictionary inside a PyTorch file, and what stands beside it. */
export interface StatePart {
  readonly tensors: ReadonlyMap<string, PickleTensor>;
  /** Whether the file holds more than this dictionary. */
  readonly wrapped: boolean;
  /** Attention heads, where the arguments of the training give them. */
  readonly heads?: number;
  readonly notes: Readonly<Record<string, string | number | boolean>>;
}

/**
 * Finds the state dictionary in what was saved: the whole of it, or the entry `teacher`, `student`, `model` or
 * `state_dict`. Throws `checkpoint-part` for a part that is not there, `checkpoint-unknown` where there are no weights.
 */
export function selectPart(path: string, root: PickleValue, part: CheckpointPart | undefined): StatePart {
  if (!(root instanceof Map)) {
    throw new CoreError("checkpoint-unknown", `${path} holds no dictionary of weights.`, {
      hint: "Save the model's state_dict() with torch.save.",
    });
  }
  const networks = (["teacher", "student"] as const).filter((name) => root.get(name) instanceof Map);
  if (networks.length > 0) {
    const wanted = part ?? (networks.includes("teacher") ? "teacher" : "student");
    if (!networks.includes(wanted)) throw noPart(path, wanted, `only a ${networks.join(" and a ")}`);
    return wrappedPart(path, root, wanted, { part: wanted });
  }
  if (part === "student") throw noPart(path, part, "one network only");
  for (const name of ["model", "state_dict"])
    if (root.get(name) instanceof Map) return wrappedPart(path, root, name, {});
  return { tensors: tensorsOf(path, root), wrapped: false, notes: {} };
}

const noPart = (path: string, part: string, found: string): CoreError =>
  new CoreError("checkpoint-part", `${path} has no ${part}, ${found}.`);

function wrappedPart(
  path: string,
  root: Map<PickleValue, PickleValue>,
  name: string,
  notes: Record<string, string | number | boolean>,
): StatePart {
  const args = root.get("args");
  const fields = isKind(args, "namespace")
    ? args.fields
    : args instanceof Map
      ? args
      : new Map<PickleValue, PickleValue>();
  const epoch = root.get("epoch");
  const arch = fields.get("arch");
  const heads = fields.get("num_heads");
  if (typeof epoch === "number") notes.epoch = epoch;
  if (typeof arch === "string") notes.arch = arch.slice(0, 100);
  return {
    tensors: tensorsOf(path, root.get(name)),
    wrapped: true,
    ...(typeof heads === "number" ? { heads } : {}),
    notes,
  };
}

function tensorsOf(path: string, state: PickleValue | undefined): Map<string, PickleTensor> {
  const tensors = new Map<string, PickleTensor>();
  if (state instanceof Map) {
    for (const [name, value] of state)
      if (typeof name === "string" && isKind(value, "tensor")) tensors.set(name, value);
  }
  if (tensors.size === 0) {
    throw new CoreError("checkpoint-unknown", `${path} holds no weights by name.`, {
      hint: "Save the model's state_dict() with torch.save.",
    });
  }
  return tensors;
}
