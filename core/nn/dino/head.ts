import { add, divide, gelu, multiply, squareRoot } from "../../graph/ops/elementwise.ts";
import { matMul } from "../../graph/ops/linear.ts";
import { reshape, transposeLast } from "../../graph/ops/movement.ts";
import { sumLast } from "../../graph/ops/reduce.ts";
import { known, scalar, type Value } from "../../graph/value.ts";
import { linear, type WeightSource } from "../layers.ts";
import { lastLayer } from "./parameters.ts";

/** Smallest length that a row is divided by (torch.nn.functional.normalize). */
const smallestLength = 1e-12;

/**
 * The projection head of DINO (Caron et al. 2021, section 3.2): `features` [rows, width] through a feed-forward network
 * of three layers to unit length, then `prototypeScores`: [rows, prototypes].
 */
export function projectionHead(weight: WeightSource, features: Value, fixedScale: boolean): Value {
  const layer = (x: Value, i: number): Value => linear(x, weight(`head.mlp.${i}.weight`), weight(`head.mlp.${i}.bias`));
  const bottleneck = layer(gelu(layer(gelu(layer(features, 0)), 2)), 4);
  return prototypeScores(bottleneck, weight(lastLayer.directions), fixedScale ? undefined : weight(lastLayer.scales));
}

/**
 * x at length 1 times the weight-normalised last layer w = g v / |v|: `x` [rows, bottleneck], `directions` v
 * [prototypes, bottleneck] and `scales` g [prototypes, 1], or all 1 without them, give [rows, prototypes]. The lengths
 * of the directions divide the products and not the matrix, which is larger than a batch's products.
 */
export function prototypeScores(x: Value, directions: Value, scales: Value | undefined): Value {
  const products = matMul(unitRows(x), transposeLast(directions));
  const prototypes = known(directions.shape[0], "The number of prototypes");
  const lengths = squareRoot(sumLast(multiply(directions, directions)));
  const factors = divide(scales ?? scalar(1), lengths);
  return multiply(products, reshape(factors, [1, prototypes]));
}

/** Each row over its length. */
export function unitRows(x: Value): Value {
  // Adding the square of the smallest length changes no length that float32 can tell from it.
  const lengths = squareRoot(add(sumLast(multiply(x, x)), scalar(smallestLength ** 2)));
  return divide(x, lengths);
}
