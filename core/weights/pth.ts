/**
 * PyTorch's zip archives (`torch.save` since 1.6): a pickle `<name>/data.pkl` that describes tensors, and the numbers of
 * each storage in an entry `<name>/data/<key>` of its own.
 */
import type { WeightTensor } from "../nn/architecture.ts";
import { CoreError } from "../util/errors.ts";
import type { OpenFile } from "./files.ts";
import { floatBytes, floatsFrom, valueCount, type FloatType } from "./numbers.ts";
import type { PickleStorage, PickleTensor, PickleValue } from "./pickle-values.ts";
import { readPickle } from "./pickle.ts";
import { openArchive, type Archive } from "./zip.ts";

/** The pickle of a ViT-B's full checkpoint takes about 1 MB. */
const longestPickle = 32 * 2 ** 20;

/** A PyTorch file whose pickle was read; the numbers are still on disk. */
export interface TorchFile {
  /** What was saved, with tensors described and not yet read. */
  readonly root: PickleValue;
  /**
   * Reads tensors as float32. Throws `weights-type` for integers and `torch-damaged` for storages that are missing, of
   * another size than declared, or shared.
   */
  readTensors(tensors: ReadonlyMap<string, PickleTensor>): Promise<Map<string, WeightTensor>>;
}

const damaged = (path: string, what: string): CoreError =>
  new CoreError("torch-damaged", `${path} is not a valid PyTorch file: ${what}.`, { hint: "Fetch the file again." });

/** Reads the pickle of an open zip archive. Throws `torch-damaged`, `archive-damaged` and what `readPickle` throws. */
export async function openTorch(file: OpenFile): Promise<TorchFile> {
  const archive = await openArchive(file);
  const pickles = [...archive.entries.keys()].filter((name) => /^([^/]*\/)?data\.pkl$/.test(name));
  const [pickleName] = pickles;
  if (pickleName === undefined || pickles.length > 1) {
    throw new CoreError("checkpoint-unknown", `${file.path} is a zip archive but not of PyTorch: it has no data.pkl.`, {
      hint: "Choose a .pth file saved by torch.save, or a .safetensors file.",
    });
  }
  const folder = pickleName.slice(0, -"data.pkl".length);
  if (archive.entries.has(`${folder}constants.pkl`)) {
    throw new CoreError("torch-script", `${file.path} is a TorchScript program, not a file of weights.`, {
      hint: "Save the model's state_dict() with torch.save instead.",
    });
  }
  await refuseBigEndian(file, archive, `${folder}byteorder`);
  const pickle = await smallEntry(file, archive, pickleName, longestPickle);
  return {
    root: readPickle(pickle),
    readTensors: (tensors) => readTensors(file, archive, `${folder}data/`, tensors),
  };
}

async function smallEntry(file: OpenFile, archive: Archive, name: string, longest: number): Promise<Uint8Array> {
  const entry = archive.entries.get(name);
  if (entry === undefined || entry.byteSize > longest) {
    throw damaged(file.path, `${name} has ${entry?.byteSize ?? 0} bytes, the limit is ${longest}`);
  }
  return archive.read(entry);
}

async function refuseBigEndian(file: OpenFile, archive: Archive, name: string): Promise<void> {
  if (!archive.entries.has(name)) return;
  const order = new TextDecoder().decode(await smallEntry(file, archive, name, 16));
  if (order !== "little") {
    throw new CoreError("torch-byte-order", `${file.path} has the byte order "${order}"; only "little" is read.`, {
      hint: "Save it again on an ordinary PC.",
    });
  }
}

async function readTensors(
  file: OpenFile,
  archive: Archive,
  folder: string,
  tensors: ReadonlyMap<string, PickleTensor>,
): Promise<Map<string, WeightTensor>> {
  const groups = Map.groupBy(tensors, ([, { storage }]) => storage.key);
  const read = new Map<string, WeightTensor>();
  for (const group of groups.values()) {
    const [, { storage }] = group[0] as [string, PickleTensor];
    // Together, the views of a storage may not hold more than it does: else a small file could ask for any amount.
    let total = 0;
    for (const [name, tensor] of group) {
      const count = valueCount(tensor.shape);
      total += count ?? Infinity;
      if (total > storage.count || tensor.storage.count !== storage.count || tensor.storage.type !== storage.type) {
        throw damaged(file.path, `${name} shares or repeats the numbers of a storage`);
      }
    }
    const floats = await readStorage(file, archive, folder, storage, total);
    for (const [name, tensor] of group) read.set(name, { shape: tensor.shape, data: gather(floats, tensor) });
  }
  return new Map([...tensors.keys()].map((name) => [name, read.get(name) as WeightTensor]));
}

async function readStorage(
  file: OpenFile,
  archive: Archive,
  folder: string,
  storage: PickleStorage,
  used: number,
): Promise<Float32Array> {
  const { key, type, count } = storage;
  if (!isFloatType(type.dtype)) {
    throw new CoreError(
      "weights-type",
      `The tensor ${key} of ${file.path} holds ${type.dtype}; weights are real numbers.`,
    );
  }
  const entry = archive.entries.get(folder + key);
  if (entry === undefined) throw damaged(file.path, `the numbers of its tensor ${key} are missing`);
  if (entry.byteSize !== count * type.bytes) {
    throw damaged(file.path, `its tensor ${key} has ${entry.byteSize} bytes, ${count * type.bytes} were declared`);
  }
  // torch.save stores without compression. An archive that was packed again may be read, but no more than it is for.
  if (entry.compressed && count > used) {
    throw damaged(file.path, `its compressed tensor ${key} unpacks to more than its shape`);
  }
  return floatsFrom(await archive.read(entry), type.dtype);
}

const isFloatType = (dtype: string): dtype is FloatType => Object.hasOwn(floatBytes, dtype);

/** The numbers of a view in row-major order; the view was checked to lie inside its storage. */
function gather(floats: Float32Array, { offset, shape, strides }: PickleTensor): Float32Array {
  const count = valueCount(shape) ?? 0;
  if (isContiguous(shape, strides)) {
    return count === floats.length ? floats : floats.slice(offset, offset + count);
  }
  const data = new Float32Array(count);
  const index = shape.map(() => 0);
  let source = offset;
  for (let i = 0; i < count; i++) {
    data[i] = floats[source] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1;
      source += strides[axis] as number;
      if (next < (shape[axis] as number)) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      source -= next * (strides[axis] as number);
    }
  }
  return data;
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const side = shape[axis] as number;
    // The stride of a side of one is never used; PyTorch leaves any number there.
    if (side !== 1 && strides[axis] !== expected) return false;
    expected *= side;
  }
  return true;
}
