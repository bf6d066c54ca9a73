/** Characters of a name without its ending: short enough for every file system with room for an ending and a number. */
const longestStem = 100;

/** Names that Windows keeps for devices, whatever their ending. */
const reserved = /^(con|prn|aux|nul|clock\$|com\d|lpt\d)$/i;

/**
 * Gives names for files that every system and tool takes: ASCII letters, digits, `-` and `_`, one dot before the ending,
 * none reserved by Windows. No two have the same part before the ending, whatever their case, because label and mask files
 * are named by it. The same calls in the same order give the same names; the manifest says what stood for what.
 */
export function createFileNames(): (path: string) => string {
  const take = createTaken();
  return (path) => {
    const base = path.slice(path.lastIndexOf("/") + 1);
    const dot = base.lastIndexOf(".");
    const ending = dot > 0 ? base.slice(dot + 1).replace(/[^A-Za-z0-9]/g, "") : "";
    const stem = (dot > 0 ? base.slice(0, dot) : base)
      .normalize("NFKD")
      .replace(/\p{M}/gu, "")
      .replace(/[^A-Za-z0-9_-]+/g, "_")
      // A leading dash reads as an option of a program.
      .replace(/^-+/, "_")
      .slice(0, longestStem);
    const plain = stem.replaceAll("_", "") === "" ? "image" : stem;
    const free = take(reserved.test(plain) ? `${plain}_` : plain);
    return ending === "" ? free : `${free}.${ending}`;
  };
}

/**
 * Gives names for the folders of labels, which keep their letters: only what a file system refuses becomes `_`, and names
 * that would be the same folder on some system get a number.
 */
export function createFolderNames(): (label: string) => string {
  const take = createTaken();
  return (label) => {
    const plain = label
      .normalize("NFC")
      .replace(/[\p{Cc}\p{Cs}<>:"/\\|?*]/gu, "_")
      .replace(/^\.+/, "_")
      .replace(/[. ]+$/, "_");
    // File systems count bytes, 255 at most; a character takes up to four.
    const short = [...plain].slice(0, 50).join("");
    const name = short.trim() === "" ? "_" : short;
    return take(reserved.test(name.split(".")[0] ?? "") ? `_${name}` : name);
  };
}

function createTaken(): (name: string) => string {
  const taken = new Set<string>();
  const next = new Map<string, number>();
  // Lower case of the composed and decomposed form: what the strictest file system takes for the same.
  const key = (name: string): string => name.normalize("NFKD").toLowerCase();
  return (name) => {
    let candidate = name;
    for (let number = next.get(key(name)) ?? 2; taken.has(key(candidate)); number++) {
      candidate = `${name}-${number}`;
      next.set(key(name), number + 1);
    }
    taken.add(key(candidate));
    return candidate;
  };
}
