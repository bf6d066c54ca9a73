import { CoreError } from "../util/errors.ts";

/** An element of an XML file: its name, the elements in it, and its text without those. Attributes are passed over. */
export interface XmlElement {
  readonly name: string;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

const maxDepth = 32;
const maxElements = 100_000;

interface Growing extends XmlElement {
  readonly children: Growing[];
  text: string;
}

/** One piece of a file: a comment, a declaration, a tag, character data, or text. Nothing in it can match twice. */
const piece =
  /<!--(?:(?!--)[^])*-->|<\?[^>]*\?>|<!\[CDATA\[((?:(?!\]\]>)[^])*)\]\]>|<(\/?)([A-Za-z_][\w.-]{0,99})((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/y;

const named: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

/**
 * Reads the little XML that annotations are made of. A document type is refused, and with it every entity that a file
 * could define: only XML's own five and characters by number are known, so nothing grows or is fetched. Throws
 * `xml-invalid`.
 */
export function readXml(text: string): XmlElement {
  const document: Growing = { name: "", children: [], text: "" };
  const open: Growing[] = [document];
  let elements = 0;
  for (let at = 0; at < text.length; at = piece.lastIndex) {
    piece.lastIndex = at;
    const found = piece.exec(text);
    if (found === null) throw invalid(at, "it cannot be read from there");
    const [, data, closes, name, , empty, plain] = found;
    const inner = open.at(-1) ?? document;
    if (data !== undefined) inner.text += data;
    else if (plain !== undefined) inner.text += expand(plain, at);
    else if (closes === "/") {
      if (inner.name !== name || open.length === 1) throw invalid(at, `</${name}> closes nothing that is open`);
      open.pop();
    } else if (name !== undefined) {
      if (++elements > maxElements || open.length > maxDepth) throw invalid(at, "it has too many elements");
      const element: Growing = { name, children: [], text: "" };
      inner.children.push(element);
      if (empty !== "/") open.push(element);
    }
  }
  const [root] = document.children;
  if (root === undefined || document.children.length > 1 || open.length > 1 || document.text.trim() !== "") {
    throw invalid(text.length, "it needs one element around all others");
  }
  return root;
}

/** The elements of that name directly in another. */
export function childrenOf({ children }: XmlElement, name: string): readonly XmlElement[] {
  return children.filter((child) => child.name === name);
}

/** The text of the first element of that name, without spaces around it; null where there is none. */
export function textOf(element: XmlElement, name: string): string | null {
  return childrenOf(element, name)[0]?.text.trim() ?? null;
}

function expand(text: string, at: number): string {
  return text.replace(/&([^;&]{0,10}(?:;|$)|)/g, (_, reference: string) => {
    const name = reference.endsWith(";") ? reference.slice(0, -1) : "";
    const number = /^#(?:x([\da-f]{1,6})|(\d{1,7}))$/i.exec(name);
    const code = number === null ? NaN : parseInt(number[1] ?? number[2] ?? "", number[1] === undefined ? 10 : 16);
    const character = code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : named.get(name);
    if (character === undefined) throw invalid(at, `it has an unknown entity &${reference.slice(0, 12)}`);
    return character;
  });
}

function invalid(at: number, problem: string): CoreError {
  return new CoreError("xml-invalid", `Not the XML of an annotation: ${problem} (character ${at}).`);
}
