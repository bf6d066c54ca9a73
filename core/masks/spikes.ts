/** How many times its largest neighbour a patch must be to be taken for a spike. */
const spikeRatio = 4;

/**
 * Attention without spikes: single patches that draw far more attention than anything around them, mostly in plain
 * background, where transformers without registers keep notes to themselves (Darcet et al. 2024, section 2). A patch of more
 * than four times its largest neighbour gets the median of its neighbours. `values` is row by row; it is not changed.
 */
export function removeSpikes(values: Float32Array, rows: number, columns: number): Float32Array {
  return values.map((value, patch) => {
    const around = neighbours(values, rows, columns, patch);
    const largest = around.at(-1);
    if (largest === undefined || value <= spikeRatio * largest) return value;
    return ((around[(around.length - 1) >> 1] ?? 0) + (around[around.length >> 1] ?? 0)) / 2;
  });
}

/** The values of the up to eight patches around one, ascending. */
function neighbours(values: Float32Array, rows: number, columns: number, patch: number): number[] {
  const row = Math.floor(patch / columns);
  const column = patch % columns;
  const around: number[] = [];
  for (let y = Math.max(0, row - 1); y <= Math.min(rows - 1, row + 1); y++) {
    for (let x = Math.max(0, column - 1); x <= Math.min(columns - 1, column + 1); x++) {
      if (y !== row || x !== column) around.push(values[y * columns + x] ?? 0);
    }
  }
  return around.sort((a, b) => a - b);
}
