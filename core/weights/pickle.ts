/**
 * Reads the pickles inside PyTorch files without executing them. A pickle is a program for a small stack machine; this one
 * knows the instructions that `torch.save` needs, and calls nothing but the constructors of plain data in
 * pickle-values.ts. Everything else is refused by name. Format: Python's Lib/pickletools.py.
 */
import { CoreError } from "../util/errors.ts";
import { constructors, isKind, persistentStorage, type PickleValue } from "./pickle-values.ts";

/** Bounds on what one pickle may ask for. A checkpoint of 2,000 tensors takes about 100,000 instructions. */
const limits = { instructions: 1_000_000, stack: 200_000, longBytes: 64, nameLength: 256 };

interface Machine {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Byte offset of the next instruction. */
  position: number;
  /** Byte offset of the instruction that runs, for messages. */
  start: number;
  readonly stack: PickleValue[];
  /** Heights of the stack at which a MARK was set. */
  readonly marks: number[];
  readonly memo: Map<number, PickleValue>;
}

interface Instruction {
  readonly name: string;
  run(machine: Machine): void;
}

/**
 * The value of a pickle (protocols 2 to 5). Throws `pickle-refused` for an instruction, class or argument outside the
 * allow-list, with its name and byte offset, and `pickle-damaged` for bytes that are no complete pickle.
 */
export function readPickle(bytes: Uint8Array): PickleValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const machine: Machine = { bytes, view, position: 0, start: 0, stack: [], marks: [], memo: new Map() };
  for (let count = 0; count < limits.instructions; count++) {
    machine.start = machine.position;
    const code = take(machine, 1)[0] as number;
    if (code === stop) return pop(machine);
    const instruction = instructions.get(code);
    if (instruction === undefined) throw refusedInstruction(machine, code);
    instruction.run(machine);
    if (machine.stack.length > limits.stack) throw refused(machine, `more than ${limits.stack} values on its stack`);
  }
  throw refused(machine, `more than ${limits.instructions} instructions`);
}

const stop = 0x2e;

/** The allow-list of instructions, by their byte. */
const instructions: ReadonlyMap<number, Instruction> = new Map<number, Instruction>([
  [0x80, { name: "PROTO", run: checkProtocol }],
  [0x95, { name: "FRAME", run: (m) => void take(m, 8) }],
  [0x28, { name: "MARK", run: (m) => void m.marks.push(m.stack.length) }],
  [0x30, { name: "POP", run: (m) => void pop(m) }],
  [0x31, { name: "POP_MARK", run: (m) => void popToMark(m) }],

  [0x4e, { name: "NONE", run: (m) => void m.stack.push(null) }],
  [0x88, { name: "NEWTRUE", run: (m) => void m.stack.push(true) }],
  [0x89, { name: "NEWFALSE", run: (m) => void m.stack.push(false) }],
  [0x4b, { name: "BININT1", run: (m) => void m.stack.push(unsigned(m, 1)) }],
  [0x4d, { name: "BININT2", run: (m) => void m.stack.push(unsigned(m, 2)) }],
  [0x4a, { name: "BININT", run: (m) => void m.stack.push(m.view.getInt32(advance(m, 4), true)) }],
  [0x8a, { name: "LONG1", run: (m) => void m.stack.push(long(m, unsigned(m, 1))) }],
  [0x8b, { name: "LONG4", run: (m) => void m.stack.push(long(m, unsigned(m, 4))) }],
  [0x47, { name: "BINFLOAT", run: (m) => void m.stack.push(m.view.getFloat64(advance(m, 8), false)) }],
  [0x8c, { name: "SHORT_BINUNICODE", run: (m) => void m.stack.push(text(m, unsigned(m, 1))) }],
  [0x58, { name: "BINUNICODE", run: (m) => void m.stack.push(text(m, unsigned(m, 4))) }],
  [0x8d, { name: "BINUNICODE8", run: (m) => void m.stack.push(text(m, unsigned(m, 8))) }],
  [0x43, { name: "SHORT_BINBYTES", run: (m) => void m.stack.push(take(m, unsigned(m, 1)).slice()) }],
  [0x42, { name: "BINBYTES", run: (m) => void m.stack.push(take(m, unsigned(m, 4)).slice()) }],
  [0x8e, { name: "BINBYTES8", run: (m) => void m.stack.push(take(m, unsigned(m, 8)).slice()) }],

  [0x5d, { name: "EMPTY_LIST", run: (m) => void m.stack.push([]) }],
  [0x61, { name: "APPEND", run: (m) => appendAll(m, [pop(m)]) }],
  [0x65, { name: "APPENDS", run: (m) => appendAll(m, popToMark(m)) }],
  [0x29, { name: "EMPTY_TUPLE", run: (m) => void m.stack.push([]) }],
  [0x74, { name: "TUPLE", run: (m) => void m.stack.push(popToMark(m)) }],
  [0x85, { name: "TUPLE1", run: (m) => void m.stack.push(popMany(m, 1)) }],
  [0x86, { name: "TUPLE2", run: (m) => void m.stack.push(popMany(m, 2)) }],
  [0x87, { name: "TUPLE3", run: (m) => void m.stack.push(popMany(m, 3)) }],
  [0x7d, { name: "EMPTY_DICT", run: (m) => void m.stack.push(new Map()) }],
  [0x73, { name: "SETITEM", run: (m) => setAll(m, popMany(m, 2)) }],
  [0x75, { name: "SETITEMS", run: (m) => setAll(m, popToMark(m)) }],

  [0x71, { name: "BINPUT", run: (m) => void m.memo.set(unsigned(m, 1), top(m)) }],
  [0x72, { name: "LONG_BINPUT", run: (m) => void m.memo.set(unsigned(m, 4), top(m)) }],
  [0x94, { name: "MEMOIZE", run: (m) => void m.memo.set(m.memo.size, top(m)) }],
  [0x68, { name: "BINGET", run: (m) => recall(m, unsigned(m, 1)) }],
  [0x6a, { name: "LONG_BINGET", run: (m) => recall(m, unsigned(m, 4)) }],

  [0x63, { name: "GLOBAL", run: (m) => pushClass(m, `${line(m)}.${line(m)}`) }],
  [0x93, { name: "STACK_GLOBAL", run: pushNamedClass }],
  [0x52, { name: "REDUCE", run: call }],
  [0x81, { name: "NEWOBJ", run: call }],
  [0x62, { name: "BUILD", run: build }],
  [0x51, { name: "BINPERSID", run: pushStorage }],
]);

