/**
 * Asks again for the pictures of a page that did not come: a browser gives each address one try, and the core may have been
 * away at that moment. Those that are there, or still on their way, are left alone. Returns how many are asked for.
 */
export function picturesAgain(pictures: Iterable<Pick<HTMLImageElement, "src" | "complete" | "naturalWidth">>): number {
  const broken = [...pictures].filter(
    ({ src, complete, naturalWidth }) => src !== "" && complete && naturalWidth === 0,
  );
  for (const picture of broken) {
    const { src } = picture;
    picture.src = src;
  }
  return broken.length;
}
