import { emptyBitmap, type Bitmap } from "./bitmap.ts";

/** Which connected parts of a mask are kept. */
export type Components = "largest" | "all";

/** The connected parts of a mask: pixels that touch by a side. */
export interface LabelledComponents {
  /** For each pixel the number of its part, from 1 on; 0 for background. */
  readonly labels: Uint32Array;
  /** Pixels of each part; index 0 counts nothing. */
  readonly areas: readonly number[];
}

/** Finds the 4-connected parts of a mask, numbered in the order of their first pixel. */
export function labelComponents({ width, height, data }: Bitmap): LabelledComponents {
  const labels = new Uint32Array(data.length);
  const areas = [0];
  const stack = new Uint32Array(data.length);
  for (let start = 0; start < data.length; start++) {
    if (data[start] !== 1 || labels[start] !== 0) continue;
    const label = areas.length;
    let area = 0;
    let top = 0;
    const push = (pixel: number): void => {
      if (data[pixel] !== 1 || labels[pixel] !== 0) return;
      labels[pixel] = label;
      stack[top++] = pixel;
    };
    push(start);
    while (top > 0) {
      const pixel = stack[--top] ?? 0;
      const x = pixel % width;
      area++;
      if (x > 0) push(pixel - 1);
      if (x < width - 1) push(pixel + 1);
      if (pixel >= width) push(pixel - width);
      if (pixel < (height - 1) * width) push(pixel + width);
    }
    areas.push(area);
  }
  return { labels, areas };
}

/** The part of a mask that holds `pixel`; empty where that is background. */
export function componentOf(mask: Bitmap, pixel: number): Bitmap {
  const { labels } = labelComponents(mask);
  const wanted = labels[pixel] ?? 0;
  return wanted === 0 ? emptyBitmap(mask.width, mask.height) : pick(mask, labels, (label) => label === wanted);
}

/**
 * The largest part of a mask, the first of equals; or all parts that have at least `leastShare` of the mask's pixels: 0
 * keeps every speck.
 */
export function keepComponents(mask: Bitmap, components: Components, leastShare = 0): Bitmap {
  const { labels, areas } = labelComponents(mask);
  const largest = largestOf(areas);
  const least = leastShare * areas.reduce((sum, area) => sum + area, 0);
  const kept = areas.map((area, label) => (components === "largest" ? label === largest : area >= least));
  return pick(mask, labels, (label) => label > 0 && kept[label] === true);
}

/** The mask with its holes filled: background that does not reach the border of the picture side by side. */
export function fillHoles({ width, height, data }: Bitmap): Bitmap {
  const background = { width, height, data: data.map((value) => 1 - value) };
  const { labels, areas } = labelComponents(background);
  const open = new Uint8Array(areas.length);
  const mark = (pixel: number): void => void (open[labels[pixel] ?? 0] = 1);
  for (let x = 0; x < width; x++) {
    mark(x);
    mark((height - 1) * width + x);
  }
  for (let y = 0; y < height; y++) {
    mark(y * width);
    mark(y * width + width - 1);
  }
  return pick(background, labels, (label) => label === 0 || open[label] === 0);
}

/** The pixels of some labels. A plain loop: `Uint8Array.from` would list millions of pixels first. */
function pick({ width, height }: Bitmap, labels: Uint32Array, wanted: (label: number) => boolean): Bitmap {
  const picked = emptyBitmap(width, height);
  for (let i = 0; i < labels.length; i++) picked.data[i] = wanted(labels[i] as number) ? 1 : 0;
  return picked;
}

/** Not `Math.max(...areas)`: noise has more parts than a call has room for arguments. */
function largestOf(areas: readonly number[]): number {
  let largest = 0;
  areas.forEach((area, label) => {
    if (area > (areas[largest] ?? 0)) largest = label;
  });
  return largest;
}
