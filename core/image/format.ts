/** The formats that are decoded. */
export const pictureFormats = ["jpeg", "png", "webp", "avif", "gif", "tiff"] as const;

export type PictureFormat = (typeof pictureFormats)[number];

/** What is recognised only so that a refusal can say what it found, in words that complete "this is ...". */
export const refusedFormats = {
  empty: "an empty file",
  heic: "a HEIC photo",
  jxl: "a JPEG XL picture",
  jp2: "a JPEG 2000 picture",
  bmp: "a BMP picture",
  ico: "an icon (ICO)",
  psd: "a Photoshop document",
  exr: "an OpenEXR picture",
  "camera-raw": "a raw camera file",
  svg: "an SVG drawing",
  pdf: "a PDF document",
  postscript: "a PostScript document",
  html: "a web page (HTML)",
  video: "a video",
  zip: "a ZIP archive",
  gzip: "a gzip archive",
  text: "text",
  unknown: "data of no known picture format",
} as const;

export type RefusedFormat = keyof typeof refusedFormats;

/** Whether a sniffed format is one that is decoded. */
export function isPictureFormat(format: PictureFormat | RefusedFormat): format is PictureFormat {
  return (pictureFormats as readonly string[]).includes(format);
}

/**
 * Bytes at the start of a file, as Latin-1 text; `?` stands for any byte. The first line that fits wins. ISO media
 * files (`ftyp`) and text need more than a fixed start and are told apart below.
 */
const signatures: readonly (readonly [start: string, format: PictureFormat | RefusedFormat])[] = [
  ["\xff\xd8\xff", "jpeg"],
  ["\x89PNG\r\n\x1a\n", "png"],
  ["RIFF????WEBP", "webp"],
  ["GIF87a", "gif"],
  ["GIF89a", "gif"],
  ["II*\0????CR", "camera-raw"],
  ["II*\0", "tiff"],
  ["MM\0*", "tiff"],
  ["II+\0\b\0", "tiff"], // BigTIFF: 43 instead of 42, then the size of its offsets
  ["MM\0+\0\b", "tiff"],
  ["IIRO", "camera-raw"],
  ["IIRS", "camera-raw"],
  ["IIU\0", "camera-raw"],
  ["FUJIFILM", "camera-raw"],
  ["\0\0\0\fjP  ", "jp2"],
  ["\xff\x4f\xff\x51", "jp2"],
  ["\0\0\0\fJXL ", "jxl"],
  ["\xff\x0a", "jxl"],
  ["BM????\0\0\0\0", "bmp"],
  ["\0\0\x01\0", "ico"],
  ["\0\0\x02\0", "ico"],
  ["8BPS", "psd"],
  ["\x76\x2f\x31\x01", "exr"],
  ["%PDF-", "pdf"],
  ["%!PS", "postscript"],
  ["RIFF????AVI ", "video"],
  ["\x1a\x45\xdf\xa3", "video"], // Matroska and WebM
  ["PK\x03\x04", "zip"],
  ["\x1f\x8b", "gzip"],
];

/** Bytes that are looked at: enough for the brands of an ISO media file and for the first tag of an SVG. */
const headLength = 1024;

/** The format of a file by its first bytes. Its name and extension play no part. */
export function sniffFormat(bytes: Uint8Array): PictureFormat | RefusedFormat {
  if (bytes.length === 0) return "empty";
  const head = latin1(bytes.subarray(0, headLength));
  for (const [start, format] of signatures) if (fits(head, start)) return format;
  if (head.startsWith("ftyp", 4)) return sniffIsoMedia(bytes, head);
  return sniffText(bytes.subarray(0, headLength));
}

/** True for an AVIF file that presents itself as a sequence of frames (its major brand is `avis`). */
export function isAvifSequence(bytes: Uint8Array): boolean {
  return latin1(bytes.subarray(4, 12)) === "ftypavis";
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function fits(head: string, start: string): boolean {
  if (head.length < start.length) return false;
  for (let i = 0; i < start.length; i++) if (start[i] !== "?" && start[i] !== head[i]) return false;
  return true;
}

/** Tells AVIF, HEIC and videos apart by the brands in the leading `ftyp` box (ISO/IEC 14496-12, 4.3). */
function sniffIsoMedia(bytes: Uint8Array, head: string): PictureFormat | RefusedFormat {
  const length = Math.min(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0), head.length);
  const brands: string[] = [head.slice(8, 12)];
  // Bytes 12 to 16 are the version of the major brand; the compatible brands follow.
  for (let at = 16; at + 4 <= length; at += 4) brands.push(head.slice(at, at + 4));
  if (brands[0] === "crx ") return "camera-raw";
  if (brands.some((brand) => brand === "avif" || brand === "avis")) return "avif";
  if (brands.some((brand) => /^(he[ivm][cxs]|mif1|msf1)$/.test(brand))) return "heic";
  return "video";
}

function sniffText(bytes: Uint8Array): RefusedFormat {
  // Control characters other than tab, line feed, form feed and carriage return do not occur in text.
  if (bytes.some((byte) => byte < 9 || byte === 11 || (byte > 13 && byte < 32) || byte === 127)) return "unknown";
  let text: string;
  try {
    // `stream` accepts a character that is cut in two at the end of the bytes looked at.
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return "unknown";
  }
  if (/<svg[\s>]/i.test(text) && /^\s*</.test(text)) return "svg";
  if (/^\s*<(!doctype html|html)/i.test(text)) return "html";
  return "text";
}
