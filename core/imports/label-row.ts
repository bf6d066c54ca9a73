import type { Problem } from "../rpc/records.ts";

/** What a file says in one row, unchecked. */
export interface LabelValues {
  readonly path: unknown;
  readonly label: unknown;
  readonly coarse: unknown;
}

/** Bounds of one row, in characters. */
export interface LabelRowLimits {
  readonly maxNameLength: number;
  readonly maxPathLength: number;
}

/**
 * Checks one row: the label to give, `unlabelled` where the label is empty or null, or what is wrong. Names are trimmed
 * and brought to Unicode form NFC, so that the same name typed on two systems is one label.
 */
export function checkLabelRow(
  { path, label, coarse }: LabelValues,
  limits: LabelRowLimits,
): { path: string; label: string; coarse: string | null } | "unlabelled" | Problem {
  if (typeof path !== "string") return problem("row-path", `Expected a path as text, found ${kindOf(path)}.`);
  const trimmedPath = path.trim();
  if (trimmedPath === "") return problem("row-path", "The path is empty.");
  if (unprintable.test(trimmedPath)) return problem("row-path", "The path holds a control character.");
  if (trimmedPath.length > limits.maxPathLength) {
    return problem("row-path", `The path has ${trimmedPath.length} characters; ${limits.maxPathLength} are allowed.`);
  }
  if (label === "" || label === null) return "unlabelled";
  const labelName = checkName("label", label, limits.maxNameLength);
  if (typeof labelName !== "string") return labelName;
  if (coarse === "" || coarse === null || coarse === undefined)
    return { path: trimmedPath, label: labelName, coarse: null };
  const coarseName = checkName("coarse label", coarse, limits.maxNameLength);
  if (typeof coarseName !== "string") return coarseName;
  return { path: trimmedPath, label: labelName, coarse: coarseName };
}

// Control characters, line and paragraph separators, and halves of surrogate pairs, which no UTF-8 text can hold.
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u;

function checkName(what: string, value: unknown, maxLength: number): string | Problem {
  if (typeof value !== "string") return problem("row-label", `Expected the ${what} as text, found ${kindOf(value)}.`);
  const name = value.trim().normalize("NFC");
  if (name === "") return problem("row-label", `The ${what} holds only spaces.`);
  if (unprintable.test(name)) return problem("row-label", `The ${what} holds a control character.`);
  const length = Array.from(name).length;
  if (length > maxLength) {
    return problem("row-label", `The ${what} has ${length} characters; ${maxLength} are allowed.`);
  }
  return name;
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}

function problem(code: string, message: string): Problem {
  return { code, message };
}
