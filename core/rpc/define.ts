/** How one method of the contract is declared: once, for both sides. */
import type * as v from "valibot";

declare const resultOf: unique symbol;

/** What goes into a method, what comes out, and who may ask. */
export interface Method<Schema extends v.GenericSchema = v.GenericSchema, Result = unknown> {
  /** Checked before anything else happens. */
  readonly parameters: Schema;
  /** Who may call it: everyone who may look, or only those who may change the library and see folders. */
  readonly access: "look" | "change";
  /** Only a type: the result is plain JSON data. */
  readonly [resultOf]?: Result;
}

/** A method that guests may call: it changes nothing, and of folders and files guests are shown the names alone. */
export function look<Result>(): <Schema extends v.GenericSchema>(parameters: Schema) => Method<Schema, Result> {
  return (parameters) => ({ parameters, access: "look" });
}

/** A method for those who may change the library: it writes, starts work, or shows folders of this machine. */
export function change<Result>(): <Schema extends v.GenericSchema>(parameters: Schema) => Method<Schema, Result> {
  return (parameters) => ({ parameters, access: "change" });
}

/** The result type of a declared method. */
export type ResultOf<Declared> = Declared extends Method<v.GenericSchema, infer Result> ? Result : never;
