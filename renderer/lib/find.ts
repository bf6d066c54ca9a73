/**
 * How well `text` answers what was typed: 0 not at all, more is better. The start of the text is best, then the start of
 * a word, then anywhere, then the letters in order.
 */
export function matchScore(typed: string, text: string): number {
  const wanted = fold(typed.trim());
  const found = fold(text);
  if (wanted === "") return 1;
  if (found === wanted) return 6;
  if (found.startsWith(wanted)) return 5;
  const at = found.indexOf(wanted);
  if (at > 0) return /[\s/\-_(]/.test(found[at - 1] ?? "") ? 4 : 3;
  return lettersInOrder(wanted, found) ? 1 : 0;
}

/** Scores from which what was typed is somewhere in the text, and begins a word of it. */
export const contains = 3;
export const startsWord = 4;

/** The choices that answer what was typed with their scores, best first; equals keep their order. */
export function scoredMatches<T>(
  typed: string,
  choices: readonly T[],
  textOf: (choice: T) => string,
): { readonly choice: T; readonly score: number }[] {
  return choices
    .map((choice, index) => ({ choice, index, score: matchScore(typed, textOf(choice)) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.index - b.index);
}

/** The choices that answer what was typed, best first; equals keep their order. */
export function bestMatches<T>(typed: string, choices: readonly T[], textOf: (choice: T) => string): T[] {
  return scoredMatches(typed, choices, textOf).map(({ choice }) => choice);
}

/** Without case and accents, so that `creme` finds `Crème`. */
function fold(text: string): string {
  return text
    .normalize("NFD")
    .replaceAll(/\p{Mn}/gu, "")
    .toLowerCase();
}

function lettersInOrder(wanted: string, found: string): boolean {
  let at = 0;
  for (const letter of wanted) {
    at = found.indexOf(letter, at);
    if (at < 0) return false;
    at += letter.length;
  }
  return true;
}
