import type { ModelRow } from "../../core/rpc/views.ts";

/** What embeddings look at: the whole picture, or its foreground (a model of its own, `NAME+foreground`). */
export type Look = "whole" | "foreground";

/** A model with both of its looks, as far as they are there. */
export interface ModelFamily {
  readonly name: string;
  readonly whole: ModelRow | null;
  readonly foreground: ModelRow | null;
}

/** Models by name, in the order in which they were added, each with its looks. */
export function modelFamilies(models: readonly ModelRow[]): ModelFamily[] {
  const families = Map.groupBy(models, ({ model }) => model.name.replace(/\+foreground.*$/, ""));
  return [...families].map(([name, rows]) => ({
    name,
    whole: rows.find(({ model }) => model.foreground === null) ?? null,
    foreground: rows.find(({ model }) => model.foreground !== null) ?? null,
  }));
}

/** The family and look that are meant. */
export interface ModelLook {
  readonly family: ModelFamily;
  readonly look: Look;
  /** Null where the family has not got this look yet. */
  readonly row: ModelRow | null;
}

/**
 * What a view shows: the model and look that its address names, else the model that is meant where none is named. Null
 * without any model.
 */
export function modelLookOf(
  models: readonly ModelRow[],
  currentId: number | null,
  named: { readonly model?: string | undefined; readonly look?: string | undefined },
): ModelLook | null {
  const families = modelFamilies(models);
  const familyOf = (id: number): ModelFamily | undefined =>
    families.find(({ whole, foreground }) => whole?.model.id === id || foreground?.model.id === id);
  const family = familyOf(Number(named.model)) ?? familyOf(currentId ?? 0) ?? families[0];
  if (family === undefined) return null;
  const usual: Look = family.foreground !== null && family.foreground.model.id === currentId ? "foreground" : "whole";
  const wanted: Look = named.look === "foreground" || named.look === "whole" ? named.look : usual;
  // A family may have nothing but its foreground, where the model that it came from was deleted.
  const look: Look = wanted === "whole" && family.whole === null ? "foreground" : wanted;
  return { family, look, row: family[look] };
}
