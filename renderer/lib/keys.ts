/**
 * Keys as words: `Mod+Shift+Z`, `ArrowLeft`, `?`. `Mod` is Command on Apple's machines and Control elsewhere. A key that
 * needs Shift to be typed (`?`, `A`) is written as what is typed.
 */

/** What of a keyboard event decides which keys were pressed. */
export type Stroke = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">;

/** True on Apple's machines, where Command stands in for Control. */
export function isApple(platform: string): boolean {
  return /mac|iphone|ipad/i.test(platform);
}

const apple = typeof navigator !== "undefined" && isApple(navigator.platform);

/** The keys of an event in the words above, or null where only a modifier was pressed. */
export function keysOf(event: Stroke, onApple = apple): string | null {
  const { key } = event;
  if (["Control", "Shift", "Alt", "Meta", "CapsLock", "Dead", "Unidentified"].includes(key)) return null;
  const mod = onApple ? event.metaKey : event.ctrlKey;
  const other = onApple ? event.ctrlKey : event.metaKey;
  const letter = key.length === 1 && key.toLowerCase() !== key.toUpperCase();
  // Shift is part of the sign for `?`, and a modifier for letters, Space and keys with names.
  const shift = event.shiftKey && (letter || key.length > 1 || key === " ");
  const name = key === " " ? "Space" : letter ? key.toUpperCase() : key;
  return [mod ? "Mod" : "", other ? "Ctrl" : "", event.altKey ? "Alt" : "", shift ? "Shift" : "", name]
    .filter((part) => part !== "")
    .join("+");
}

const signs: Readonly<Record<string, string>> = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  Delete: "Del",
  Backspace: "⌫",
};
const appleSigns: Readonly<Record<string, string>> = { Mod: "⌘", Alt: "⌥", Shift: "⇧", Ctrl: "⌃", Enter: "↩" };

/** The parts of a combination as they are printed on keys: `["Ctrl", "Z"]`, `["⌘", "Z"]`. */
export function printedKeys(keys: string, onApple = apple): string[] {
  const parts = keys === "+" ? ["+"] : keys.split(/\+(?=.)/);
  return parts.map((part) => (onApple ? appleSigns[part] : part === "Mod" ? "Ctrl" : undefined) ?? signs[part] ?? part);
}

const moving = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];

/**
 * What an element does with a stroke: a field takes it as `text`; a button or a slider has the key for its `own` use
 * (Space presses a button, arrows move a slider); otherwise it is `free` for commands.
 */
export function takesKey(element: Element | null, { key }: Pick<KeyboardEvent, "key">): "text" | "own" | "free" {
  if (element === null) return "free";
  const tag = element.tagName;
  const type = element.getAttribute("type") ?? "text";
  if (tag === "TEXTAREA" || element.getAttribute("contenteditable") === "true") return "text";
  if (tag === "INPUT" && !["range", "checkbox", "radio", "button"].includes(type)) return "text";
  if (tag === "SELECT" || element.closest("[role=menu], [role=listbox][data-own-keys]") !== null) return "own";
  if (type === "range" || element.getAttribute("role") === "slider") return moving.includes(key) ? "own" : "free";
  const presses = tag === "BUTTON" || tag === "A" || tag === "SUMMARY" || tag === "INPUT";
  return presses && (key === "Enter" || key === " ") ? "own" : "free";
}
