/** Plane and space geometry of the sample photos: one pinhole camera through which everything is drawn. */

/** A point on the picture in pixels, or on a pack face in millimetres: right, down. */
export type Point = readonly [x: number, y: number];

/** A point of the scene in millimetres: right, down, towards the viewer. The shelf lies at y = 0. */
export type SpacePoint = readonly [x: number, y: number, z: number];

/** From the scene, or from one pack's own frame, to the picture. */
export type Projection = (point: SpacePoint) => Point;

/** From a pack face in millimetres to the picture. */
export type Surface = (u: number, v: number) => Point;

/** A pinhole camera that turns about the point it looks at. Angles in radians, lengths in millimetres. */
export interface Camera {
  readonly yaw: number;
  /** Positive looks down on the shelf. */
  readonly pitch: number;
  readonly roll: number;
  readonly distance: number;
  /** Pixels per millimetre at the target. */
  readonly scale: number;
  readonly target: SpacePoint;
  /** Where the target falls on the picture. */
  readonly centre: Point;
}

/** The projection of a camera. Points at or behind the lens are held in front of it: they lie far off the picture. */
export function createProjection(camera: Camera): Projection {
  const [sinYaw, cosYaw] = [Math.sin(camera.yaw), Math.cos(camera.yaw)];
  const [sinPitch, cosPitch] = [Math.sin(camera.pitch), Math.cos(camera.pitch)];
  const [sinRoll, cosRoll] = [Math.sin(camera.roll), Math.cos(camera.roll)];
  return ([x, y, z]) => {
    const [dx, dy, dz] = [x - camera.target[0], y - camera.target[1], z - camera.target[2]];
    const turnedX = dx * cosYaw + dz * sinYaw;
    const turnedZ = dz * cosYaw - dx * sinYaw;
    const tiltedY = dy * cosPitch + turnedZ * sinPitch;
    const tiltedZ = turnedZ * cosPitch - dy * sinPitch;
    const depth = Math.max(camera.distance * 0.2, camera.distance - tiltedZ);
    const factor = (camera.scale * camera.distance) / depth;
    return [
      camera.centre[0] + factor * (turnedX * cosRoll - tiltedY * sinRoll),
      camera.centre[1] + factor * (turnedX * sinRoll + tiltedY * cosRoll),
    ];
  };
}

/** The projection of a pack that stands with its foot at `foot`, turned about its upright axis by `turn` radians. */
export function standing(projection: Projection, foot: SpacePoint, turn: number): Projection {
  const [sin, cos] = [Math.sin(turn), Math.cos(turn)];
  return ([x, y, z]) => projection([foot[0] + x * cos + z * sin, foot[1] + y, foot[2] + z * cos - x * sin]);
}

/** Twice the area of a polygon; positive when it runs clockwise on the picture, as a face does that looks at us. */
export function signedArea(outline: readonly Point[]): number {
  let sum = 0;
  outline.forEach(([x, y], index) => {
    const [nextX, nextY] = outline[(index + 1) % outline.length] ?? [x, y];
    sum += x * nextY - nextX * y;
  });
  return sum;
}

/** The convex hull, clockwise on the picture, by Andrew's monotone chain. */
export function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const chain = (ordered: readonly Point[]): Point[] => {
    const kept: Point[] = [];
    for (const point of ordered) {
      for (;;) {
        const [last, before] = [kept.at(-1), kept.at(-2)];
        if (last === undefined || before === undefined || signedArea([before, last, point]) > 0) break;
        kept.pop();
      }
      kept.push(point);
    }
    return kept.slice(0, -1);
  };
  return [...chain(sorted), ...chain(sorted.toReversed())];
}

/** An ellipse as a closed outline, turned by `angle` radians. */
export function ellipse(x: number, y: number, radiusX: number, radiusY: number, angle = 0, corners = 24): Point[] {
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  return Array.from({ length: corners }, (_, index) => {
    const turn = (2 * Math.PI * index) / corners;
    const [dx, dy] = [radiusX * Math.cos(turn), radiusY * Math.sin(turn)];
    return [x + dx * cos - dy * sin, y + dx * sin + dy * cos];
  });
}

/** Points written as text, `"x,y x,y"`: a drawing of many points stays short to read. */
export function points(text: string): Point[] {
  return text.split(" ").map((pair): Point => {
    const [x, y] = pair.split(",").map(Number);
    return [x ?? 0, y ?? 0];
  });
}

/** A rectangle as a closed outline, from its left upper corner. */
export function rectangle(x: number, y: number, width: number, height: number): Point[] {
  return [
    [x, y],
    [x + width, y],
    [x + width, y + height],
    [x, y + height],
  ];
}

/** Rounds the corners of a polyline or a polygon by Chaikin's corner cutting; the ends of an open line stay. */
export function smoothed(line: readonly Point[], closed: boolean, rounds = 2): Point[] {
  let points = [...line];
  for (let round = 0; round < rounds; round++) {
    const cut: Point[] = [];
    const last = points.length - 1;
    points.forEach((point, index) => {
      const next = points[(index + 1) % points.length] ?? point;
      if (index === last && !closed) return;
      const toward = (share: number): Point => [
        point[0] + (next[0] - point[0]) * share,
        point[1] + (next[1] - point[1]) * share,
      ];
      cut.push(index === 0 && !closed ? point : toward(0.25), index === last - 1 && !closed ? next : toward(0.75));
    });
    points = cut;
  }
  return points;
}
