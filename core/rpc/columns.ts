/**
 * Long lists as columns of little-endian numbers, written by the core and read by the page. A file is a header of five
 * unsigned 32-bit numbers (magic, version, rows, revision of the library, 0) and then the columns, one after the other,
 * each filled up to a multiple of four bytes.
 */

/** A column's kind: bytes a row, and how to look at them. */
const kinds = { u32: Uint32Array, f32: Float32Array, u8: Uint8Array } as const;
type Kind = keyof typeof kinds;

/** The array that a kind of column is read into. */
type ArrayOf<K extends Kind> = InstanceType<(typeof kinds)[K]>;

interface Layout {
  readonly magic: number;
  readonly columns: Readonly<Record<string, Kind>>;
}

type ColumnsOf<L extends Layout> = { readonly [Name in keyof L["columns"]]: ArrayOf<L["columns"][Name]> };

/** Bits of `flags` in the list of images. */
export const imageFlags = {
  problem: 1,
  missing: 2,
  mask: 4,
  maskEdited: 8,
  suggestionOffered: 16,
  suggestionAbstained: 32,
  embedded: 64,
  /** The label was not said by a person or a file, but accepted from neighbours or a cluster. */
  labelDerived: 128,
} as const;

const imageLayout = {
  // "DIMG"
  magic: 0x474d4944,
  columns: {
    ids: "u32",
    sourceIds: "u32",
    /** 0: none. */
    labelIds: "u32",
    /** The suggested label, whether offered or held back; 0: none, or the image has a label. */
    suggestedLabelIds: "u32",
    /** 0: none. */
    clusterIds: "u32",
    /** First 32 bits of the content's hash: another number, another picture. For `thumbnailPath`. */
    versions: "u32",
    /** Width by height of the upright picture; 1 where it could not be read. */
    aspects: "f32",
    /** What the sort says it is; 0 for sorts without a score. */
    scores: "f32",
    /** Confidence of the suggestion; 0 where there is none. */
    confidences: "f32",
    /** Bits of `imageFlags`. */
    flags: "u8",
  },
} as const satisfies Layout;

const mapLayout = {
  // "DMAP"
  magic: 0x50414d44,
  columns: {
    ids: "u32",
    /** In the map's own units. */
    x: "f32",
    y: "f32",
    /** 1 for an image that came later and was placed among its neighbours. */
    placed: "u8",
  },
} as const satisfies Layout;

const healthLayout = {
  // "DHLT"
  magic: 0x544c4844,
  columns: {
    ids: "u32",
    /** Places in `healthKinds`. */
    health: "u8",
  },
} as const satisfies Layout;

/** How well a model knows an image, by the labels of its nearest images (core/suggest/model-health.ts). */
export const healthKinds = ["unknown", "agree", "divided", "against", "apart"] as const;

/** The images of a query, in its order. */
export type ImageColumns = ColumnsOf<typeof imageLayout>;

/** The points of a map, in the order of ids. */
export type MapColumns = ColumnsOf<typeof mapLayout>;

/** The health of images that were compared with each other. */
export type HealthColumns = ColumnsOf<typeof healthLayout>;

const version = 1;
const headerBytes = 20;

function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}

function encode<L extends Layout>(layout: L, columns: ColumnsOf<L>, revision: number): Uint8Array {
  const names = Object.keys(layout.columns);
  const arrays = names.map((name) => (columns as Record<string, ArrayOf<Kind>>)[name] ?? new Uint32Array());
  const rows = arrays[0]?.length ?? 0;
  const bytes = new Uint8Array(headerBytes + arrays.reduce((sum, array) => sum + padded(array.byteLength), 0));
  new Uint32Array(bytes.buffer, 0, 5).set([layout.magic, version, rows, revision, 0]);
  let offset = headerBytes;
  for (const array of arrays) {
    if (array.length !== rows) throw new RangeError(`A column has ${array.length} rows, the first ${rows}.`);
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), offset);
    offset += padded(array.byteLength);
  }
  return bytes;
}

