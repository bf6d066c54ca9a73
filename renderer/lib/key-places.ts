/** Where keys are read: views by their names, and `picture` for one that is open. Two meanings of a key clash where they meet. */

/** Where the key of a label puts it on. */
export const labelKeyPlaces: readonly string[] = ["grid", "map", "clusters", "review", "checks", "picture"];

/** Where the commands of a group can be done; those of other groups can be done anywhere. */
export const placesOfGroups: Readonly<Record<string, readonly string[]>> = {
  Grid: ["grid"],
  Selection: ["grid", "map"],
  Map: ["map"],
  Clusters: ["clusters"],
  Review: ["review"],
  Checks: ["checks"],
  Train: ["train"],
  Export: ["export"],
  Picture: ["picture"],
  Labels: labelKeyPlaces,
};
