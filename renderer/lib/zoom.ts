/** Where a picture lies in the space that is there for it. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** How it is looked at: 1 fits, and the point of the picture (shares of its sides) in the middle of the space. */
export interface Zoom {
  readonly factor: number;
  readonly x: number;
  readonly y: number;
}

export const fitted: Zoom = { factor: 1, x: 0.5, y: 0.5 };

const most = 32;

/** The size of the whole picture when it fits. */
export function fittedSize(picture: Size, space: Size): Size {
  const scale = Math.min(space.width / picture.width, space.height / picture.height);
  return { width: picture.width * scale, height: picture.height * scale };
}

/** The rectangle of the picture in the space. */
export function placed(picture: Size, space: Size, zoom: Zoom): Size & { readonly left: number; readonly top: number } {
  const fit = fittedSize(picture, space);
  const [width, height] = [fit.width * zoom.factor, fit.height * zoom.factor];
  return { width, height, left: space.width / 2 - zoom.x * width, top: space.height / 2 - zoom.y * height };
}

/** Larger or smaller by a factor, the point under (x, y) of the space staying where it is. */
export function zoomedAt(picture: Size, space: Size, zoom: Zoom, by: number, x: number, y: number): Zoom {
  const before = placed(picture, space, zoom);
  const factor = Math.min(most, Math.max(1, zoom.factor * by));
  const real = factor / zoom.factor;
  const [u, v] = [(x - before.left) / before.width, (y - before.top) / before.height];
  const middle = (point: number, centre: number): number => point + (centre - point) / real;
  return kept(picture, space, { factor, x: middle(u, zoom.x), y: middle(v, zoom.y) });
}

/** Moved by pixels of the space. */
export function panned(picture: Size, space: Size, zoom: Zoom, dx: number, dy: number): Zoom {
  const { width, height } = placed(picture, space, zoom);
  return kept(picture, space, { ...zoom, x: zoom.x - dx / width, y: zoom.y - dy / height });
}

/** One pixel of the picture a pixel of the page, around the middle of what is seen. */
export function atFullSize(picture: Size, space: Size): Zoom {
  return { ...fitted, factor: Math.max(1, picture.width / fittedSize(picture, space).width) };
}

/** No further than the picture's edges; in the middle along a side that fits. */
function kept(picture: Size, space: Size, zoom: Zoom): Zoom {
  const { width, height } = placed(picture, space, zoom);
  const hold = (centre: number, side: number, room: number): number => {
    const half = room / 2 / side;
    return half >= 0.5 ? 0.5 : Math.min(1 - half, Math.max(half, centre));
  };
  return { ...zoom, x: hold(zoom.x, width, space.width), y: hold(zoom.y, height, space.height) };
}
