/** The light of a photo and the noise of its sensor, applied to pixels. */
import { createRandom, type Random } from "../util/random.ts";

/** Light over the picture; positions are shares of width and height. */
export interface Light {
  /** Stops of exposure. */
  readonly exposure: number;
  /** -1 cool (towards blue) to 1 warm (towards orange). */
  readonly warmth: number;
  /** -1 magenta to 1 green, as under old tubes. */
  readonly tint: number;
  readonly saturation: number;
  readonly contrast: number;
  /** Light that fell into the lens and lifts the blacks, 0 to 1. */
  readonly haze: number;
  /** Loss of light in the corners, 0 to 1. */
  readonly vignette: number;
  /** Direction (radians) and strength of the fall-off from one side to the other. */
  readonly slopeAngle: number;
  readonly slope: number;
  /** A spot of light: middle, radius as a share of the diagonal, gain. */
  readonly spotX: number;
  readonly spotY: number;
  readonly spotRadius: number;
  readonly spot: number;
  /** Standard deviation of the noise, in levels of 255. */
  readonly noise: number;
  readonly noiseSeed: number;
}

/** Draws the light of one photo: mostly ordinary shop light, sometimes dim, warm, cold or harsh. */
export function drawLight(random: Random): Light {
  return {
    exposure: Math.max(-0.9, Math.min(0.45, -0.12 + 0.19 * random.normal())),
    warmth: Math.max(-1, Math.min(1, 0.05 + 0.25 * random.normal())),
    tint: 0.25 * random.normal(),
    saturation: random.uniform(0.7, 1.12),
    contrast: random.uniform(0.85, 1.18),
    haze: random.uniform(0, 0.1),
    vignette: random.uniform(0, 0.4),
    slopeAngle: random.uniform(0, 2 * Math.PI),
    slope: random.uniform(0, 0.26),
    spotX: random.uniform(0.1, 0.9),
    spotY: random.uniform(0, 0.8),
    spotRadius: random.uniform(0.12, 0.4),
    spot: random.next() < 0.4 ? random.uniform(0.12, 0.4) : 0,
    noise: random.uniform(1, 6.5),
    noiseSeed: random.integer(2 ** 32),
  };
}

// A power of two, so that a mask wraps the index. Drawing a normal number for every byte would take most of the time.
const noiseLength = 2 ** 16;
const noiseTable = Float32Array.from(
  { length: noiseLength },
  (
    (random) => () =>
      random.normal()
  )(createRandom(7)),
);

/** Lights an interleaved RGB picture of 8-bit levels in place. */
export function applyLight(pixels: Uint8Array, width: number, height: number, light: Light): void {
  const gain = 2 ** light.exposure;
  const gains = [
    gain * (1 + 0.17 * light.warmth - 0.03 * light.tint),
    gain * (1 + 0.02 * light.warmth + 0.05 * light.tint),
    gain * (1 - 0.22 * light.warmth - 0.03 * light.tint),
  ] as const;
  const [slopeX, slopeY] = [Math.cos(light.slopeAngle) * light.slope, Math.sin(light.slopeAngle) * light.slope];
  const diagonal = Math.hypot(width, height);
  const sharpness = 1 / (2 * (light.spotRadius * diagonal) ** 2);
  const noiseRandom = createRandom(light.noiseSeed);
  for (let y = 0; y < height; y++) {
    const down = y / height - 0.5;
    let noiseAt = noiseRandom.integer(noiseLength);
    for (let x = 0; x < width; x++) {
      const across = x / width - 0.5;
      const spotDistance = (x - light.spotX * width) ** 2 + (y - light.spotY * height) ** 2;
      const field =
        (1 + 2 * (slopeX * across + slopeY * down)) *
        (1 - light.vignette * 1.6 * (across * across + down * down)) *
        (1 + light.spot * Math.exp(-spotDistance * sharpness));
      const at = (y * width + x) * 3;
      const red = (pixels[at] ?? 0) * field * gains[0];
      const green = (pixels[at + 1] ?? 0) * field * gains[1];
      const blue = (pixels[at + 2] ?? 0) * field * gains[2];
      const grey = 0.299 * red + 0.587 * green + 0.114 * blue;
      const develop = (level: number): number => {
        const coloured = grey + (level - grey) * light.saturation;
        const contrasted = 118 + (coloured - 118) * light.contrast;
        const hazy = contrasted + (235 - contrasted) * light.haze;
        // A soft shoulder above 225: highlights fade to white and are not cut off.
        const soft = hazy > 225 ? 225 + 30 * (1 - Math.exp((225 - hazy) / 30)) : hazy;
        const noise = (noiseTable[noiseAt++ & (noiseLength - 1)] ?? 0) * light.noise;
        return Math.max(0, Math.min(255, Math.round(soft + noise)));
      };
      pixels[at] = develop(red);
      pixels[at + 1] = develop(green);
      pixels[at + 2] = develop(blue);
    }
  }
}