function decode<L extends Layout>(layout: L, buffer: ArrayBuffer): { columns: ColumnsOf<L>; revision: number } {
  const entries = Object.entries(layout.columns);
  if (buffer.byteLength < headerBytes) throw new RangeError(`A list has ${buffer.byteLength} bytes, too few.`);
  const [magic = 0, found = 0, rows = 0, revision = 0] = new Uint32Array(buffer, 0, 5);
  const wanted = entries.reduce((sum, [, kind]) => sum + padded(rows * kinds[kind].BYTES_PER_ELEMENT), headerBytes);
  if (magic !== layout.magic || found !== version || buffer.byteLength !== wanted) {
    throw new RangeError(
      `A list of ${rows} rows should have ${wanted} bytes of version ${version}; it has other ones.`,
    );
  }
  let offset = headerBytes;
  const columns = Object.fromEntries(
    entries.map(([name, kind]) => {
      const column = new kinds[kind](buffer, offset, rows);
      offset += padded(column.byteLength);
      return [name, column];
    }),
  );
  return { columns: columns as ColumnsOf<L>, revision };
}

/** The list of images as bytes. */
export const encodeImages = (columns: ImageColumns, revision: number): Uint8Array =>
  encode(imageLayout, columns, revision);

/** Reads what `encodeImages` wrote, without a copy. Throws RangeError for anything else. */
export const decodeImages = (buffer: ArrayBuffer): { columns: ImageColumns; revision: number } =>
  decode(imageLayout, buffer);

/** The points of a map as bytes. */
export const encodeMap = (columns: MapColumns, revision: number): Uint8Array => encode(mapLayout, columns, revision);

/** Reads what `encodeMap` wrote, without a copy. Throws RangeError for anything else. */
export const decodeMap = (buffer: ArrayBuffer): { columns: MapColumns; revision: number } => decode(mapLayout, buffer);

/** The health of images as bytes. */
export const encodeHealth = (columns: HealthColumns, revision: number): Uint8Array =>
  encode(healthLayout, columns, revision);

/** Reads what `encodeHealth` wrote, without a copy. Throws RangeError for anything else. */
export const decodeHealth = (buffer: ArrayBuffer): { columns: HealthColumns; revision: number } =>
  decode(healthLayout, buffer);

/** Values of every patch of a picture, patch by patch in rows from the top left. */
export interface PatchGrid {
  readonly rows: number;
  readonly columns: number;
  /** Values of a patch: heads of attention, or features. */
  readonly depth: number;
  /** False for attention of the square centre crop that embeddings see, rather than of the whole picture. */
  readonly whole: boolean;
  /** Attention: [depth, rows * columns], head after head. Features: [rows * columns, depth], each of length 1. */
  readonly values: Float32Array;
}

/** A grid as bytes: rows, columns, depth and whole (1 or 0) as unsigned 32-bit numbers, then the values. */
export function encodeGrid({ rows, columns, depth, whole, values }: PatchGrid): Uint8Array {
  const bytes = new Uint8Array(16 + values.byteLength);
  new Uint32Array(bytes.buffer, 0, 4).set([rows, columns, depth, whole ? 1 : 0]);
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 16);
  return bytes;
}

/** Reads what `encodeGrid` wrote, without a copy. Throws RangeError for anything else. */
export function decodeGrid(buffer: ArrayBuffer): PatchGrid {
  if (buffer.byteLength < 16) throw new RangeError(`A grid has ${buffer.byteLength} bytes, too few.`);
  const [rows = 0, columns = 0, depth = 0, whole = 0] = new Uint32Array(buffer, 0, 4);
  if (buffer.byteLength !== 16 + 4 * rows * columns * depth) {
    throw new RangeError(`A grid of ${rows} x ${columns} x ${depth} values has ${buffer.byteLength} bytes.`);
  }
  return { rows, columns, depth, whole: whole === 1, values: new Float32Array(buffer, 16) };
}