/** Instructions that exist and are not run, for messages. */
const refusedNames: ReadonlyMap<number, string> = new Map([
  [0x69, "INST"],
  [0x6f, "OBJ"],
  [0x82, "EXT1"],
  [0x83, "EXT2"],
  [0x84, "EXT4"],
  [0x92, "NEWOBJ_EX"],
  [0x50, "PERSID"],
  [0x32, "DUP"],
  [0x64, "DICT"],
  [0x6c, "LIST"],
  [0x67, "GET"],
  [0x70, "PUT"],
  [0x49, "INT"],
  [0x4c, "LONG"],
  [0x46, "FLOAT"],
  [0x53, "STRING"],
  [0x54, "BINSTRING"],
  [0x55, "SHORT_BINSTRING"],
  [0x56, "UNICODE"],
  [0x8f, "EMPTY_SET"],
  [0x90, "ADDITEMS"],
  [0x91, "FROZENSET"],
  [0x96, "BYTEARRAY8"],
  [0x97, "NEXT_BUFFER"],
  [0x98, "READONLY_BUFFER"],
]);

function refused(machine: Machine, what: string): CoreError {
  return new CoreError("pickle-refused", `Refused to read a pickle with ${what}, at byte ${machine.start}.`, {
    hint: "Only plain weights are read and nothing in a file is executed. Save the weights alone, or as safetensors.",
  });
}

function refusedInstruction(machine: Machine, code: number): CoreError {
  const name = refusedNames.get(code) ?? `0x${code.toString(16).padStart(2, "0")}`;
  // INST carries the class that it would call in its two lines.
  const named = name === "INST" ? ` (${line(machine)}.${line(machine)})` : "";
  return refused(machine, `the instruction ${name}${named}`);
}

function damaged(machine: Machine, what: string): CoreError {
  return new CoreError("pickle-damaged", `A pickle is damaged at byte ${machine.start}: ${what}.`, {
    hint: "Fetch the file again.",
  });
}

/** Moves past `count` bytes and returns where they began. */
function advance(machine: Machine, count: number): number {
  const { position, bytes } = machine;
  if (count > bytes.byteLength - position) {
    throw damaged(machine, `${count} bytes expected, ${bytes.byteLength - position} left`);
  }
  machine.position = position + count;
  return position;
}

function take(machine: Machine, count: number): Uint8Array {
  const position = advance(machine, count);
  return machine.bytes.subarray(position, position + count);
}

function unsigned(machine: Machine, size: 1 | 2 | 4 | 8): number {
  const position = advance(machine, size);
  if (size === 1) return machine.view.getUint8(position);
  if (size === 2) return machine.view.getUint16(position, true);
  if (size === 4) return machine.view.getUint32(position, true);
  // Used for lengths only: beyond 2^53 the rounding does no harm, as `advance` refuses it.
  return Number(machine.view.getBigUint64(position, true));
}

