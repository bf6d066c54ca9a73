/**
 * Lists in queries: `IN (…)` with a fixed number of places, so that 40,000 ids run one prepared statement 80 times
 * rather than meeting SQLite's limit of 32,766 parameters.
 */
import { all } from "./database.ts";
import type { AnyReader, Row, Value } from "./database.ts";

/** Places in one list. */
export const chunkSize = 500;

/** The text between the brackets of `IN (…)`. Not for `NOT IN`: the NULLs that fill the last list would match nothing. */
export const places = new Array<string>(chunkSize).fill("?").join(",");

/** `values` in lists of exactly `chunkSize`, the last one filled up with NULL, which is never equal to anything. */
export function chunked<T extends Value>(values: readonly T[]): (T | null)[][] {
  const chunks: (T | null)[][] = [];
  for (let start = 0; start < values.length; start += chunkSize) {
    const chunk: (T | null)[] = values.slice(start, start + chunkSize);
    while (chunk.length < chunkSize) chunk.push(null);
    chunks.push(chunk);
  }
  return chunks;
}

/**
 * The rows of a query whose last parameters are a list (`places`), in no order of their own. `parameters` are those
 * before the list. A value given twice may come back twice.
 */
export function allIn(db: AnyReader, sql: string, values: readonly Value[], parameters: readonly Value[] = []): Row[] {
  return chunked(values).flatMap((chunk) => all(db, sql, [...parameters, ...chunk]));
}
