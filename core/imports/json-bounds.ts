import { CoreError } from "../util/errors.ts";

/** Lists in lists and objects in objects; no data set has more than ten. */
const maxDepth = 100;

/**
 * Objects and lists, and values altogether: either was measured to take some 0.8 GB. COCO's training set of 118,000 pictures has 4 and some 60 million in 448 MB.
 */
const maxContainers = 8_000_000;
const maxValues = 50_000_000;

const [quote, backslash, comma, openList, closeList, openObject, closeObject] = [34, 92, 44, 91, 93, 123, 125];

/**
 * Refuses JSON that is small as text and enormous as values: an empty object has two bytes as text and some fifty in
 * memory, and a list in a list may go as deep as the file is long. It counts brackets and commas outside of texts, so it
 * needs no memory itself, and is right for JSON; what is none is refused by its parser. Throws `import-too-large`.
 */
export function refuseVastJson(path: string, bytes: Uint8Array): void {
  let [depth, containers, values] = [0, 0, 0];
  let inText = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inText) {
      if (byte === backslash) at++;
      else if (byte === quote) inText = false;
    } else if (byte === quote) inText = true;
    else if (byte === comma) values++;
    else if (byte === openList || byte === openObject) {
      containers++;
      if (++depth > maxDepth) throw tooLarge(path, `lists and objects within each other, ${maxDepth} deep`);
    } else if (byte === closeList || byte === closeObject) depth--;
  }
  if (containers > maxContainers) throw tooLarge(path, `${containers} lists and objects`);
  if (values > maxValues) throw tooLarge(path, `${values} values`);
}

function tooLarge(path: string, what: string): CoreError {
  return new CoreError("import-too-large", `${path} has ${what}; that is more than is read.`, {
    hint: "Split it into several files.",
  });
}
