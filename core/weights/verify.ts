import { weightShapes, type Architecture, type Weights } from "../nn/architecture.ts";
import { CoreError } from "../util/errors.ts";
import { sameShape, shapeText, valueCount } from "./numbers.ts";

/** Bounds on what a file may claim to be, so that nothing large is built for a name: ViT-L has 304 million weights. */
const bounds = {
  width: [1, 8192],
  depth: [1, 64],
  heads: [1, 256],
  hidden: [1, 65536],
  patch: [1, 256],
  grid: [1, 256],
  registers: [0, 64],
} as const;
const mostWeights = 600_000_000;

const invalid = (what: string): CoreError =>
  new CoreError("architecture-invalid", `This is no architecture of a vision transformer: ${what}.`);

/**
 * An architecture from JSON data or shapes of a file: counts in range, `heads` dividing `width`. Throws
 * `architecture-invalid`.
 */
export function checkArchitecture(data: unknown): Architecture {
  if (typeof data !== "object" || data === null) throw invalid("it is not an object");
  const fields = new Map<string, unknown>(Object.entries(data));
  const count = (name: keyof typeof bounds): number => {
    const value = fields.get(name);
    const [least, most] = bounds[name];
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
      throw invalid(`${name} is ${JSON.stringify(value)}, expected a whole number from ${least} to ${most}`);
    }
    return value;
  };
  const flag = (name: string): boolean => {
    const value = fields.get(name);
    if (typeof value !== "boolean") throw invalid(`${name} is ${JSON.stringify(value)}, expected true or false`);
    return value;
  };
  const positionOffset = fields.get("positionOffset");
  if (typeof positionOffset !== "number" || !(positionOffset >= 0 && positionOffset < 1)) {
    throw invalid(`positionOffset is ${JSON.stringify(positionOffset)}, expected a number from 0 to below 1`);
  }
  const architecture: Architecture = {
    width: count("width"),
    depth: count("depth"),
    heads: count("heads"),
    hidden: count("hidden"),
    patch: count("patch"),
    grid: count("grid"),
    registers: count("registers"),
    layerScale: flag("layerScale"),
    positionOffset,
    positionAntialias: flag("positionAntialias"),
  };
  const { width, heads } = architecture;
  if (width % heads !== 0) throw invalid(`its width ${width} is not a multiple of its ${heads} heads`);
  let total = 0;
  for (const shape of weightShapes(architecture).values()) total += valueCount(shape) ?? Infinity;
  if (total > mostWeights) throw invalid(`it has ${total} weights, the limit is ${mostWeights}`);
  return architecture;
}

/**
 * Checks that `weights` hold exactly the tensors of `architecture`, each in its shape and with as many values. Throws
 * `weights-mismatch`.
 */
export function checkWeights(weights: Weights, architecture: Architecture): void {
  const shapes = weightShapes(architecture);
  for (const [name, shape] of shapes) {
    const tensor = weights.get(name);
    if (tensor === undefined) throw new CoreError("weights-mismatch", `The tensor ${name} is missing.`);
    if (!sameShape(tensor.shape, shape) || valueCount(shape) !== tensor.data.length) {
      throw new CoreError(
        "weights-mismatch",
        `${name} has the shape ${shapeText(tensor.shape)} and ${tensor.data.length} values, expected ${shapeText(shape)}.`,
      );
    }
  }
  for (const name of weights.keys()) {
    if (!shapes.has(name))
      throw new CoreError("weights-mismatch", `The tensor ${name} is not part of this architecture.`);
  }
}

/** Throws `weights-not-finite` for the first tensor that holds an infinity or no number at all. */
export function checkFinite(weights: Weights): void {
  for (const [name, { data }] of weights) {
    for (let i = 0; i < data.length; i++) {
      if (!Number.isFinite(data[i])) {
        throw new CoreError("weights-not-finite", `${name} holds ${data[i]} at position ${i}.`, {
          hint: "The training that made this file diverged, or the file is damaged; use an earlier checkpoint.",
        });
      }
    }
  }
}