/** A two's complement integer of any length. */
function long(machine: Machine, size: number): number | bigint {
  if (size > limits.longBytes) throw refused(machine, `an integer of ${size} bytes`);
  let value = 0n;
  for (const byte of take(machine, size).toReversed()) value = (value << 8n) | BigInt(byte);
  value = BigInt.asIntN(8 * size, value);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function text(machine: Machine, size: number): string {
  const bytes = take(machine, size);
  try {
    return utf8.decode(bytes);
  } catch {
    throw damaged(machine, "its text is not UTF-8");
  }
}

/** Text up to the next line feed. */
function line(machine: Machine): string {
  const { bytes, position } = machine;
  const length = bytes.subarray(position, position + limits.nameLength + 1).indexOf(0x0a);
  if (length < 0) throw damaged(machine, `a name has no end within ${limits.nameLength} bytes`);
  const name = text(machine, length);
  advance(machine, 1);
  return name;
}

/** Values below the last mark belong to an outer list and are out of reach until it is closed. */
const floor = (machine: Machine): number => machine.marks.at(-1) ?? 0;

function popMany(machine: Machine, count: number): PickleValue[] {
  const { stack } = machine;
  if (stack.length - count < floor(machine)) throw damaged(machine, "its stack is empty");
  return stack.splice(stack.length - count);
}

function pop(machine: Machine): PickleValue {
  return popMany(machine, 1)[0] as PickleValue;
}

function top(machine: Machine): PickleValue {
  if (machine.stack.length <= floor(machine)) throw damaged(machine, "its stack is empty");
  return machine.stack.at(-1) as PickleValue;
}

function popToMark(machine: Machine): PickleValue[] {
  const mark = machine.marks.pop();
  if (mark === undefined) throw damaged(machine, "a list ends that never began");
  return machine.stack.splice(mark);
}

function checkProtocol(machine: Machine): void {
  const protocol = unsigned(machine, 1);
  if (protocol < 2 || protocol > 5) throw refused(machine, `protocol ${protocol}; 2 to 5 are read`);
}

function appendAll(machine: Machine, values: readonly PickleValue[]): void {
  const list = top(machine);
  if (!Array.isArray(list)) throw damaged(machine, "values are appended to something other than a list");
  for (const value of values) list.push(value);
}

function setAll(machine: Machine, pairs: readonly PickleValue[]): void {
  const map = top(machine);
  if (!(map instanceof Map) || pairs.length % 2 !== 0) throw damaged(machine, "entries are set without a dictionary");
  for (let i = 0; i < pairs.length; i += 2) map.set(pairs[i] as PickleValue, pairs[i + 1] as PickleValue);
}

function recall(machine: Machine, slot: number): void {
  const value = machine.memo.get(slot);
  if (value === undefined) throw damaged(machine, `it recalls slot ${slot}, which holds nothing`);
  machine.stack.push(value);
}

function pushClass(machine: Machine, name: string): void {
  if (!constructors.has(name)) throw refused(machine, `the class or function ${name}`);
  machine.stack.push({ kind: "class", name });
}

function pushNamedClass(machine: Machine): void {
  const [module, name] = popMany(machine, 2);
  if (typeof module !== "string" || typeof name !== "string")
    throw damaged(machine, "a class is named by something other than text");
  pushClass(machine, `${module}.${name}`);
}

/** REDUCE and NEWOBJ: a call of a class or function with a tuple of arguments. */
function call(machine: Machine): void {
  const [callee, args] = popMany(machine, 2);
  if (!isKind(callee, "class")) throw refused(machine, "a call of something that is no class");
  const construct = constructors.get(callee.name);
  if (construct === null || construct === undefined) throw refused(machine, `a call of ${callee.name}`);
  if (!Array.isArray(args)) throw damaged(machine, `${callee.name} is called without a tuple`);
  machine.stack.push(explained(machine, () => construct(args, callee.name)));
}

/** BUILD: attributes for an object that was just made. Only namespaces keep theirs. */
function build(machine: Machine): void {
  const state = pop(machine);
  const object = top(machine);
  if (isKind(object, "namespace") && state instanceof Map) {
    for (const [key, value] of state) object.fields.set(key, value);
    return;
  }
  // A state dictionary carries `_metadata` (versions of layers), which says nothing about the weights.
  if (object instanceof Map && state instanceof Map) return;
  // (version, byte order, ...) of a numpy type.
  if (isKind(object, "number-type") && Array.isArray(state) && (state[1] === "<" || state[1] === "|")) return;
  throw refused(machine, "the instruction BUILD on an object that takes no attributes");
}

function pushStorage(machine: Machine): void {
  const id = pop(machine);
  machine.stack.push(explained(machine, () => persistentStorage(id)));
}

/** Adds the byte offset to what a constructor complains about. */
function explained(machine: Machine, construct: () => PickleValue): PickleValue {
  try {
    return construct();
  } catch (error) {
    if (error instanceof CoreError) throw refused(machine, `an odd value: ${error.message}`);
    throw error;
  }
}
