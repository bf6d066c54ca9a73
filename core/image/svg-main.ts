/**
 * The process that turns a picture of ours from SVG to PNG: `node core/image/svg-main.ts OUT.png < IN.svg`. The engine
 * refuses SVG, which can name other files; here only what this program drew itself comes in. Exit code 0 only when OUT is
 * written.
 */
import { readFileSync } from "node:fs";
// Not setup.ts: that switches the SVG loader off.
import sharp from "sharp";

const [out] = process.argv.slice(2);
if (out === undefined) throw new Error("Expected the file to write.");
await sharp(readFileSync(0)).png({ compressionLevel: 9 }).toFile(out);
