import { elementwiseOps } from "./ops/elementwise.ts";
import { linearOps } from "./ops/linear.ts";
import { movementOps } from "./ops/movement.ts";
import { reduceOps } from "./ops/reduce.ts";
import { selectOps } from "./ops/select.ts";
import { CoreError } from "../util/errors.ts";
import type { Op } from "./op.ts";

/**
 * Every operator there is. The table is closed: whoever runs or transforms graphs has a case for each key, and the
 * compiler counts them.
 */
export const ops = { ...elementwiseOps, ...linearOps, ...movementOps, ...reduceOps, ...selectOps };

export type OpName = keyof typeof ops;

/** Attributes of the operator `Name`. */
export type AttributesOf<Name extends OpName> = (typeof ops)[Name] extends Op<infer Attributes> ? Attributes : never;

/** The record of an operator by name. Throws `graph-op` for a name that is not in the table. */
export function opRecord(name: string): Op<object> {
  if (!Object.hasOwn(ops, name)) throw new CoreError("graph-op", `There is no operator ${name}.`);
  return ops[name as OpName] as unknown as Op<object>;
}
