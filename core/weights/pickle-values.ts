import { CoreError } from "../util/errors.ts";
import { valueCount } from "./numbers.ts";

/**
 * What a pickle may turn into: plain data, and descriptions of tensors. Tuples and lists are arrays, dictionaries are maps.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | PickleStorage
  | PickleTensor
  | PickleNamespace
  | NumberType
  | PickleClass;

/** The types of numbers that PyTorch's storages hold, by the name of their class. */
export const storageTypes = {
  FloatStorage: { dtype: "F32", bytes: 4 },
  HalfStorage: { dtype: "F16", bytes: 2 },
  BFloat16Storage: { dtype: "BF16", bytes: 2 },
  DoubleStorage: { dtype: "F64", bytes: 8 },
  LongStorage: { dtype: "I64", bytes: 8 },
  IntStorage: { dtype: "I32", bytes: 4 },
  ShortStorage: { dtype: "I16", bytes: 2 },
  CharStorage: { dtype: "I8", bytes: 1 },
  ByteStorage: { dtype: "U8", bytes: 1 },
  BoolStorage: { dtype: "BOOL", bytes: 1 },
} as const;

export type StorageType = (typeof storageTypes)[keyof typeof storageTypes];

/** A run of numbers outside the pickle, which tensors are views of. */
export interface PickleStorage {
  readonly kind: "storage";
  /** Name of the zip entry that holds it, below `data/`. */
  readonly key: string;
  readonly type: StorageType;
  /** How many numbers it holds. */
  readonly count: number;
}

/** A view of a storage; `offset` and `strides` count numbers. It was checked to lie inside the storage. */
export interface PickleTensor {
  readonly kind: "tensor";
  readonly storage: PickleStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** The arguments of the program that saved a checkpoint (Python's argparse.Namespace). */
export interface PickleNamespace {
  readonly kind: "namespace";
  readonly fields: Map<PickleValue, PickleValue>;
}

/** A numpy type such as `f8`. */
export interface NumberType {
  readonly kind: "number-type";
  readonly code: string;
}

/** A class or function of the allow-list, by its Python name. It is only ever looked up in a table. */
export interface PickleClass {
  readonly kind: "class";
  readonly name: string;
}

/** Thrown by a constructor whose arguments are not what PyTorch writes; the machine adds the place. */
const argumentsInvalid = (name: string, what: string): CoreError =>
  new CoreError("pickle-refused", `${name} was called with ${what}`);

type Construct = (args: readonly PickleValue[], name: string) => PickleValue;

/**
 * The allow-list: every class and function that a pickle may name, with the plain data that calling it gives. Those
 * without one may be named but not called. The numpy and codecs entries are there because the official training loop
 * keeps learning rates as numpy scalars.
 */
export const constructors: ReadonlyMap<string, Construct | null> = new Map<string, Construct | null>([
  ["collections.OrderedDict", orderedDict],
  ["argparse.Namespace", (args, name) => namespace(noArguments(args, name))],
  ["torch._utils._rebuild_tensor_v2", rebuildTensor],
  ["torch._utils._rebuild_parameter", rebuildParameter],
  ["torch.Size", (args, name) => counts(args[0], name, "its sides")],
  ["torch.device", (args) => args.map((part) => plainText(part)).join(":")],
  ["numpy.dtype", numberType],
  ["numpy.core.multiarray.scalar", numpyScalar],
  ["numpy._core.multiarray.scalar", numpyScalar],
  ["_codecs.encode", latinBytes],
  ...Object.keys(storageTypes).map((name) => [`torch.${name}`, null] as const),
  ...["float32", "float16", "bfloat16", "float64", "int64", "int32", "uint8", "bool"].map(
    (name) => [`torch.${name}`, null] as const,
  ),
]);

/** The storage that a persistent id stands for: ("storage", class, key, device, count). */
export function persistentStorage(id: PickleValue): PickleStorage {
  const name = "A persistent id";
  if (!Array.isArray(id) || id.length !== 5 || id[0] !== "storage") {
    throw argumentsInvalid(name, "something other than a storage of five parts");
  }
  const [, storageClass, key, , count] = id;
  if (!isKind(storageClass, "class") || !isStorageName(storageClass.name.slice("torch.".length))) {
    throw argumentsInvalid(name, "a class that is not a storage of numbers");
  }
  if (typeof key !== "string") throw argumentsInvalid(name, "a storage key that is not text");
  const type = storageTypes[storageClass.name.slice("torch.".length) as keyof typeof storageTypes];
  return { kind: "storage", key, type, count: asCount(count, name, "its size") };
}

const isStorageName = (name: string): boolean => Object.hasOwn(storageTypes, name);

/** An empty or filled namespace. */
function namespace(fields: Map<PickleValue, PickleValue>): PickleNamespace {
  return { kind: "namespace", fields };
}

/** Whether a value is one of the described objects, of this kind. */
export function isKind<Kind extends "storage" | "tensor" | "namespace" | "number-type" | "class">(
  value: PickleValue | undefined,
  kind: Kind,
): value is Extract<PickleValue, { readonly kind: Kind }> {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === kind;
}

function noArguments(args: readonly PickleValue[], name: string): Map<PickleValue, PickleValue> {
  if (args.length > 0) throw argumentsInvalid(name, `${args.length} arguments, expected none`);
  return new Map();
}

/** OrderedDict() or, in older protocols, OrderedDict([[key, value], ...]). */
function orderedDict(args: readonly PickleValue[], name: string): PickleValue {
  const pairs = args[0] ?? [];
  if (args.length > 1 || !Array.isArray(pairs)) throw argumentsInvalid(name, "something other than a list of pairs");
  const map = new Map<PickleValue, PickleValue>();
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) throw argumentsInvalid(name, "an entry that is not a pair");
    const [key, value] = pair as [PickleValue, PickleValue];
    map.set(key, value);
  }
  return map;
}

