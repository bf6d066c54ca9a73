import type { LibraryMap, MapPoint } from "../rpc/records.ts";
import { columns } from "./columns.ts";
import { all, get, run, transaction } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import { corruptRow, count, flag, integer, isObject, json, real } from "./rows.ts";

export const mapStatements = {
  map: "SELECT * FROM maps WHERE model_id = ?",
  countPoints: "SELECT count(*) AS count FROM map_points WHERE model_id = ?",
  points: "SELECT * FROM map_points WHERE model_id = ? ORDER BY image_id",
  columns: "SELECT image_id, x, y, placed FROM map_points WHERE model_id = ? ORDER BY image_id",
  deleteMap: "DELETE FROM maps WHERE model_id = ?",
  insertMap: "INSERT INTO maps (model_id, settings, created_at) VALUES (?, ?, ?)",
  insertPoint: "INSERT INTO map_points (model_id, image_id, x, y, placed) VALUES (?, ?, ?, ?, ?)",
  known: "SELECT 1 FROM embeddings WHERE model_id = ? AND image_id = ?",
} as const;

const sql = mapStatements;

function pointOf(row: Row): MapPoint {
  return {
    imageId: integer("map_points", row, "image_id"),
    x: real("map_points", row, "x"),
    y: real("map_points", row, "y"),
    placed: flag("map_points", row, "placed"),
  };
}

/** How a model's map was made, or null where there is none. */
export function mapOf(db: Reader, modelId: number): LibraryMap | null {
  const row = get(db, sql.map, [modelId]);
  if (row === undefined) return null;
  const settings = json("maps", row, "settings");
  if (!isObject(settings)) throw corruptRow("maps", row, "settings should be a JSON object");
  const numbers = Object.entries(settings).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  return { modelId, settings: Object.fromEntries(numbers), createdAt: integer("maps", row, "created_at") };
}

/** The points of a model's map, in image order. */
export function mapPoints(db: Reader, modelId: number): MapPoint[] {
  return all(db, sql.points, [modelId]).map(pointOf);
}

/** `mapPoints` by columns, as the page draws them. */
export function mapColumns(db: Reader, modelId: number): Record<"image_id" | "x" | "y" | "placed", Float64Array> {
  return columns(db, sql.columns, [modelId], ["image_id", "x", "y", "placed"]);
}

/** How many images have a place on a model's map. */
export function countMapPoints(db: Reader, modelId: number): number {
  return count("map_points", get(db, sql.countPoints, [modelId]) ?? {}, "count");
}

/** Puts a map in the place of the model's earlier one, all or nothing. */
export function replaceMap(db: Writer, map: LibraryMap, points: readonly MapPoint[]): void {
  transaction(db, () => {
    run(db, sql.deleteMap, [map.modelId]);
    run(db, sql.insertMap, [map.modelId, JSON.stringify(map.settings), map.createdAt]);
    addMapPoints(db, map.modelId, points);
  });
}

/** Adds points to a map; those that are there stay as they are. */
export function addMapPoints(db: Writer, modelId: number, points: readonly MapPoint[]): void {
  transaction(db, () => {
    for (const { imageId, x, y, placed } of points) {
      // The embedding may have gone while the map was computed.
      if (get(db, sql.known, [modelId, imageId]) === undefined) continue;
      run(db, sql.insertPoint, [modelId, imageId, x, y, placed ? 1 : 0]);
    }
  });
}
