/**
 * The one place where sharp is imported and configured; the rest of this room takes it from here.
 *
 * Threads: many small pictures are fastest when each one keeps to a single libvips thread and several are in the thread
 * pool of the process at once. A picture that spreads over two threads spends more CPU time (8.4 against 7.9 ms for a
 * thumbnail of a small photo on two cores) and finishes fewer pictures a second.
 */
import { availableParallelism } from "node:os";
import sharp from "sharp";

sharp.concurrency(1);

// No picture is decoded twice in a row, so libvips' operation cache would only hold memory.
sharp.cache(false);

// Only these decoders can be reached, whatever the bytes claim to be; and only from memory, so nothing in this room can
// make libvips open a file by itself.
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({
  operation: ["Jpeg", "Png", "Webp", "Tiff", "Nsgif", "Heif"].map((name) => `VipsForeignLoad${name}Buffer`),
});

/**
 * Pictures worth having in flight at once: three for every core, so that no core waits while files are read and results
 * handed over (583 thumbnails a second with six on two cores, 527 with four, 467 with three); but never more than the
 * thread pool can run (`UV_THREADPOOL_SIZE`, 4 unless the process was started with another value), where they would only
 * hold memory.
 */
export function defaultParallelism(): number {
  const poolSize = Number(process.env["UV_THREADPOOL_SIZE"]) || 4;
  return Math.max(1, Math.min(3 * availableParallelism(), poolSize));
}

export { sharp };