/** _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks[, metadata]). */
function rebuildTensor(args: readonly PickleValue[], name: string): PickleTensor {
  const [storage, offsetValue, shapeValue, stridesValue] = args;
  if (args.length < 6 || args.length > 7 || !isKind(storage, "storage")) {
    throw argumentsInvalid(name, "something other than a storage, offset, shape, strides and flags");
  }
  const offset = asCount(offsetValue, name, "its offset");
  const shape = counts(shapeValue, name, "its shape");
  const strides = counts(stridesValue, name, "its strides");
  if (shape.length !== strides.length)
    throw argumentsInvalid(name, `${shape.length} sides and ${strides.length} strides`);
  // The highest number touched; every partial sum is compared, so none can overflow past the largest safe integer.
  let last = offset;
  if (valueCount(shape) !== 0) {
    for (const [axis, side] of shape.entries()) {
      last += (side - 1) * (strides[axis] as number);
      if (!(last < storage.count)) break;
    }
    if (!(last < storage.count)) {
      throw argumentsInvalid(
        name,
        `a view [${shape.join(", ")}] that reaches beyond the ${storage.count} numbers of its storage`,
      );
    }
  }
  return { kind: "tensor", storage, offset, shape, strides };
}

/** _rebuild_parameter(tensor, requires_grad, hooks): a parameter is its tensor. */
function rebuildParameter(args: readonly PickleValue[], name: string): PickleTensor {
  const [tensor] = args;
  if (args.length !== 3 || !isKind(tensor, "tensor")) throw argumentsInvalid(name, "something other than a tensor");
  return tensor;
}

/** numpy.dtype("f8", align, copy). */
function numberType(args: readonly PickleValue[], name: string): NumberType {
  const [code] = args;
  if (typeof code !== "string" || !/^[fiub][1248]$/.test(code))
    throw argumentsInvalid(name, "an unknown type of number");
  return { kind: "number-type", code };
}

/** scalar(dtype, bytes): one little-endian number. */
function numpyScalar(args: readonly PickleValue[], name: string): PickleValue {
  const [type, bytes] = args;
  if (!isKind(type, "number-type") || !(bytes instanceof Uint8Array))
    throw argumentsInvalid(name, "no type or no bytes");
  if (bytes.byteLength !== Number(type.code.slice(1)))
    throw argumentsInvalid(name, `${bytes.byteLength} bytes for ${type.code}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type.code) {
    case "f8":
      return view.getFloat64(0, true);
    case "f4":
      return view.getFloat32(0, true);
    case "i8":
      return Number(view.getBigInt64(0, true));
    case "i4":
      return view.getInt32(0, true);
    case "b1":
      return view.getUint8(0) !== 0;
    default:
      throw argumentsInvalid(name, `the type ${type.code}, which is not read`);
  }
}

/** _codecs.encode(text, "latin1"): how protocol 2 writes bytes. */
function latinBytes(args: readonly PickleValue[], name: string): Uint8Array {
  const [text, encoding] = args;
  if (args.length !== 2 || typeof text !== "string" || encoding !== "latin1") {
    throw argumentsInvalid(name, "something other than text in latin1");
  }
  return Uint8Array.from(text, (letter) => {
    const code = letter.codePointAt(0) ?? 0;
    if (code > 255) throw argumentsInvalid(name, "a letter outside latin1");
    return code;
  });
}

function counts(value: PickleValue | undefined, name: string, what: string): number[] {
  if (!Array.isArray(value) || value.length > 16)
    throw argumentsInvalid(name, `${what} not a list of at most 16 counts`);
  return value.map((side) => asCount(side, name, what));
}

function asCount(value: PickleValue | undefined, name: string, what: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw argumentsInvalid(name, `${what} not a count`);
  }
  return value;
}

const plainText = (value: PickleValue): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "?";
