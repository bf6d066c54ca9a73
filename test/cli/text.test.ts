import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  columnsOf,
  counted,
  duration,
  jsonLine,
  moment,
  number,
  percent,
  percentBetween,
  plain,
  rate,
  shorten,
  table,
  wrap,
} from "../../core/cli/text.ts";

describe("numbers", () => {
  test("large ones have commas, and fractions are rounded", () => {
    expect([0, 999, 1234.6, 1_234_567].map(number)).toEqual(["0", "999", "1,235", "1,234,567"]);
  });

  test("rates keep two digits that count below 10", () => {
    expect([0, 0.0123, 0.5, 1, 9.94, 10.4, 123.4, 4567.8].map(rate)).toEqual([
      "0",
      "0.012",
      "0.5",
      "1.0",
      "9.9",
      "10",
      "123",
      "4,568",
    ]);
  });

  test("durations take the units that suit them", () => {
    const second = 1000;
    expect([0, 40, 3210, 9949, 9950, 59_499].map(duration)).toEqual([
      "0.0 s",
      "0.0 s",
      "3.2 s",
      "9.9 s",
      "10 s",
      "59 s",
    ]);
    expect([60, 128, 3599.4].map((seconds) => duration(seconds * second))).toEqual([
      "1 min 0 s",
      "2 min 8 s",
      "59 min 59 s",
    ]);
    expect([3600, 11_100, 4_000_000].map((seconds) => duration(seconds * second))).toEqual([
      "1 h 0 min",
      "3 h 5 min",
      "1,111 h 6 min",
    ]);
  });

  test("shares are percentages, with their interval where there is one", () => {
    expect([0, 0.9731, 1].map(percent)).toEqual(["0.0 %", "97.3 %", "100.0 %"]);
    expect(percent(0 / 0)).toBe("-");
    expect(percentBetween(0.974, 0.951, 0.988)).toBe("97.4 % (95-99)");
  });

  test("one of a thing is not several", () => {
    expect([counted(1, "image"), counted(0, "image"), counted(2000, "image")]).toEqual([
      "1 image",
      "0 images",
      "2,000 images",
    ]);
    expect(counted(2, "library", "libraries")).toBe("2 libraries");
  });

  test("moments are written year first, in local time", () => {
    expect(moment(new Date(2026, 2, 9, 4, 5, 59).getTime())).toBe("2026-03-09 04:05");
  });
});

describe("text that nobody vouches for", () => {
  const hostile = "a\u001b[31mred\u0007\r\nb\u009b2Jc\u202egpj.exe\u2028d\ud800e";

  test("reaches a terminal without control characters, line ends and marks of reading direction", () => {
    expect(plain(hostile)).toBe("a [31mred   b 2Jc gpj.exe d e");
  });

  test("keeps every script, and the joiners that some need", () => {
    const text = "Größe 牛奶 حليب क्षि 👨‍👩‍👧 é";
    expect(plain(text)).toBe(text);
  });

  test("comes through JSON unchanged, and the JSON has nothing raw in it", () => {
    const line = jsonLine({ hostile });
    expect(JSON.parse(line)).toEqual({ hostile });
    expect(plain(line)).toBe(line);
    const codes = fc.array(fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(codes, (units) => {
        const text = String.fromCharCode(...units);
        const written = jsonLine({ text });
        expect(JSON.parse(written)).toEqual({ text });
        expect(plain(written)).toBe(written);
      }),
    );
  });
});

describe("columns of a terminal", () => {
  test("wide scripts and pictographs take two, combining marks none", () => {
    expect(["abc", "牛奶", "ミルク", "e\u0301", "👍", ""].map(columnsOf)).toEqual([3, 4, 6, 1, 2, 0]);
  });

  test("a long text is cut at its end or its start, with a sign of it", () => {
    expect(shorten("Oatly-Oat-Milk", 8)).toBe("Oatly-O…");
    expect(shorten("shelf/left/0042.jpg", 12, "start")).toBe("…ft/0042.jpg");
    expect(shorten("short", 5)).toBe("short");
    // The third character would need columns five and six.
    expect(shorten("牛奶牛奶", 6)).toBe("牛奶…");
  });

  test("lines are broken between words, and their indents are kept", () => {
    expect(wrap("  cpu   works at 12 images a second", 20, 8)).toEqual([
      "  cpu   works at 12",
      "        images a",
      "        second",
    ]);
    expect(wrap("unbreakableword next", 5)).toEqual(["unbreakableword", "next"]);
    expect(wrap("no   limit at all", Infinity)).toEqual(["no   limit at all"]);
  });

  test("no wrapped line is longer than asked, and no word is lost", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "ö", "牛"), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), fc.integer({ min: 14, max: 40 }), (words, columns) => {
        const lines = wrap(words.join(" "), columns, 4);
        expect(Math.max(...lines.map(columnsOf))).toBeLessThanOrEqual(columns);
        expect(lines.map((line) => line.trim()).join(" ")).toBe(words.join(" "));
      }),
    );
  });
});

describe("tables", () => {
  const columns = [
    { title: "label" },
    { title: "images", align: "right" },
    { title: "file", leaveOut: "start" },
  ] as const;
  const rows = [
    ["Oat", "12", "a/very/long/path/0001.jpg"],
    ["牛奶", "1,234", "b.jpg"],
  ];

  test("columns line up under their titles, also with wide characters", () => {
    expect(table(columns, rows)).toEqual([
      "label  images  file",
      "Oat        12  a/very/long/path/0001.jpg",
      "牛奶    1,234  b.jpg",
    ]);
  });

  test("one column gives way where the terminal is narrow", () => {
    expect(table(columns, rows, 30)).toEqual([
      "label  images  file",
      "Oat        12  …/path/0001.jpg",
      "牛奶    1,234  b.jpg",
    ]);
  });

  test("names cannot leave their cell", () => {
    expect(table([{ title: "name" }], [["a\nb\u001b[2J"]])).toEqual(["name", "a b [2J"]);
  });
});
