/**
 * Draws points with WebGL 2: one buffer of places and one of looks, so that panning a million points sends nothing to the
 * device but the camera.
 */
import type { Rgb } from "./map-colours.ts";
import type { Camera, Size } from "./map-camera.ts";

/** Bits of a point's look, beside its slot. */
export const lookBits = { hidden: 1, selected: 2, dimmed: 4 } as const;

export interface Scene {
  readonly camera: Camera;
  readonly size: Size;
  /** Device pixels a pixel. */
  readonly ratio: number;
  /** Diameter of a point in pixels, and how opaque it is. */
  readonly diameter: number;
  readonly opacity: number;
  readonly colours: readonly Rgb[];
  /** Colour of the ring around selected points. */
  readonly accent: Rgb;
  readonly selected: boolean;
  /** How far the points are from where they were to where they are: 1 is there. */
  readonly progress: number;
}

export interface PointPainter {
  /** Places of the points, and where each was before (itself where it was not). */
  place(xs: Float32Array, ys: Float32Array, before?: { xs: Float32Array; ys: Float32Array }): void;
  /** [points, 2]: slot and `lookBits` of each. */
  dress(looks: Uint8Array): void;
  draw(scene: Scene): void;
  close(): void;
}

/** Colours of `slotColours`, with room: WebGL 2 promises 256 uniforms of the vertex shader. */
const mostSlots = 128;

const vertexSource = `#version 300 es
layout(location = 0) in vec2 place;
layout(location = 1) in vec2 before;
layout(location = 2) in uvec2 look;
uniform vec2 middle;
uniform vec2 unit;
uniform float diameter;
uniform float opacity;
uniform float progress;
uniform bool onlySelected;
uniform vec3 colours[${mostSlots}];
out vec4 colour;
flat out float size;
void main() {
  bool hidden = (look.y & 1u) != 0u;
  bool selected = (look.y & 2u) != 0u;
  bool dimmed = (look.y & 4u) != 0u;
  if (hidden || selected != onlySelected) {
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    gl_PointSize = 1.0;
    return;
  }
  gl_Position = vec4((mix(before, place, progress) - middle) * unit, 0.0, 1.0);
  // What has no value stays behind what has one.
  bool plain = look.x == 0u;
  size = selected ? diameter + 5.0 : dimmed || plain ? diameter * 0.8 : diameter;
  gl_PointSize = size + 1.0;
  colour = vec4(colours[min(look.x, ${mostSlots - 1}u)], selected ? 1.0 : dimmed ? opacity * 0.14 : plain ? opacity * 0.75 : opacity);
}`;

const fragmentSource = `#version 300 es
precision mediump float;
in vec4 colour;
flat in float size;
uniform bool onlySelected;
uniform vec3 accent;
uniform float ring;
out vec4 painted;
void main() {
  float away = length(gl_PointCoord - 0.5) * (size + 1.0);
  float cover = clamp(size * 0.5 + 0.5 - away, 0.0, 1.0);
  if (cover <= 0.0) discard;
  vec3 shown = colour.rgb;
  if (onlySelected) shown = mix(shown, accent, clamp(away - (size * 0.5 - ring) + 0.5, 0.0, 1.0));
  float alpha = colour.a * cover;
  painted = vec4(shown * alpha, alpha);
}`;

/** A painter on a canvas; null where the browser has no WebGL 2. */
export function createPainter(canvas: HTMLCanvasElement): PointPainter | null {
  const gl = canvas.getContext("webgl2", { antialias: false, alpha: true, powerPreference: "high-performance" });
  if (gl === null) return null;
  const program = build(gl);
  if (program === null) return null;
  const at = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(program, name);
  const uniforms = {
    middle: at("middle"),
    unit: at("unit"),
    diameter: at("diameter"),
    opacity: at("opacity"),
    progress: at("progress"),
    onlySelected: at("onlySelected"),
    colours: at("colours"),
    accent: at("accent"),
    ring: at("ring"),
  };
  const array = gl.createVertexArray();
  const buffers = [gl.createBuffer(), gl.createBuffer(), gl.createBuffer()] as const;
  gl.bindVertexArray(array);
  for (const location of [0, 1] as const) {
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[location]);
    gl.enableVertexAttribArray(location);
    gl.vertexAttribPointer(location, 2, gl.FLOAT, false, 0, 0);
  }
  gl.bindBuffer(gl.ARRAY_BUFFER, buffers[2]);
  gl.enableVertexAttribArray(2);
  gl.vertexAttribIPointer(2, 2, gl.UNSIGNED_BYTE, 0, 0);
  gl.useProgram(program);
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  let count = 0;
  let dressed = 0;

  const fill = (buffer: WebGLBuffer | null, data: Float32Array | Uint8Array): void => {
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
  };

  return {
    place: (xs, ys, before) => {
      count = xs.length;
      fill(buffers[0], woven(xs, ys));
      fill(buffers[1], before === undefined ? woven(xs, ys) : woven(before.xs, before.ys));
    },
    dress: (looks) => {
      dressed = looks.length / 2;
      fill(buffers[2], looks);
    },
    draw: ({ camera, size, ratio, diameter, opacity, colours, accent, selected, progress }) => {
      const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      gl.viewport(0, 0, width, height);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
      gl.uniform2f(uniforms.middle, camera.x, camera.y);
      gl.uniform2f(uniforms.unit, (2 * camera.scale) / size.width, (2 * camera.scale) / size.height);
      gl.uniform1f(uniforms.diameter, diameter * ratio);
      gl.uniform1f(uniforms.opacity, opacity);
      gl.uniform1f(uniforms.progress, progress);
      gl.uniform1f(uniforms.ring, 2 * ratio);
      gl.uniform3fv(uniforms.colours, colours.slice(0, mostSlots).flat());
      gl.uniform3f(uniforms.accent, ...accent);
      const shown = Math.min(count, dressed);
      for (const only of selected ? [false, true] : [false]) {
        gl.uniform1i(uniforms.onlySelected, only ? 1 : 0);
        gl.drawArrays(gl.POINTS, 0, shown);
      }
    },
    close: () => {
      for (const buffer of buffers) gl.deleteBuffer(buffer);
      gl.deleteVertexArray(array);
      gl.deleteProgram(program);
    },
  };
}

function woven(xs: Float32Array, ys: Float32Array): Float32Array {
  const both = new Float32Array(2 * xs.length);
  for (let at = 0; at < xs.length; at++) {
    both[2 * at] = xs[at] ?? 0;
    both[2 * at + 1] = ys[at] ?? 0;
  }
  return both;
}

function build(gl: WebGL2RenderingContext): WebGLProgram | null {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, vertexSource],
    [gl.FRAGMENT_SHADER, fragmentSource],
  ] as const) {
    const shader = gl.createShader(kind);
    if (shader === null) return null;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    gl.deleteShader(shader);
  }
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) === true ? program : null;
}

/** How points look at a zoom: larger when near, fainter where many lie on top of each other. */
export function pointLook(count: number, { width, height }: Size, zoom: number): { diameter: number; opacity: number } {
  // Share of the picture that the points would cover if each were 4 pixels wide.
  const crowd = (count * 16) / Math.max(1, width * height) / zoom;
  const crowded = Math.min(1, crowd / 4);
  const base = count > 200_000 ? 2.2 : count > 20_000 ? 3.2 : count > 3000 ? 4.6 : count > 600 ? 6.5 : 9;
  return {
    diameter: Math.min(14, base * Math.max(1, zoom ** 0.32)),
    opacity: 0.9 - 0.62 * Math.sqrt(crowded),
  };
}
