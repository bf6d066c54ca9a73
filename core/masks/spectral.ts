/** y := A x for a symmetric matrix A with eigenvalues from 0 to 1. */
export type Multiply = (x: Float64Array, result: Float64Array) => void;

/** Where |A z - lambda z| is below this the direction is taken as found; eigenvalues are at most 1. */
const tolerance = 1e-9;

/** More than any picture has needed; a vector that is not there by then is as good as the next one (a multiple eigenvalue). */
const maxSteps = 1000;

/**
 * The eigenvector, at length 1, of the largest eigenvalue that belongs to no multiple of `trivial` (of length 1, itself an
 * eigenvector). Power iteration with `trivial` projected out; each step takes the best vector among the last one, its
 * residual and the last step (Rayleigh-Ritz on three vectors: Knyazev 2001, without a preconditioner), which needs about
 * the square root of plain power iteration's steps where the next eigenvalue is close.
 */
export function secondEigenvector(multiply: Multiply, trivial: Float64Array, start: Float64Array): Float64Array {
  const count = start.length;
  const image = (x: Float64Array): Float64Array => {
    const result = new Float64Array(count);
    multiply(x, result);
    removePart(result, trivial, null);
    return result;
  };
  let x: Float64Array = start.slice();
  removePart(x, trivial, null);
  if (!normalise(x, null)) return x;
  let ax: Float64Array = image(x);
  let step: { p: Float64Array; ap: Float64Array } | undefined;
  for (let i = 0; i < maxSteps; i++) {
    const lambda = dot(x, ax);
    const r = ax.map((value, j) => value - lambda * (x[j] ?? 0));
    removePart(r, trivial, null);
    if (Math.sqrt(dot(r, r)) < tolerance) break;
    normalise(r, null);
    removePart(r, x, null);
    const basis = [
      { v: x, av: ax },
      { v: r, av: image(r) },
    ];
    if (step !== undefined) {
      const { p, ap } = step;
      // Images are linear, so they follow their vectors without another product.
      for (const { v, av } of basis) removePart(p, v, { of: ap, with: av });
      if (normalise(p, ap)) basis.push({ v: p, av: ap });
    }
    const weights = largestEigenvector(basis.map(({ v }) => basis.map(({ av }) => dot(v, av))));
    const combine = (part: "v" | "av", from: number): Float64Array => {
      const sum = new Float64Array(count);
      basis.forEach((vector, k) => {
        if (k >= from) addMultiple(sum, vector[part], weights[k] ?? 0);
      });
      return sum;
    };
    step = { p: combine("v", 1), ap: combine("av", 1) };
    [x, ax] = [combine("v", 0), combine("av", 0)];
    if (!normalise(x, ax)) break;
  }
  return x;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function addMultiple(sum: Float64Array, x: Float64Array, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + factor * (x[i] as number);
}

/** Takes the part along `direction` (of length 1) out of `x`, and what belongs to it out of its image. */
function removePart(
  x: Float64Array,
  direction: Float64Array,
  image: { readonly of: Float64Array; readonly with: Float64Array } | null,
): void {
  const part = dot(x, direction);
  addMultiple(x, direction, -part);
  if (image !== null) addMultiple(image.of, image.with, -part);
}

/** Scales `x` to length 1 and its image with it; false where nothing is left of it. */
function normalise(x: Float64Array, image: Float64Array | null): boolean {
  const length = Math.sqrt(dot(x, x));
  if (!(length > 1e-14)) return false;
  for (const values of image === null ? [x] : [x, image]) {
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) / length;
  }
  return true;
}

/** Jacobi rotations that are enough for a matrix of three rows, many times over. */
const sweeps = 12;

/** The eigenvector of the largest eigenvalue of a small symmetric matrix, by Jacobi rotations. */
export function largestEigenvector(matrix: readonly (readonly number[])[]): number[] {
  const size = matrix.length;
  const a = matrix.map((row) => [...row]);
  const vectors = matrix.map((_, i) => matrix.map((__, j) => (i === j ? 1 : 0)));
  const at = (rows: number[][], i: number, j: number): number => rows[i]?.[j] ?? 0;
  const rotate = (rows: number[][], i: number, j: number, k: number, l: number, s: number, tau: number): void => {
    const [g, h] = [at(rows, i, j), at(rows, k, l)];
    (rows[i] as number[])[j] = g - s * (h + g * tau);
    (rows[k] as number[])[l] = h + s * (g - h * tau);
  };
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) {
        const off = at(a, p, q);
        if (Math.abs(off) < 1e-300) continue;
        const theta = (at(a, q, q) - at(a, p, p)) / (2 * off);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        const tau = s / (1 + c);
        (a[p] as number[])[p] = at(a, p, p) - t * off;
        (a[q] as number[])[q] = at(a, q, q) + t * off;
        for (let k = 0; k < size; k++) {
          if (k !== p && k !== q) {
            rotate(a, k, p, k, q, s, tau);
            (a[p] as number[])[k] = at(a, k, p);
            (a[q] as number[])[k] = at(a, k, q);
          }
          rotate(vectors, k, p, k, q, s, tau);
        }
        (a[p] as number[])[q] = 0;
        (a[q] as number[])[p] = 0;
      }
    }
  }
  let best = 0;
  a.forEach((_, i) => {
    if (at(a, i, i) > at(a, best, best)) best = i;
  });
  return vectors.map((row) => row[best] ?? 0);
}
