import type { MaskPreview, ShownMask } from "../../core/rpc/views.ts";
import { applyStrokes, emptyRuns, type Runs, type Stroke } from "../lib/mask-runs.ts";

export type Tool = Stroke["kind"];

/** Radius of the brush as a share of the picture's longer side. */
const radii = { least: 0.002, most: 0.2, usual: 0.02 };

/** Brush and eraser on a picture: strokes are kept as lines until they are saved, so each can be taken back. */
export class MaskEdit {
  tool = $state<Tool | null>(null);
  radius = $state(radii.usual);
  strokes = $state.raw<readonly Stroke[]>([]);
  undone = $state.raw<readonly Stroke[]>([]);
  readonly dirty = $derived(this.strokes.length > 0);

  use(tool: Tool | null): void {
    this.tool = this.tool === tool ? null : tool;
  }

  resize(by: number): void {
    this.radius = Math.min(radii.most, Math.max(radii.least, this.radius * by));
  }

  /** Begins a stroke at a point of the picture, in its pixels. */
  begin(x: number, y: number, longerSide: number, kind: Tool): void {
    this.undone = [];
    this.strokes = [...this.strokes, { kind, radius: this.radius * longerSide, points: [x, y] }];
  }

  /** Goes on with the stroke; steps of less than a quarter of the radius are left out. */
  extend(x: number, y: number): void {
    const stroke = this.strokes.at(-1);
    if (stroke === undefined) return;
    const [lastX = 0, lastY = 0] = stroke.points.slice(-2);
    if (Math.hypot(x - lastX, y - lastY) < Math.max(1, stroke.radius / 4)) return;
    this.strokes = [...this.strokes.slice(0, -1), { ...stroke, points: [...stroke.points, x, y] }];
  }

  undo(): void {
    const last = this.strokes.at(-1);
    if (last === undefined) return;
    this.strokes = this.strokes.slice(0, -1);
    this.undone = [...this.undone, last];
  }

  redo(): void {
    const next = this.undone.at(-1);
    if (next === undefined) return;
    this.undone = this.undone.slice(0, -1);
    this.strokes = [...this.strokes, next];
  }

  /** Forgets all strokes. */
  clear(): void {
    this.strokes = [];
    this.undone = [];
  }
}

/** A mask of the size of its picture with strokes on it; from nothing where there was none. */
export function strokedMask(
  base: ShownMask | MaskPreview | null,
  { width, height }: { readonly width: number; readonly height: number },
  strokes: readonly Stroke[],
): Runs {
  const runs = base === null ? emptyRuns(width, height) : { width, height, counts: base.runs };
  return applyStrokes(runs, strokes);
}
