import type { TrainingSettings } from "./settings.ts";

/** Views of one size, which go through the backbone together. */
export interface ViewGroupSize {
  /** Prefix of the group's inputs. */
  readonly name: "global" | "local";
  /** Views of a picture. */
  readonly views: number;
  /** Side in pixels. */
  readonly size: number;
}

/** The two views that teacher and student see. */
export function globalViews({ crops }: TrainingSettings): ViewGroupSize {
  return { name: "global", views: 2, size: crops.globalSize };
}

/** The views that the student alone sees; there may be none. */
export function localViews({ crops }: TrainingSettings): ViewGroupSize {
  return { name: "local", views: crops.localCount, size: crops.localSize };
}

/** The groups that have views. */
export function viewGroups(settings: TrainingSettings): readonly ViewGroupSize[] {
  return [globalViews(settings), localViews(settings)].filter(({ views }) => views > 0);
}
