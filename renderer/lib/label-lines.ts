import { contains, scoredMatches, startsWord } from "./find.ts";

/** What of a label is looked at. */
export interface Findable {
  readonly label: { readonly id: number; readonly name: string };
  /** Names from the top of the tree down, as on screen. */
  readonly path: string;
}

/** A line of the label field: a label that is there, or a name for a new one. */
export type LabelLine<Row> =
  { readonly kind: "label"; readonly row: Row; readonly why: string } | { readonly kind: "new"; readonly path: string };

/** So many are listed; typing finds the others. */
const listed = 60;

/**
 * What the label field offers for what was typed, the line that Enter takes first. `reasons` are labels that are likely
 * to be wanted, by id, with why.
 */
export function labelLines<Row extends Findable>(
  typed: string,
  rows: readonly Row[],
  { create, reasons }: { readonly create: boolean; readonly reasons: ReadonlyMap<number, string> },
): LabelLine<Row>[] {
  const path = typed.trim();
  // Spaces alone ask for nothing, so Enter must not take the first label there is.
  if (path === "" && typed !== "") return [];
  const lineOf = (row: Row): LabelLine<Row> => ({ kind: "label", row, why: reasons.get(row.label.id) ?? "" });
  const likely = [...reasons.keys()].flatMap((id) => rows.find(({ label }) => label.id === id) ?? []);
  const matches = scoredMatches(typed, rows, (row) => row.path).filter(({ choice }) => !reasons.has(choice.label.id));
  const exists = rows.some((row) => row.path.toLowerCase() === path.toLowerCase() || row.label.name === path);
  if (!create || path === "" || exists) {
    return [...likely, ...matches.map(({ choice }) => choice)].slice(0, listed).map(lineOf);
  }
  // A label of which a word was begun comes before the new name, and the new name before labels that merely contain it.
  // Letters that are strewn over a name are hardly ever meant by somebody who types a new one.
  const begun = matches.filter(({ score }) => score >= startsWord);
  const others = matches.filter(({ score }) => score < startsWord && score >= contains);
  const some = (found: typeof matches): LabelLine<Row>[] => found.slice(0, listed).map(({ choice }) => lineOf(choice));
  return [...some(begun), { kind: "new", path }, ...some(others)];
}
